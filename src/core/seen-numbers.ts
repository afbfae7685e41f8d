import { NumberSet } from './number-set.js';

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

  /** Adds one; false: it was there. */
  add(numbering: string, number: number): boolean {
    const set = this.sets.get(numbering);
    if (set === undefined) this.addAll(numbering, [number]);
    else if (set.has(number)) return false;
    else set.add(number);
    return true;
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
