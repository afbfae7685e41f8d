import { NumberSet } from './number-set.js';
import { present } from './present.js';

/** Maximum number of numberings; the one whose last message is oldest is forgotten first. */
const MAX_NUMBERINGS = 16;

/** Which numbers of which numbering are in the recording; bounded. */
export class SeenNumbers {
  readonly #sets = new Map<string, NumberSet>();

  /** @param seen the result of {@link toJson}; damaged parts count as never seen */
  constructor(seen: Readonly<Record<string, string>> = {}) {
    for (const [numbering, text] of Object.entries(seen)) {
      const set = NumberSet.decode(text);
      if (set) this.#sets.set(numbering, set);
    }
  }

  has(numbering: string, number: number): boolean {
    return this.#sets.get(numbering)?.has(number) ?? false;
  }

  /** How many numbers from `first` to `last` (inclusive) were seen. */
  countIn(numbering: string, first: number, last: number): number {
    return this.#sets.get(numbering)?.countIn(first, last) ?? 0;
  }

  /** Adds a number; returns false if it was there. */
  add(numbering: string, number: number): boolean {
    const set = this.#sets.get(numbering);
    if (set === undefined) this.addAll(numbering, [number]);
    else if (set.has(number)) return false;
    else set.add(number);
    return true;
  }

  addAll(numbering: string, numbers: Iterable<number> | NumberSet): void {
    const set = this.#sets.get(numbering) ?? new NumberSet();
    // A Map keeps insertion order, so the most recently used numbering is the last to be forgotten.
    this.#sets.delete(numbering);
    this.#sets.set(numbering, set);
    if (numbers instanceof NumberSet) set.addAll(numbers);
    else for (const number of numbers) set.add(number);
    if (this.#sets.size > MAX_NUMBERINGS) this.#sets.delete(present(this.#sets.keys().next().value));
  }

  merge(other: SeenNumbers): void {
    for (const [numbering, set] of other.#sets) this.addAll(numbering, set);
  }

  /** By numbering, the most recently used last. */
  toJson(): Record<string, string> {
    return Object.fromEntries([...this.#sets].map(([numbering, set]) => [numbering, set.encode()]));
  }
}
