import type { MessageDefinition } from '../../sources/logger/field.js';
import { SampleEncoder } from '../../sources/logger/encode-sample.js';
import type { RingWriter } from '../../sources/logger/ring.js';
import type { LogChannel } from './log-channel.js';
import { ThreadNumber } from './logger-protocol.js';
import type { QueueStats } from './logger-stats.js';

/** One log of one logger: its queue, and the way into it. */
export class OpenLog implements LogChannel<unknown> {
  isOpen = true;
  private readonly encoder: SampleEncoder;

  constructor(
    readonly name: string,
    readonly definition: MessageDefinition,
    readonly ring: RingWriter,
    private readonly numbers: Float64Array,
  ) {
    this.encoder = new SampleEncoder(ring, definition);
  }

  log(sample: unknown): boolean {
    if (!this.isOpen) return this.refuse('the logger is closed');
    return this.encoder.write(sample, this.nowUs());
  }

  /** Counts an entry that is not even read. */
  refuse(problem: string): false {
    return this.encoder.refuse(problem, this.nowUs());
  }

  /** Why the latest entry that was refused was. */
  get lastRejection(): string | undefined {
    return this.encoder.problem === '' ? undefined : this.encoder.problem;
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

  /** Microseconds since the Unix epoch: a clock that is read in 40 ns, kept at the wall clock by the thread. */
  private nowUs(): number {
    return Math.round((performance.now() + this.numbers[ThreadNumber.wallOffsetMs]!) * 1e3);
  }
}
