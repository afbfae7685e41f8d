/** Which of the numbers 1 to n were seen: one bit each, grown as needed. */
export class SequenceSet {
  size = 0;
  #bits = new Uint8Array(1024);

  /** Returns false if it was there already. */
  add(number: number): boolean {
    const index = number >>> 3;
    if (index >= this.#bits.length) {
      const bigger = new Uint8Array(Math.max(this.#bits.length * 2, index + 1));
      bigger.set(this.#bits);
      this.#bits = bigger;
    }
    const mask = 1 << (number & 7);
    if (((this.#bits[index] as number) & mask) !== 0) return false;
    this.#bits[index] = (this.#bits[index] as number) | mask;
    this.size++;
    return true;
  }

  has(number: number): boolean {
    return ((this.#bits[number >>> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }
}
