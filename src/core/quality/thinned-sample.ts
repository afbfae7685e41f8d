/**
 * A bounded, even sample of many values, for quantiles: all of them up to the bound, then every second, every
 * fourth, ... value. The same values always give the same sample.
 */
export class ThinnedSample {
  #values: number[] = [];
  #stride = 1;
  #skip = 0;

  /** @param max number of values kept; even */
  constructor(readonly max: number) {}

  add(value: number): void {
    if (this.#skip > 0) {
      this.#skip--;
      return;
    }
    if (this.#values.length === this.max) {
      this.#values = this.#values.filter((_, index) => index % 2 === 0);
      this.#stride *= 2;
    }
    this.#values.push(value);
    this.#skip = this.#stride - 1;
  }

  get kept(): number {
    return this.#values.length;
  }

  /** @param share 0.5 is the median (the lower one of two); undefined if there are no values */
  quantile(share: number): number | undefined {
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  }
}
