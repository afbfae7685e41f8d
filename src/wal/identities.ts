import type { SeenNumbers } from '../core/seen-numbers.js';

/** `new`: record it. `pending`: it is on its way to the disk already. `durable`: it is in the recording. */
export type Admission = 'new' | 'pending' | 'durable';

/**
 * Which messages whose numbers identify them (`Channel.numberedIn`) are in the recording, also by earlier
 * processes, and which are on their way into it: each is recorded once, however often it is delivered.
 */
export class Identities {
  private readonly pending = new Map<string, Set<number>>();

  constructor(private readonly durable: SeenNumbers) {}

  /** Asks for a message; where it is `new`, it is pending from now on. */
  admit(numbering: string, number: number): Admission {
    if (this.durable.has(numbering, number)) return 'durable';
    let pending = this.pending.get(numbering);
    if (!pending) this.pending.set(numbering, (pending = new Set()));
    if (pending.has(number)) return 'pending';
    pending.add(number);
    return 'new';
  }

  /** They became durable. */
  settle(numbering: string, numbers: readonly number[]): void {
    this.durable.addAll(numbering, numbers);
    this.release(numbering, numbers);
  }

  /** They will not be recorded for now: when they are delivered again, they are new. */
  release(numbering: string, numbers: readonly number[]): void {
    const pending = this.pending.get(numbering);
    if (!pending) return;
    for (const number of numbers) pending.delete(number);
    if (pending.size === 0) this.pending.delete(numbering);
  }

  /** The durable ones, for the head. */
  toJson(): Record<string, string> {
    return this.durable.toJson();
  }
}
