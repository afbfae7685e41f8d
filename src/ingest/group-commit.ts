import { Observable, type OperatorFunction } from 'rxjs';
import type { Clock, Timer } from '../core/clock.js';
import type { Listen } from '../core/listen.js';
import type { Message } from '../core/message.js';
import { bytesOfOther, type RobotRecord } from '../core/other-record.js';
import type { SourceGap, SourceRecord } from '../core/source.js';
import type { Batch, BatchLimits } from './batch.js';
import type { DropLedger } from './drop-ledger.js';
import type { Uncommitted } from './give-up.js';
import type { IngestBuffer } from './ingest-buffer.js';

export interface GroupCommitOptions {
  readonly buffer: IngestBuffer;
  readonly drops: DropLedger;
  /** Read each time, because they may change. */
  readonly limits: BatchLimits;
  /** Emits when the limits changed, so that waiting messages are judged by the new ones. */
  readonly onLimits?: Listen<void>;
  readonly clock: Clock;
  /** Writes one batch; called again only after it has settled. After a rejection, `giveUp` is called. */
  readonly commit: (batch: Batch) => Promise<void>;
  /** Receives a batch that is full before the present commit has settled: it is the next argument of `commit`. */
  readonly upcoming?: (batch: Batch) => void;
  /**
   * Called if `commit` has rejected, with everything that was taken in and is not committed. Resolves with a batch
   * that accounts for all of it and is durable; the stream emits it and completes. If it rejects, or is absent, the
   * stream ends with the error of `commit`.
   */
  readonly giveUp?: (left: Uncommitted) => Promise<Batch>;
}

/**
 * Adaptive group commit. While one commit is in flight, the next batch fills in the bounded buffer, so the
 * batch size follows the speed of the disk. It emits every committed batch. If the input completes or fails,
 * the rest is committed first. RxJS has no backpressure: Observables end at this operator, and the buffer's
 * policies act if the disk is slower than the input.
 */
