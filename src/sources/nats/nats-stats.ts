import { DurationHistogram } from '../../core/duration-histogram.js';
import type { SourceStats } from '../../core/source.js';

/** From delivery to acknowledgement: filling a batch, its fsync, and waiting for the disk. */
const BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000];

/** Counts the events between one source and its server. */
export class NatsStats {
  redelivered = 0;
  deadLetters = 0;
  deadLetterFailures = 0;
  connections = 0;
  /** Number of deliveries that wait for their commit. */
  unacknowledged: () => number = () => 0;
  readonly #lag = new Map<string, number>();
  readonly #durations = new DurationHistogram(BOUNDS_MS);

  acknowledged(durationMs: number): void {
    this.#durations.add(durationMs);
  }

  /** Messages that a consumer has not delivered to any recorder. */
  pending(consumer: string, messages: number): void {
    if (Number.isSafeInteger(messages) && messages >= 0) this.#lag.set(consumer, messages);
  }

  toJson(): SourceStats {
    const acknowledgeDurations = this.#durations.toJson();
    return {
      ...(this.#lag.size === 0
        ? {}
        : { lagMessages: [...this.#lag.values()].reduce((sum, one) => sum + one, 0) }),
      unacknowledgedMessages: this.unacknowledged(),
      acknowledgedMessages: acknowledgeDurations.count,
      redeliveredMessages: this.redelivered,
      deadLetters: this.deadLetters,
      deadLetterFailures: this.deadLetterFailures,
      connections: this.connections,
      acknowledgeDurations,
    };
  }
}
