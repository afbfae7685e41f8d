/** The offset of a table in a FlatBuffer. */
export type TableAt = number;

/**
 * Reads FlatBuffers of unknown origin. The library that writes them does not check reads: beyond the end of a
 * buffer it returns zeros. Here every access outside throws an Error.
 */
export class FlatReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get view(): DataView {
    return this.#view;
  }

  root(): TableAt {
    return this.#table(this.follow(0));
  }

  /** The four letters after the root's offset. */
  identifier(): string {
    return this.#bytes.byteLength < 8 ? '' : Buffer.from(this.#bytes.subarray(4, 8)).toString('latin1');
  }

  /** The offset of a field of a table, by the index of its entry in the table's list; undefined: it is absent. */
  field(table: TableAt, entry: number): number | undefined {
    const vtable = table - this.#view.getInt32(table, true);
    const size = this.#view.getUint16(vtable, true);
    if (entry + 2 > size) return undefined;
    const offset = this.#view.getUint16(vtable + entry, true);
    if (offset === 0) return undefined;
    if (offset >= this.#view.getUint16(vtable + 2, true)) throw new Error('a field outside of its table');
    return table + offset;
  }

  /** Entries of a table's list of fields. */
  entries(table: TableAt): number {
    return (this.#view.getUint16(table - this.#view.getInt32(table, true), true) - 4) >> 1;
  }

  /** Follows an offset. */
  follow(at: number): number {
    const offset = this.#view.getUint32(at, true);
    if (offset === 0) throw new Error('an offset of 0');
    return at + offset;
  }

  tableAt(at: number): TableAt {
    return this.#table(this.follow(at));
  }

  /** The offset of the first element, and the number of elements. `elementBytes`: size in the vector itself. */
  vector(at: number, elementBytes: number): { readonly first: number; readonly count: number } {
    const start = this.follow(at);
    const count = this.#view.getUint32(start, true);
    const left = this.#bytes.byteLength - start - 4;
    if (count * elementBytes > left) throw new Error(`${count} elements where ${left} bytes are left`);
    return { first: start + 4, count };
  }

  bytes(at: number): Uint8Array {
    const { first, count } = this.vector(at, 1);
    return this.#bytes.subarray(first, first + count);
  }

  /** `count` bytes from an offset on. */
  slice(at: number, count: number): Uint8Array {
    if (at + count > this.#bytes.byteLength) throw new Error('bytes behind the end');
    return this.#bytes.subarray(at, at + count);
  }

  text(at: number): string {
    return utf8.decode(this.bytes(at));
  }

  /** Throws unless the table's list of fields lies inside the buffer. */
  #table(at: TableAt): TableAt {
    const vtable = at - this.#view.getInt32(at, true);
    const size = this.#view.getUint16(vtable, true);
    if (vtable < 0 || size < 4 || size % 2 !== 0 || vtable + size > this.#bytes.byteLength) {
      throw new Error('a table without a list of its fields');
    }
    return at;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
