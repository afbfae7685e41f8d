import { present } from '../../core/present.js';
/** Maximum number of silences per topic. */
export const LONGEST_MAX = 100;

export interface Interval {
  readonly ms: number;
  /** Log time of the message that ended it. */
  readonly end: bigint;
}

/** The longest intervals between messages: which of them are silences is known only after all were seen. */
export class LongestIntervals {
  #kept: Interval[] = [];
  /** Shorter ones need not be kept. */
  #least = 0;

  add(ms: number, end: bigint): void {
    if (ms <= this.#least) return;
    this.#kept.push({ ms, end });
    // Sorted now and then: on average a message costs one comparison.
    if (this.#kept.length < 2 * LONGEST_MAX) return;
    this.#kept = this.list();
    this.#least = present(this.#kept.at(-1)).ms;
  }

  /** Longest first. */
  list(): Interval[] {
    return [...this.#kept].sort((a, b) => b.ms - a.ms || (a.end < b.end ? -1 : 1)).slice(0, LONGEST_MAX);
  }
}