export function groupCommit(
  options: GroupCommitOptions,
): OperatorFunction<Message | SourceGap | SourceRecord, Batch> {
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
 * How long drops wait for a message to be committed with. If no message comes (paused, or all refused), they
 * get their own commit, because a kill must not lose the gap.
 */
const DROPS_MAX_AGE_MS = 1000;

interface Listener {
  committed(batch: Batch): void;
  failed(error: unknown): void;
  drained(): void;
}

class GroupCommitter {
  #timer: Timer | undefined;
  #dropsTimer: Timer | undefined;
  #busy = false;
  /** The batch whose commit is under way. */
  #present: Batch | undefined;
  /** Taken out of the buffer; committed as soon as the present commit has settled. */
  #next: Batch | undefined;
  #ended = false;
  #inputFailure: { readonly error: unknown } | undefined;
  #stopped = false;
  #others: RobotRecord[] = [];

  readonly #options: GroupCommitOptions;
  readonly #listener: Listener;

  constructor(options: GroupCommitOptions, listener: Listener) {
    this.#options = options;
    this.#listener = listener;
    const onPending = (): void => {
      this.#dropsTimer ??= this.#options.clock.after(DROPS_MAX_AGE_MS, () => this.#onDropsAge());
    };
    options.drops.onPending = onPending;
    // An earlier stream may have left gaps that the disk refused.
    if (options.drops.pending) onPending();
  }

  push(event: Message | SourceGap | SourceRecord): void {
    const { buffer, drops, limits, clock } = this.#options;
    if (event.kind === 'message') buffer.push(event);
    else if (event.kind === 'gap') drops.add(event.gap);
    else this.#pushOther(event);
    if (this.#options.buffer.oldestAt === undefined) {
      this.#options.buffer.oldestAt = clock.monotonic();
      this.#timer ??= this.#options.clock.after(limits.maxAgeMs, () => this.#onAge());
    }
    if (!this.#isFull()) return;
    if (this.#busy) this.#lookAhead();
    else this.#start();
  }

  /** It still counts in the buffer's bytes, so that backpressure includes it. */
  #pushOther({ robot, record }: SourceRecord): void {
    this.#others.push({ robot, record });
    this.#options.buffer.bytes += bytesOfOther(record);
  }

  limitsChanged(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#busy || this.#stopped || this.#options.buffer.oldestAt === undefined) return;
    if (this.#isDue()) this.#start();
    else this.#timer = this.#options.clock.after(this.#ageLeftMs(), () => this.#onAge());
  }

  /** No more input; with the error if it failed. */
  end(failure?: { readonly error: unknown }): void {
    this.#ended = true;
    this.#inputFailure = failure;
    if (!this.#busy) this.#start();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#dropsTimer?.cancel();
    this.#options.drops.onPending = undefined;
  }

  #onAge(): void {
    this.#timer = undefined;
    if (!this.#busy) this.#start();
  }

  #onDropsAge(): void {
    this.#dropsTimer = undefined;
    // The present commit may have taken them already; if not, another one follows.
    if (!this.#options.drops.pending) return;
    if (this.#busy) this.#dropsTimer = this.#options.clock.after(DROPS_MAX_AGE_MS, () => this.#onDropsAge());
    else this.#start();
  }

  #start(): void {
    this.#busy = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#run().catch((error: unknown) => this.#giveUp(error));
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const batch = this.#next ?? this.#takeBatch();
      this.#next = undefined;
      if (!batch) break;
      this.#present = batch;
      const committed = this.#options.commit(batch);
      if (this.#isFull()) this.#lookAhead();
      await committed;
      this.#present = undefined;
      this.#listener.committed(batch);
      for (const { lease } of batch.messages) lease?.release();
      if (!this.#ended && (this.#next as Batch | undefined) === undefined && !this.#isDue()) break;
    }
    this.#busy = false;
    if (this.#stopped) return;
    if (this.#ended) {
      const { buffer, drops } = this.#options;
      if (buffer.messages > 0 || drops.pending || this.#others.length > 0) this.#start();
      else if (this.#inputFailure) this.#listener.failed(this.#inputFailure.error);
      else this.#listener.drained();
    } else if (this.#options.buffer.oldestAt !== undefined) {
      this.#timer ??= this.#options.clock.after(this.#ageLeftMs(), () => this.#onAge());
    }
  }

  async #giveUp(error: unknown): Promise<void> {
    if (!(await this.#isAccountedFor())) this.#listener.failed(error);
    else if (this.#inputFailure) this.#listener.failed(this.#inputFailure.error);
    else this.#listener.drained();
  }

  async #isAccountedFor(): Promise<boolean> {
    const { giveUp } = this.#options;
    if (!this.#present || !giveUp || this.#stopped) return false;
    try {
      this.#listener.committed(await giveUp(this.#takeUncommitted()));
      return true;
    } catch {
      return false;
    }
  }

  /** Everything in the order in which it would have been committed. */
  #takeUncommitted(): Uncommitted {
    const batches: Batch[] = [];
    for (let batch = this.#present; batch; batch = this.#next ?? this.#takeBatch()) {
      if (batch === this.#next) this.#next = undefined;
      batches.push(batch);
    }
    this.#present = undefined;
    return {
      messages: batches.flatMap(({ messages }) => messages),
      gaps: batches.flatMap(({ gaps }) => gaps),
      others: batches.flatMap(({ others = [] }) => others),
      oldestAt: batches[0]?.oldestAt ?? this.#options.clock.monotonic(),
    };
  }

  /** A complete batch waits: its content is final, so it may be prepared. */
  #lookAhead(): void {
    const { upcoming } = this.#options;
    if (!upcoming || this.#next || this.#stopped) return;
    this.#next = this.#takeBatch();
    if (this.#next) upcoming(this.#next);
  }

  #isFull(): boolean {
    const { buffer, limits } = this.#options;
    return buffer.bytes >= limits.maxBytes || buffer.messages >= limits.maxCount;
  }

  #isDue(): boolean {
    if (this.#options.buffer.oldestAt === undefined) return false;
    return this.#isFull() || this.#ageLeftMs() <= 0;
  }

  #ageLeftMs(): number {
    if (this.#options.buffer.oldestAt === undefined) return this.#options.limits.maxAgeMs;
    return (
      this.#options.limits.maxAgeMs -
      Number(this.#options.clock.monotonic() - this.#options.buffer.oldestAt) / 1e6
    );
  }

  #takeBatch(): Batch | undefined {
    const { buffer, drops, limits, clock } = this.#options;
    const messages: Message[] = [];
    const others = this.#others;
    this.#others = [];
    let bytes = others.reduce((sum, { record }) => sum + bytesOfOther(record), 0);
    buffer.bytes -= bytes;
    while (messages.length < limits.maxCount && bytes < limits.maxBytes) {
      const message = buffer.shift();
      if (!message) break;
      messages.push(message);
      bytes += message.data.byteLength;
    }
    const gaps = drops.take();
    if (messages.length === 0 && gaps.length === 0 && others.length === 0) {
      this.#options.buffer.oldestAt = undefined;
      return undefined;
    }
    const oldestAt = this.#options.buffer.oldestAt ?? clock.monotonic();
    // The rest may be as old as what was taken; assuming that keeps the loss window honest.
    if (buffer.messages === 0) this.#options.buffer.oldestAt = undefined;
    return { messages, gaps, bytes, oldestAt, ...(others.length > 0 && { others }) };
  }
}
