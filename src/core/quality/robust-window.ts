/** Scales the median absolute deviation to the standard deviation of normally distributed values. */
const MAD_TO_SIGMA = 1.4826;
/** The same for the mean absolute deviation: the square root of pi / 2. */
const MEAN_TO_SIGMA = 1.253314;
/** Substitute for a deviation of zero: this fraction of the median. */
const FLAT_SHARE = 0.01;

/**
 * The last values of a quantity, and the distance of a new value from them: the robust z-score, which
 * outliers do not distort. After Iglewicz and Hoaglin, How to Detect and Handle Outliers (ASQC, 1993).
 */
export class RobustWindow {
  readonly #ring: Float64Array;
  /** The same values in order. */
  readonly #sorted: Float64Array;
  #count = 0;
  #next = 0;

  /** @param size number of values remembered */
  constructor(size: number) {
    this.#ring = new Float64Array(size);
    this.#sorted = new Float64Array(size);
  }

  get count(): number {
    return this.#count;
  }

  /** Remembers a value and forgets the oldest. NaN and infinities are not remembered. */
  add(value: number): void {
    if (!Number.isFinite(value)) return;
    if (this.#count === this.#ring.length) this.#take(this.#ring[this.#next]!);
    this.#insert(value);
    this.#ring[this.#next] = value;
    this.#next = (this.#next + 1) % this.#ring.length;
  }

  /** Undefined if no value is remembered. */
  median(): number | undefined {
    const n = this.#count;
    if (n === 0) return undefined;
    const half = n >> 1;
    return n % 2 === 1 ? this.#sorted[half]! : middle(this.#sorted[half - 1]!, this.#sorted[half]!);
  }

  /**
   * Distance from the median in deviations, 0 or more. The deviation is the median absolute deviation. If
   * more than half of the values are equal, it is the mean absolute deviation; if all are equal, 1 % of the
   * median. Undefined if no value is remembered, or only zeros.
   */
  score(value: number): number | undefined {
    const median = this.median();
    if (median === undefined) return undefined;
    const scale = this.#deviation(median);
    return scale === 0 ? undefined : Math.abs(value - median) / scale;
  }

  #deviation(median: number): number {
    const mad = this.#medianDistance(median);
    if (mad > 0) return MAD_TO_SIGMA * mad;
    let sum = 0;
    for (let i = 0; i < this.#count; i++) sum += Math.abs(this.#sorted[i]! - median);
    return sum > 0 ? (MEAN_TO_SIGMA * sum) / this.#count : FLAT_SHARE * Math.abs(median);
  }

  /** Distances grow on both sides of the median: the two halves are merged up to their middle. */
  #medianDistance(median: number): number {
    const n = this.#count;
    let right = this.#rank(median);
    let left = right - 1;
    let before = 0;
    let at = 0;
    for (let taken = 0; taken <= n >> 1; taken++) {
      before = at;
      const down = left >= 0 ? median - this.#sorted[left]! : Infinity;
      const up = right < n ? this.#sorted[right]! - median : Infinity;
      if (down <= up) {
        at = down;
        left--;
      } else {
        at = up;
        right++;
      }
    }
    return n % 2 === 1 ? at : middle(before, at);
  }

  /** Number of smaller values. */
  #rank(value: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const at = (low + high) >> 1;
      if (this.#sorted[at]! < value) low = at + 1;
      else high = at;
    }
    return low;
  }

  #insert(value: number): void {
    const at = this.#rank(value);
    this.#sorted.copyWithin(at + 1, at, this.#count);
    this.#sorted[at] = value;
    this.#count++;
  }

  #take(value: number): void {
    const at = this.#rank(value);
    this.#sorted.copyWithin(at, at + 1, this.#count);
    this.#count--;
  }
}

function middle(a: number, b: number): number {
  return a / 2 + b / 2;
}
