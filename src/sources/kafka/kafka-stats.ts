import { DurationHistogram } from '../../core/duration-histogram.js';
import type { SourceStats } from '../../core/source.js';

/** From receipt to acknowledgement: filling a batch, its fsync, and waiting for the disk. */
const BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000];

/** Counts the events between one source and its cluster. */
export class KafkaStats {
  connections = 0;
  /** Messages that were fetched again. */
  redelivered = 0;
  /** Number of messages that wait for their commit. */
  unacknowledged: () => number = () => 0;
  /** Partition -> messages that were not fetched. */
  readonly #lag = new Map<string, number>();
  readonly #durations = new DurationHistogram(BOUNDS_MS);

  acknowledged(durationMs: number): void {
    this.#durations.add(durationMs);
  }

  lag(partition: string, messages: number): void {
    this.#lag.set(partition, Math.max(0, messages));
  }

  /** Other recorders read the other partitions. */
  keepOnly(partitions: ReadonlySet<string>): void {
    for (const one of [...this.#lag.keys()]) if (!partitions.has(one)) this.#lag.delete(one);
  }

  toJson(): SourceStats {
    const acknowledgeDurations = this.#durations.toJson();
    return {
      ...(this.#lag.size > 0 && { lagMessages: [...this.#lag.values()].reduce((sum, one) => sum + one, 0) }),
      unacknowledgedMessages: this.unacknowledged(),
      acknowledgedMessages: acknowledgeDurations.count,
      redeliveredMessages: this.redelivered,
      connections: this.connections,
      acknowledgeDurations,
    };
  }
}
