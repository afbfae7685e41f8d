import { Observable, type OperatorFunction } from 'rxjs';
import type { Clock } from '../core/clock.js';
import type { Listen } from '../core/events.js';
import type { Message } from '../core/message.js';
import type { SourceGap } from '../core/source.js';
import type { Batch, BatchLimits } from './batch.js';
import type { DropLedger } from './drop-ledger.js';
import type { IngestBuffer } from './ingest-buffer.js';

export interface GroupCommitOptions {
  readonly buffer: IngestBuffer;
  readonly drops: DropLedger;
  /** Read anew each time: they may change. */
  readonly limits: BatchLimits;
  /** Tells that the limits changed, so that what waits is judged by the new ones. */
  readonly onLimits?: Listen<void>;
  readonly clock: Clock;
  /** Writes one batch; called again only after it has settled. A rejection ends the stream. */
  readonly commit: (batch: Batch) => Promise<void>;
  /** Told of a batch that is full before the commit under way has settled: it is what `commit` gets next. */
  readonly upcoming?: (batch: Batch) => void;
}

/**
 * Adaptive group commit: while one commit is in flight the next batch fills in the bounded buffer, so the
 * batch size follows the speed of the disk. Emits every committed batch. Where the input completes or fails,
 * the rest is committed first. RxJS has no backpressure: this operator is where Observables end, and the
 * buffer's policies are what happens when the disk is slower than the input.
 */
export function groupCommit(options: GroupCommitOptions): OperatorFunction<Message | SourceGap, Batch> {
  return (input) =>
    new Observable<Batch>((subscriber) => {
      const committer = new GroupCommitter(options, {
        committed: (batch) => subscriber.next(batch),
        failed: (error) => subscriber.error(error),
        drained: () => subscriber.complete(),
      });
      const unlisten = options.onLimits?.(() => committer.limitsChanged());
      const subscription = input.subscribe({
        next: (event) => committer.push(event),
        error: (error: unknown) => committer.end({ error }),
        complete: () => committer.end(),
      });
      return () => {
        unlisten?.();
        subscription.unsubscribe();
        committer.stop();
      };
    });
}

/**
 * How long drops wait for a message to be committed with. Where nothing else comes (paused, or every
 * message refused) they get a commit of their own: a kill must not take the gap along.
 */
const DROPS_MAX_AGE_MS = 1000;

interface Listener {
  committed(batch: Batch): void;
  failed(error: unknown): void;
  drained(): void;
}

class GroupCommitter {
  private timer: NodeJS.Timeout | undefined;
  private dropsTimer: NodeJS.Timeout | undefined;
  private busy = false;
  /** Taken out of the buffer, and committed as soon as the commit under way has settled. */
  private next: Batch | undefined;
  private ended = false;
  private inputFailure: { readonly error: unknown } | undefined;
  private stopped = false;

  constructor(
    private readonly options: GroupCommitOptions,
    private readonly listener: Listener,
  ) {
    options.drops.onPending = () => {
      this.dropsTimer ??= setTimeout(() => this.onDropsAge(), DROPS_MAX_AGE_MS);
    };
  }

  push(event: Message | SourceGap): void {
    const { buffer, drops, limits, clock } = this.options;
    if (event.kind === 'message') buffer.push(event);
    else drops.add(event.gap);
    if (this.options.buffer.oldestAt === undefined) {
      this.options.buffer.oldestAt = clock.monotonic();
      this.timer ??= setTimeout(() => this.onAge(), limits.maxAgeMs);
    }
    if (!this.isFull()) return;
    if (this.busy) this.lookAhead();
    else this.start();
  }

  limitsChanged(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.busy || this.stopped || this.options.buffer.oldestAt === undefined) return;
    if (this.isDue()) this.start();
    else this.timer = setTimeout(() => this.onAge(), this.ageLeftMs());
  }

  /** No more input, because of a failure where one is given. */
  end(failure?: { readonly error: unknown }): void {
    this.ended = true;
    this.inputFailure = failure;
    if (!this.busy) this.start();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.dropsTimer);
    this.options.drops.onPending = undefined;
  }

  private onAge(): void {
    this.timer = undefined;
    if (!this.busy) this.start();
  }

  private onDropsAge(): void {
    this.dropsTimer = undefined;
    // A commit under way may have taken them already; one that has not is followed by the next.
    if (!this.options.drops.pending) return;
    if (this.busy) this.dropsTimer = setTimeout(() => this.onDropsAge(), DROPS_MAX_AGE_MS);
    else this.start();
  }

  private start(): void {
    this.busy = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.run().catch((error: unknown) => this.listener.failed(error));
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const batch = this.next ?? this.takeBatch();
      this.next = undefined;
      if (!batch) break;
      const committed = this.options.commit(batch);
      if (this.isFull()) this.lookAhead();
      await committed;
      this.listener.committed(batch);
      if (!this.ended && !this.next && !this.isDue()) break;
    }
    this.busy = false;
    if (this.stopped) return;
    if (this.ended) {
      if (this.options.buffer.messages > 0 || this.options.drops.pending) this.start();
      else if (this.inputFailure) this.listener.failed(this.inputFailure.error);
      else this.listener.drained();
    } else if (this.options.buffer.oldestAt !== undefined) {
      this.timer ??= setTimeout(() => this.onAge(), this.ageLeftMs());
    }
  }

  /** A whole batch waits: what it will be made of is settled, and so it may be prepared. */
  private lookAhead(): void {
    const { upcoming } = this.options;
    if (!upcoming || this.next || this.stopped) return;
    this.next = this.takeBatch();
    if (this.next) upcoming(this.next);
  }

  private isFull(): boolean {
    const { buffer, limits } = this.options;
    return buffer.bytes >= limits.maxBytes || buffer.messages >= limits.maxCount;
  }

  private isDue(): boolean {
    if (this.options.buffer.oldestAt === undefined) return false;
    return this.isFull() || this.ageLeftMs() <= 0;
  }

  private ageLeftMs(): number {
    if (this.options.buffer.oldestAt === undefined) return this.options.limits.maxAgeMs;
    return (
      this.options.limits.maxAgeMs -
      Number(this.options.clock.monotonic() - this.options.buffer.oldestAt) / 1e6
    );
  }

  private takeBatch(): Batch | undefined {
    const { buffer, drops, limits, clock } = this.options;
    const messages: Message[] = [];
    let bytes = 0;
    while (messages.length < limits.maxCount && bytes < limits.maxBytes) {
      const message = buffer.shift();
      if (!message) break;
      messages.push(message);
      bytes += message.data.byteLength;
    }
    const gaps = drops.take();
    if (messages.length === 0 && gaps.length === 0) {
      this.options.buffer.oldestAt = undefined;
      return undefined;
    }
    const oldestAt = this.options.buffer.oldestAt ?? clock.monotonic();
    // What stays behind may be as old as what was taken; claiming so keeps the loss window honest.
    if (buffer.messages === 0) this.options.buffer.oldestAt = undefined;
    return { messages, gaps, bytes, oldestAt };
  }
}
