import type { Logger } from '../core/logger.js';
import type { Encodable } from './encode-failure.js';

const CLAMPED_TOLD_EVERY_NS = 60_000_000_000n;
/** Topics of invalid messages that are named. */
const TOPICS_TOLD = 10;

/** Logs what a commit had to change or leave out. */
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

  /** At most once per minute, because every message of a wrong clock or publisher causes it. */
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
