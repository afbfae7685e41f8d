/** A longer pause in a log counts as a changed clock. */
export const MAX_PAUSE_NS = 3_600_000_000_000n;
/** Time between two rows if the log has no times. */
const DEFAULT_STEP_NS = 100_000_000n;
const NS_PER_S = 1_000_000_000;

/** When each row of a log is due, from its own times or at a rate; never backwards, and never a day later. */
export class Timeline {
  /** Nanoseconds from the first row to the last placed row. */
  elapsedNs = 0n;
  /** Steps of the log's clock backwards, or forwards by more than an hour. */
  jumps = 0;
  #rows = 0;
  #lastNs: bigint | undefined;
  #stepNs = DEFAULT_STEP_NS;
  readonly #ratePerS: number | undefined;

  /** @param ratePerS rows per second; undefined: by their own times. */
  constructor(ratePerS: number | undefined) {
    this.#ratePerS = ratePerS;
  }

  /** The log starts over: its first row follows its last one. */
  repeat(): void {
    this.#lastNs = undefined;
  }

  /** Places the next row; returns the nanoseconds since the previous one. */
  place(timeNs: bigint | undefined): bigint {
    const before = this.elapsedNs;
    const isFirst = this.#rows++ === 0;
    if (this.#ratePerS !== undefined) {
      this.elapsedNs = BigInt(Math.round(((this.#rows - 1) / this.#ratePerS) * NS_PER_S));
    } else if (!isFirst) this.elapsedNs += this.#stepTo(timeNs);
    this.#lastNs = timeNs;
    return this.elapsedNs - before;
  }

  #stepTo(timeNs: bigint | undefined): bigint {
    if (timeNs === undefined || this.#lastNs === undefined) return this.#stepNs;
    const step = timeNs - this.#lastNs;
    if (step < 0n || step > MAX_PAUSE_NS) {
      this.jumps++;
      return this.#stepNs;
    }
    if (step > 0n) this.#stepNs = step;
    return step;
  }
}
