const FIRST_BYTES = 64 * 1024;
/** Bytes reserved for the length of a nested message: lengths up to 2^28 - 1 as a varint of fixed size. */
const LENGTH_BYTES = 4;
const LENGTH_DELIMITED = 2;

/** Writes protocol buffers, one after the other, into one growing buffer. */
export class ProtoWriter {
  buffer = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.buffer.buffer);
  length = 0;

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  /** Reserves `bytes` bytes and returns their offset. */
  reserve(bytes: number): number {
    this.#room(bytes);
    const at = this.length;
    this.length += bytes;
    return at;
  }

  patchUint32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /** A nested message, or a packed list. Its length is written at the end, padded to four bytes. */
  nested(field: number, write: () => void): void {
    this.#room(1 + LENGTH_BYTES);
    this.buffer[this.length++] = (field << 3) | LENGTH_DELIMITED;
    const at = this.reserve(LENGTH_BYTES);
    write();
    let left = this.length - at - LENGTH_BYTES;
    if (left >= 2 ** 28) throw new Error(`a message of ${left} bytes, allowed: ${2 ** 28 - 1}`);
    for (let i = 0; i < LENGTH_BYTES; i++) {
      this.buffer[at + i] = (left & 127) | (i < LENGTH_BYTES - 1 ? 128 : 0);
      left >>>= 7;
    }
  }

  bytesField(field: number, bytes: Uint8Array): void {
    this.#room(6 + bytes.length);
    this.buffer[this.length++] = (field << 3) | LENGTH_DELIMITED;
    this.varint(bytes.length);
    this.#room(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  floats(field: number, values: ArrayLike<number>, from: number, to: number): void {
    const bytes = 4 * (to - from);
    this.#room(6 + bytes);
    this.buffer[this.length++] = (field << 3) | LENGTH_DELIMITED;
    this.varint(bytes);
    this.#room(bytes);
    for (let i = from; i < to; i++, this.length += 4) this.#view.setFloat32(this.length, values[i]!, true);
  }

  /** An integer of at most 2^53. Negative ones take ten bytes, as protobuf requires. */
  varint(value: number): void {
    if (value < 0) {
      this.varint64(BigInt(value));
      return;
    }
    this.#room(10);
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.buffer[this.length++] = (rest % 128) | 128;
    this.buffer[this.length++] = rest;
  }

  varint64(value: bigint): void {
    this.#room(10);
    let rest = BigInt.asUintN(64, value);
    for (; rest > 127n; rest >>= 7n) this.buffer[this.length++] = Number(rest & 127n) | 128;
    this.buffer[this.length++] = Number(rest);
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const buffer = new Uint8Array(Math.max(2 * this.buffer.length, this.length + bytes));
    buffer.set(this.buffer.subarray(0, this.length));
    this.buffer = buffer;
    this.#view = new DataView(buffer.buffer);
  }
}
