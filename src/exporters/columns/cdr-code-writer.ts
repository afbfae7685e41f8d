/** What the code of a decoder depends on beside its type. */
export interface GenerateOptions {
  readonly littleEndian: boolean;
  /** Message fields whose column has another name, because a system column has their name. */
  readonly renamed: ReadonlyMap<string, string>;
}

/**
 * Writes the JavaScript code of a decoder of plain CDR (XCDR1). The code contains only numbers and fixed
 * words, never a name from the schema.
 */
export class CdrCodeWriter {
  readonly lines: string[] = [];
  #names = 0;
  /** The known alignment of `p - origin`: it is `rest` modulo `modulus`. */
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

  align(to: number): void {
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

  /** Advances by a known number of bytes. */
  moved(bytes: number): void {
    this.#rest = (this.#rest + bytes) % this.#modulus;
  }

  /** Advances by an unknown number of bytes that is a multiple of `of`. */
  movedMultiple(of: number): void {
    while (this.#modulus > of) this.#modulus /= 2;
    if (this.#modulus > 1) this.#rest %= this.#modulus;
    else this.#rest = 0;
  }

  /** The alignment is unknown now. */
  lost(): void {
    this.#modulus = 1;
    this.#rest = 0;
  }

  check(bytes: number | string): void {
    this.emit(`if (p + ${bytes} > end) over(${bytes}, end - p);`);
  }
}
