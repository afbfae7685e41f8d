import { NumberSet } from '../core/number-set.js';

/** Numberings remembered; the one whose last message is longest ago is forgotten first. */
const MAX_NUMBERINGS = 16;

/** Named numberings and which of their numbers are in the recording; bounded. */
export class SeenNumbers {
  private readonly sets = new Map<string, NumberSet>();

  /** @param seen as {@link toJson} gave it; what is damaged counts as never seen */
  constructor(seen: Readonly<Record<string, string>> = {}) {
    for (const [numbering, text] of Object.entries(seen)) {
      const set = NumberSet.decode(text);
      if (set) this.sets.set(numbering, set);
    }
  }

  has(numbering: string, number: number): boolean {
    return this.sets.get(numbering)?.has(number) ?? false;
  }

  addAll(numbering: string, numbers: Iterable<number> | NumberSet): void {
    const set = this.sets.get(numbering) ?? new NumberSet();
    // The order of a Map is that of insertion: the last one in use is the last to go.
    this.sets.delete(numbering);
    this.sets.set(numbering, set);
    if (numbers instanceof NumberSet) set.addAll(numbers);
    else for (const number of numbers) set.add(number);
    if (this.sets.size > MAX_NUMBERINGS) this.sets.delete(this.sets.keys().next().value!);
  }

  merge(other: SeenNumbers): void {
    for (const [numbering, set] of other.sets) this.addAll(numbering, set);
  }

  /** By numbering, the last one in use last. */
  toJson(): Record<string, string> {
    return Object.fromEntries([...this.sets].map(([numbering, set]) => [numbering, set.encode()]));
  }
}

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
