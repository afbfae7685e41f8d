/** What the code of a decoder depends on beside its type. */
export interface GenerateOptions {
  readonly littleEndian: boolean;
  /** Alignment of eight-byte values: 8 in XCDR1, 4 in XCDR2. */
  readonly widest: number;
  /** Message fields whose column has another name, because a system column has theirs. */
  readonly renamed: ReadonlyMap<string, string>;
}

/** Writes the JavaScript of a decoder. Only numbers and fixed words get into it, never a name of the schema. */
export class CdrCodeWriter {
  readonly lines: string[] = [];
  #names = 0;
  /** What is known of `p - origin`: it is `rest` modulo `modulus`. */
  #rest = 0;
  #modulus: number;

  constructor(readonly options: GenerateOptions) {
    this.#modulus = 8;
  }

  name(): string {
    return `t${this.#names++}`;
  }

  emit(line: string): void {
    this.lines.push(line);
  }

  align(bytes: number): void {
    const to = Math.min(bytes, this.options.widest);
    if (to === 1) return;
    if (this.#modulus >= to) {
      const padding = (to - (this.#rest % to)) % to;
      if (padding > 0) this.emit(`p += ${padding};`);
      this.#rest = (this.#rest + padding) % this.#modulus;
      return;
    }
    this.emit(`p += (o - p) & ${to - 1};`);
    this.#modulus = to;
    this.#rest = 0;
  }

  /** After `bytes` bytes whose number is known. */
  moved(bytes: number): void {
    this.#rest = (this.#rest + bytes) % this.#modulus;
  }

  /** After a number of bytes that is a multiple of `of`. */
  movedMultiple(of: number): void {
    while (this.#modulus > of) this.#modulus /= 2;
    if (this.#modulus > 1) this.#rest %= this.#modulus;
    else this.#rest = 0;
  }

  /** Nothing is known any more. */
  lost(): void {
    this.#modulus = 1;
    this.#rest = 0;
  }

  check(bytes: number | string): void {
    this.emit(`if (p + ${bytes} > end) over(${bytes}, end - p);`);
  }
}
