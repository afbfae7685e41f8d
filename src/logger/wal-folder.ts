import { describeError, HoldfastError, isHoldfastError } from '../core/errors.js';
import { InProcessSource } from './source/in-process-source.js';
import type { RingEntry } from './source/ring.js';
import type { Recorder } from '../recorder/recorder.js';
import type { SystemPorts } from '../host/ports.js';
import {
  PendingGaps,
  type DrainedChannel,
  type EntryGap,
  type EntrySink,
  type SinkFolder,
} from './entry-sink.js';
import { recorderOptions, type CompiledWal } from './logger-options.js';
import type { SinkState } from './logger-protocol.js';

/** Delay of the next attempt when the folder could not be taken; it doubles up to the second value. */
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
const POLL_MS = 5;

export interface WalFolderListener {
  problem(error: HoldfastError, loggerIds: readonly number[]): void;
  changed(loggerIds: readonly number[]): void;
}

/** The messages of one channel, on their way into the recording. */
class WalSink implements EntrySink {
  readonly gaps = new PendingGaps();
  readonly #waiting: RingEntry[] = [];
  /** Passed to the recorder and not durable yet. */
  #outstanding = 0;
  readonly #acknowledge = (): void => {
    this.#outstanding--;
    this.channel.ring.add('walWritten', 1);
  };

  readonly #source: InProcessSource;

  constructor(
    readonly loggerId: number,
    readonly channel: DrainedChannel,
    source: InProcessSource,
  ) {
    this.#source = source;
  }

  /**
   * As many entries as the ring holds may wait here too, so that opening a folder or a short stall loses
   * nothing.
   */
  get canTake(): boolean {
    return this.#waiting.length < this.channel.queueEntries;
  }

  get isEmpty(): boolean {
    return this.#outstanding === 0 && this.#waiting.length === 0 && this.gaps.isEmpty;
  }

  /** Number of entries that were accepted and are not durable. */
  get unwritten(): number {
    return this.#outstanding + this.#waiting.length;
  }

  take(entry: RingEntry): void {
    this.#waiting.push(entry);
    this.hand();
  }

  /** Passes entries to the recorder until it accepts no more. */
  hand(): void {
    const waiting = this.#waiting;
    const source = this.#source;
    let given = 0;
    while (given < waiting.length && source.canTake) {
      const { receivedUs, data } = waiting[given++]!;
      this.#outstanding++;
      source.send(this.channel.topic, data, nanoseconds(receivedUs), this.#acknowledge);
    }
    if (given > 0) waiting.splice(0, given);
    if (waiting.length === 0 && source.isOpen) this.#tellGaps();
  }

  lose({ receivedUs }: RingEntry): void {
    this.channel.ring.add('walLost', 1);
    this.gap({ reason: 'queue_full_drop_newest', count: 1, firstUs: receivedUs, lastUs: receivedUs });
  }

  gap(gap: EntryGap): void {
    this.gaps.add(this.channel.name, gap);
  }

  #tellGaps(): void {
    for (const [, { firstUs, lastUs, ...gap }] of this.gaps.take()) {
      this.#source.gap(this.channel.topic, {
        ...gap,
        firstTime: nanoseconds(firstUs),
        lastTime: nanoseconds(lastUs),
      });
    }
  }
}

/**
 * A recording of the logs of this process: the recorder of `holdfast record`, with a source in the same
 * thread. If the folder cannot be taken now, it is tried again; the rings hold entries until then.
 */
export class WalFolder implements SinkFolder {
  readonly #source: InProcessSource;
  readonly #sinks = new Set<WalSink>();
  #recorder: Recorder | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #retryAt = 0;
  #retryMs = FIRST_RETRY_MS;
  #lastError: string | undefined;

  readonly #options: CompiledWal;
  readonly #ports: SystemPorts;
  readonly #listener: WalFolderListener;
  readonly #monotonicMs: () => number;

