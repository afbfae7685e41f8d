import type { Logger } from '../core/logger.js';
import type { Encodable } from './encode-failure.js';

const CLAMPED_TOLD_EVERY_NS = 60_000_000_000n;
/** Topics of invalid messages that are named. */
const TOPICS_TOLD = 10;

/** Says in the log what a commit could not keep as it was. */
export class CommitWarnings {
  /** Messages with clamped times that were not reported yet. */
  #clamped = 0;
  #clampedToldAt: bigint | undefined;

  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  invalid({ left, reason }: Encodable): void {
    const topics = [...new Set(left.map(({ channel }) => channel.topic))].slice(0, TOPICS_TOLD);
    this.#logger.error('messages cannot be encoded; they are dropped and counted as invalid_message', {
      messages: left.length,
      topics,
      reason,
    });
  }

  /** Once per minute: a clock or a publisher far off says so with every message. */
  clamped(messages: number, now: bigint): void {
    this.#clamped += messages;
    if (this.#clampedToldAt !== undefined && now - this.#clampedToldAt < CLAMPED_TOLD_EVERY_NS) return;
    this.#clampedToldAt = now;
    this.#logger.warn('times before 1970 or after 2262 are recorded as the nearest valid time', {
      messages: this.#clamped,
    });
    this.#clamped = 0;
  }
}
