import type { MessageDefinition } from '../core/ros/message-definition.js';
import { SampleEncoder } from './source/encode-sample.js';
import type { RingWriter } from './source/ring.js';
import type { LogChannel } from './log-channel.js';
import { ThreadNumber } from './logger-protocol.js';
import type { QueueStats } from './logger-stats.js';
import { processMs } from '../host/system-clock.js';

/** One log of one logger: its queue and its encoder. */
export class OpenLog implements LogChannel<unknown> {
  isOpen = true;
  readonly #encoder: SampleEncoder;

  readonly #numbers: Float64Array;

  constructor(
    readonly name: string,
    readonly definition: MessageDefinition,
    readonly ring: RingWriter,
    numbers: Float64Array,
  ) {
    this.#numbers = numbers;
    this.#encoder = new SampleEncoder(ring, definition);
  }

  log(sample: unknown): boolean {
    if (!this.isOpen) return this.refuse('the logger is closed');
    return this.#encoder.write(sample, this.#nowUs());
  }

  /** Counts an entry that is not even read. */
  refuse(problem: string): false {
    return this.#encoder.refuse(problem, this.#nowUs());
  }

  /** Why the latest entry was rejected. */
  get lastRejection(): string | undefined {
    return this.#encoder.problem === '' ? undefined : this.#encoder.problem;
  }

  stats(): QueueStats {
    const { ring } = this;
    return {
      entries: ring.entries,
      limit: ring.limit,
      bytes: ring.usedBytes,
      capacityBytes: ring.capacity,
      logged: ring.count('logged'),
      dropped: ring.count('dropped'),
      rejected: ring.count('rejected'),
      lastRejection: this.lastRejection,
      notFinite: ring.count('notFinite'),
    };
  }

  /**
   * Microseconds since the Unix epoch: a clock that is read in 40 ns, which the thread adjusts to the wall
   * clock.
   */
  #nowUs(): number {
    return Math.round((processMs() + this.#numbers[ThreadNumber.wallOffsetMs]!) * 1e3);
  }
}