  constructor(
    options: CompiledWal,
    ports: SystemPorts,
    listener: WalFolderListener,
    monotonicMs: () => number,
  ) {
    this.#options = options;
    this.#ports = ports;
    this.#listener = listener;
    this.#monotonicMs = monotonicMs;
    this.#source = new InProcessSource('logger:');
  }

  /** The folder is taken. */
  get isHeld(): boolean {
    return this.#recorder !== undefined;
  }

  get state(): SinkState {
    const lastError = this.#lastError;
    const recorder = this.#recorder;
    const closing = this.#closing;
    return {
      folder: this.#options.data,
      state:
        closing !== undefined
          ? 'closed'
          : lastError !== undefined
            ? 'failing'
            : recorder !== undefined
              ? 'open'
              : 'opening',
      lastError,
    };
  }

  attach(loggerId: number, channel: DrainedChannel): EntrySink {
    const sink = new WalSink(loggerId, channel, this.#source);
    this.#sinks.add(sink);
    return sink;
  }

  tick(now: number): void {
    if (this.#closing) return;
    if (this.#recorder === undefined) {
      if (this.#opening || now < this.#retryAt) return;
      this.#opening = this.#open().finally(() => (this.#opening = undefined));
      return;
    }
    for (const sink of this.#sinks) sink.hand();
  }

  async detach(loggerId: number, withinMs: number): Promise<void> {
    const until = this.#monotonicMs() + withinMs;
    const mine = [...this.#sinks].filter((sink) => sink.loggerId === loggerId);
    const isDone = (): boolean => mine.every((sink) => sink.isEmpty);
    while (!isDone() && this.#monotonicMs() < until) await this.#ports.clock.sleep(POLL_MS);
    for (const sink of mine) {
      sink.channel.ring.add('walLost', sink.unwritten);
      this.#sinks.delete(sink);
    }
  }

  close(withinMs: number): Promise<void> {
    this.#closing ??= (async () => {
      await this.#opening;
      const closed = this.#recorder?.close().catch((error: unknown) => this.#failed(error));
      await Promise.race([closed, this.#ports.clock.sleep(withinMs)]);
      this.#recorder = undefined;
    })();
    return this.#closing;
  }

  async #open(): Promise<void> {
    try {
      // Loaded when it is needed, so that the thread empties the queues into memory as soon as it runs.
      const { Recorder } = await import('../recorder/recorder.js');
      const recorder = await Recorder.prepare(recorderOptions(this.#options.flags), this.#ports);
      recorder.onEvent((event) => {
        if (event.kind !== 'state') return;
        if (event.reason === undefined) {
          this.#works();
          return;
        }
        const facts = { folder: this.#options.data };
        const problem = `the recording in ${this.#options.data} stalls: ${event.reason}`;
        this.#failed(new HoldfastError('LOGGER_WAL_FAILED', problem, { facts }));
      });
      await recorder.start([{ source: this.#source, robot: '', robotFromNamespace: true }]);
      this.#recorder = recorder;
      this.#retryMs = FIRST_RETRY_MS;
      this.#works();
    } catch (error) {
      this.#retryAt = this.#monotonicMs() + this.#retryMs;
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
      this.#failed(error);
    }
  }

  #works(): void {
    this.#lastError = undefined;
    this.#listener.changed(this.#loggers());
  }

  #failed(error: unknown): void {
    this.#lastError = describeError(error);
    const facts = { folder: this.#options.data };
    const problem = isHoldfastError(error)
      ? error
      : new HoldfastError('LOGGER_WAL_FAILED', this.#lastError, { facts });
    this.#listener.problem(problem, this.#loggers());
    this.#listener.changed(this.#loggers());
  }

  #loggers(): number[] {
    return [...new Set([...this.#sinks].map(({ loggerId }) => loggerId))];
  }
}

function nanoseconds(us: number): bigint {
  return BigInt(us) * 1_000n;
}
