import { deflateRawSync, inflateRawSync } from 'node:zlib';

/*
 * Bytes before compression: a version (1), then varints. First the number of runs, and for each run the
 * distance of its first block from the last block of the previous run, and its length. Then the number of
 * partial blocks, and for each the distance from the previous one. Then the bits of the partial blocks, 512
 * bytes each.
 */
const VERSION = 1;
const BLOCK_NUMBERS = 4096;
const BLOCK_BYTES = BLOCK_NUMBERS / 8;
/** 4,194,304 numbers with holes, in 512 KiB. */
const MAX_PARTIAL = 1024;
const MAX_RUNS = 1024;
/** Maximum size that {@link NumberSet.decode} unpacks: a damaged text must not allocate more. */
const DECODED_MAX_BYTES = 2 * 1024 * 1024;

interface Run {
  first: number;
  last: number;
}

interface Block {
  readonly bits: Uint8Array;
  count: number;
}

/**
 * A set of mostly rising non-negative whole numbers (up to 2^53 - 1) in bounded memory. A contiguous range
 * costs almost nothing at any length; a range with holes is kept as bits in blocks of 4,096 numbers. Beyond
 * 1,024 such blocks (or 1,024 runs of full ones) the lowest is forgotten. A number in the set was added; a
 * number that is not in the set was never added, or is old.
 */
export class NumberSet {
  readonly #partial = new Map<number, Block>();
  /** Runs of full blocks: ascending, never adjacent. */
  readonly #runs: Run[] = [];

  has(number: number): boolean {
    const block = Math.floor(number / BLOCK_NUMBERS);
    const known = this.#partial.get(block);
    if (known === undefined) return this.#isFull(block);
    const at = number % BLOCK_NUMBERS;
    return (known.bits[at >> 3]! & (1 << (at & 7))) !== 0;
  }

  add(number: number): void {
    const block = Math.floor(number / BLOCK_NUMBERS);
    let known = this.#partial.get(block);
    if (known === undefined) {
      if (this.#isFull(block)) return;
      known = { bits: new Uint8Array(BLOCK_BYTES), count: 0 };
      this.#partial.set(block, known);
      if (this.#partial.size > MAX_PARTIAL) this.#partial.delete(lowest(this.#partial.keys()));
    }
    const at = number % BLOCK_NUMBERS;
    const mask = 1 << (at & 7);
    if ((known.bits[at >> 3]! & mask) !== 0) return;
    known.bits[at >> 3]! |= mask;
    if (++known.count === BLOCK_NUMBERS) {
      this.#partial.delete(block);
      this.#fill(block, block);
    }
  }

  /** How many numbers from `first` to `last` (inclusive) are in the set. */
  countIn(first: number, last: number): number {
    let count = 0;
    for (const run of this.#runs) {
      const from = Math.max(first, run.first * BLOCK_NUMBERS);
      const to = Math.min(last, (run.last + 1) * BLOCK_NUMBERS - 1);
      if (to >= from) count += to - from + 1;
    }
    for (const [block, { bits }] of this.#partial) {
      const start = block * BLOCK_NUMBERS;
      const from = Math.max(first - start, 0);
      const to = Math.min(last - start, BLOCK_NUMBERS - 1);
      for (let at = from; at <= to; at++) if ((bits[at >> 3]! & (1 << (at & 7))) !== 0) count++;
    }
    return count;
  }

  /** Adds all numbers of another set. */
  addAll(other: NumberSet): void {
    for (const { first, last } of other.#runs) {
      for (const block of this.#partial.keys())
        if (block >= first && block <= last) this.#partial.delete(block);
      this.#fill(first, last);
    }
    for (const [block, { bits }] of other.#partial) {
      for (let at = 0; at < BLOCK_NUMBERS; at++) {
        if ((bits[at >> 3]! & (1 << (at & 7))) !== 0) this.add(block * BLOCK_NUMBERS + at);
      }
    }
  }

  /** As text, for {@link decode}. */
  encode(): string {
    const numbers = [this.#runs.length];
    let before = 0;
    for (const { first, last } of this.#runs) {
      numbers.push(first - before, last - first);
      before = last;
    }
    const blocks = [...this.#partial].sort(([a], [b]) => a - b);
    numbers.push(blocks.length);
    before = 0;
    for (const [block] of blocks) {
      numbers.push(block - before);
      before = block;
    }
    const head = Uint8Array.from([VERSION, ...numbers.flatMap(varint)]);
    const whole = Buffer.concat([head, ...blocks.map(([, { bits }]) => bits)]);
    return deflateRawSync(whole, { level: 1 }).toString('base64');
  }

  /** Parses the text of a set; undefined if it is damaged. */
  static decode(text: string): NumberSet | undefined {
    try {
      const bytes = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: DECODED_MAX_BYTES });
      return bytes[0] === VERSION ? NumberSet.#parse(bytes) : undefined;
    } catch {
      // A damaged set has no information.
      return undefined;
    }
  }

  static #parse(bytes: Buffer): NumberSet {
    const set = new NumberSet();
    const reader = new VarintReader(bytes, 1);
    let before = 0;
    for (let left = reader.next(); left > 0; left--) {
      const first = before + reader.next();
      before = first + reader.next();
      set.#runs.push({ first, last: before });
    }
    const blocks: number[] = [];
    before = 0;
    for (let left = reader.next(); left > 0; left--) blocks.push((before += reader.next()));
    blocks.forEach((block, index) => {
      const bits = Uint8Array.from(bytes.subarray(reader.at + index * BLOCK_BYTES).subarray(0, BLOCK_BYTES));
      if (bits.length !== BLOCK_BYTES) throw new RangeError('bits are missing');
      set.#partial.set(block, { bits, count: ones(bits) });
    });
    return set;
  }

  #isFull(block: number): boolean {
    const run = this.#runs[this.#runBefore(block)];
    return run !== undefined && block <= run.last;
  }

  /** Index of the last run that begins at or before the block; -1: no such run. */
  #runBefore(block: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#runs[middle]!.first <= block) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #fill(first: number, last: number): void {
    const from = this.#runBefore(first);
    const before = this.#runs[from];
    // The run that it touches or lies in, or a new place after it.
    const start = before !== undefined && before.last + 1 >= first ? from : from + 1;
    let end = start;
    const merged = { first, last };
    for (let run = this.#runs[end]; run !== undefined && run.first <= last + 1; run = this.#runs[++end]) {
      merged.first = Math.min(merged.first, run.first);
      merged.last = Math.max(merged.last, run.last);
    }
    this.#runs.splice(start, end - start, merged);
    if (this.#runs.length > MAX_RUNS) this.#runs.shift();
  }
}

function lowest(numbers: Iterable<number>): number {
  let least = Infinity;
  for (const number of numbers) if (number < least) least = number;
  return least;
}

function ones(bits: Uint8Array): number {
  let count = 0;
  for (let byte of bits) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

class VarintReader {
  readonly #bytes: Buffer;

  constructor(
    bytes: Buffer,
    public at: number,
  ) {
    this.#bytes = bytes;
  }

  next(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined || factor > 2 ** 53) throw new RangeError('a number is cut off');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }
}
