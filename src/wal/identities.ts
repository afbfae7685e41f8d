import type { SeenNumbers } from '../core/seen-numbers.js';

/** `new`: record it. `pending`: it is on its way to the disk. `durable`: it is in the recording. */
export type Admission = 'new' | 'pending' | 'durable';

/**
 * Which messages with identifying numbers (`Channel.numberedIn`) are in the recording, including those of
 * earlier processes, and which are on their way into it. Each is recorded once, even if it is delivered
 * several times.
 */
export class Identities {
  readonly #pending = new Map<string, Set<number>>();

  readonly #durable: SeenNumbers;

  constructor(durable: SeenNumbers) {
    this.#durable = durable;
  }

  /** Looks a message up; if it is `new`, it becomes pending. */
  admit(numbering: string, number: number): Admission {
    if (this.#durable.has(numbering, number)) return 'durable';
    let pending = this.#pending.get(numbering);
    if (!pending) this.#pending.set(numbering, (pending = new Set()));
    if (pending.has(number)) return 'pending';
    pending.add(number);
    return 'new';
  }

  /** How many of these numbers (inclusive) are in the recording. */
  durableIn(numbering: string, first: number, last: number): number {
    return this.#durable.countIn(numbering, first, last);
  }

  /** They became durable. */
  settle(numbering: string, numbers: readonly number[]): void {
    this.#durable.addAll(numbering, numbers);
    this.release(numbering, numbers);
  }

  /** They will not be recorded now: they are new when they are delivered again. */
  release(numbering: string, numbers: readonly number[]): void {
    const pending = this.#pending.get(numbering);
    if (!pending) return;
    for (const number of numbers) pending.delete(number);
    if (pending.size === 0) this.#pending.delete(numbering);
  }

  /** The durable numbers, for the head. */
  toJson(): Record<string, string> {
    return this.#durable.toJson();
  }
}
