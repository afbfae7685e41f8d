/** Bins per doubling: quantiles are right within 1.1 %. */
const PER_OCTAVE = 64;
/** From 2^-10 (a millionth of a second, when values are milliseconds) ... */
const LOWEST = -10;
/** ... to 2^44: five hundred years of milliseconds. */
const HIGHEST = 44;
const BINS = (HIGHEST - LOWEST) * PER_OCTAVE;

/** A histogram in bounded memory: bins whose width grows with the value, for both signs. */
export class ValueHistogram {
  #positive: Uint32Array | undefined;
  #negative: Uint32Array | undefined;
  #near = 0;
  count = 0;
  min = Infinity;
  max = -Infinity;

  add(value: number): void {
    this.count++;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    const size = Math.abs(value);
    const bin = Math.floor((Math.log2(size) - LOWEST) * PER_OCTAVE);
    if (!(bin >= 0)) {
      this.#near++;
      return;
    }
    const bins =
      value > 0 ? (this.#positive ??= new Uint32Array(BINS)) : (this.#negative ??= new Uint32Array(BINS));
    bins[Math.min(bin, BINS - 1)]!++;
  }

  /** The value that this share of all values does not exceed, within the width of a bin; NaN without values. */
  quantile(share: number): number {
    if (this.count === 0) return NaN;
    const wanted = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (const [value, count] of this.#ascending()) {
      seen += count;
      if (seen >= wanted) return Math.min(this.max, Math.max(this.min, value));
    }
    return this.max;
  }

  /** Mean of the values up to a limit; NaN if there are none. */
  meanUpTo(limit: number): number {
    let [sum, count] = [0, 0];
    for (const [value, many] of this.#ascending()) {
      if (value > limit) break;
      sum += value * many;
      count += many;
    }
    return count === 0 ? NaN : sum / count;
  }

  /** Values in equally wide bins between two bounds; values outside go into the first and the last. */
  bins(from: number, to: number, count: number): number[] {
    const bins = Array.from({ length: count }, () => 0);
    for (const [value, many] of this.#ascending()) {
      const bin = Math.floor(((value - from) / (to - from)) * count);
      bins[Math.max(0, Math.min(count - 1, bin))]! += many;
    }
    return bins;
  }

  *#ascending(): Generator<readonly [value: number, count: number], void, void> {
    const negative = this.#negative ?? [];
    for (let i = negative.length - 1; i >= 0; i--) if (negative[i]! > 0) yield [-middle(i), negative[i]!];
    if (this.#near > 0) yield [0, this.#near];
    const positive = this.#positive ?? [];
    for (let i = 0; i < positive.length; i++) if (positive[i]! > 0) yield [middle(i), positive[i]!];
  }
}

function middle(bin: number): number {
  return 2 ** (LOWEST + (bin + 0.5) / PER_OCTAVE);
}
