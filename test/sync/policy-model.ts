/**
 * The send policy once more, as a plain model of one sink: segments are lists of part sizes, conditions are a
 * boolean. It shares no code with the engine.
 */
export class PolicyModel {
  /** Names of the segments that are sent completely. */
  readonly done = new Set<string>();
  readonly spent = new Map<string, number>();
  readonly #waiting: { readonly name: string; readonly parts: number[]; readonly passes: boolean }[] = [];
  readonly #budget: number;

  /** @param budget - Bytes per day; 0: any number. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Parts that were sent of a segment that is not complete. */
  get unsent(): readonly { readonly name: string; readonly parts: readonly number[] }[] {
    return this.#waiting;
  }

  add(name: string, bytes: number, partBytes: number, passes: boolean): void {
    const parts: number[] = [];
    for (let left = bytes; left > 0; left -= partBytes) parts.push(Math.min(left, partBytes));
    this.#waiting.push({ name, parts, passes });
  }

  /** Sends what may be sent now, oldest first. */
  settle(day: string, isMet: boolean): void {
    let isOpen = isMet;
    for (const segment of [...this.#waiting]) {
      while (segment.parts.length > 0) {
        const bytes = segment.parts[0]!;
        const spent = this.spent.get(day) ?? 0;
        const fits = this.#budget === 0 || spent + bytes <= this.#budget;
        // What does not fit ends the day for the rest.
        if (!segment.passes && isOpen && !fits) isOpen = false;
        if (!segment.passes && !isOpen) break;
        segment.parts.shift();
        this.spent.set(day, spent + bytes);
      }
      if (segment.parts.length > 0) continue;
      this.done.add(segment.name);
      this.#waiting.splice(this.#waiting.indexOf(segment), 1);
    }
  }
}
