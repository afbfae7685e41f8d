import { CDR_HEAD_BYTES } from '../../core/ros/cdr-kind.js';

/** Room for hashes and padding that the source does not have. */
const SPARE_BYTES = 256;

/** A message in the making, and the place in its source: both keep their own alignment. */
export class CdrOutput {
  readonly view: DataView;
  /** Next byte of the source. */
  at = CDR_HEAD_BYTES;
  /** Next byte of the output. */
  to = CDR_HEAD_BYTES;
  #out: Buffer;
  #outView: DataView;

  /** @param maxAlign - 8 in XCDR1, 4 in XCDR2. */
  constructor(
    readonly source: Uint8Array,
    readonly littleEndian: boolean,
    readonly maxAlign: number,
  ) {
    this.view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    this.#out = Buffer.alloc(source.byteLength + SPARE_BYTES);
    this.#out.set(source.subarray(0, CDR_HEAD_BYTES));
    this.#outView = viewOf(this.#out);
  }

  /** Padding keeps its bytes if there is as much of it as before; otherwise it is zero. */
  align(size: number): void {
    const to = Math.min(size, this.maxAlign) - 1;
    const had = -(this.at - CDR_HEAD_BYTES) & to;
    const has = -(this.to - CDR_HEAD_BYTES) & to;
    this.reserve(has);
    if (had === has) this.#out.set(this.source.subarray(this.at, this.at + had), this.to);
    else this.#out.fill(0, this.to, this.to + has);
    this.at += had;
    this.to += has;
  }

  /** Copies bytes, or writes as many zeros. */
  move(bytes: number, asZeros = false): void {
    if (this.at + bytes > this.source.byteLength) {
      throw new Error(`${bytes} bytes at ${this.at} in a payload of ${this.source.byteLength}`);
    }
    this.reserve(bytes);
    if (asZeros) this.#out.fill(0, this.to, this.to + bytes);
    else this.#out.set(this.source.subarray(this.at, this.at + bytes), this.to);
    this.at += bytes;
    this.to += bytes;
  }

  /** Reads a length; the output gets the same one, which {@link setU32} may replace. */
  u32(): number {
    this.align(4);
    this.move(4);
    return this.view.getUint32(this.at - 4, this.littleEndian);
  }

  setU32(at: number, value: number): void {
    this.#outView.setUint32(at, value, this.littleEndian);
  }

  /** A length in the output. */
  lengthAt(at: number): number {
    return this.#outView.getUint32(at, this.littleEndian);
  }

  /** A number in the output. */
  float(at: number, bytes: number): number {
    return bytes === 4
      ? this.#outView.getFloat32(at, this.littleEndian)
      : this.#outView.getFloat64(at, this.littleEndian);
  }

  setFloat(at: number, bytes: number, value: number): void {
    if (bytes === 4) this.#outView.setFloat32(at, value, this.littleEndian);
    else this.#outView.setFloat64(at, value, this.littleEndian);
  }

  /** Writes bytes that the source does not have. */
  put(bytes: Uint8Array): void {
    this.reserve(bytes.byteLength);
    this.#out.set(bytes, this.to);
    this.to += bytes.byteLength;
  }

  reserve(bytes: number): void {
    if (this.to + bytes <= this.#out.byteLength) return;
    const grown = Buffer.alloc(Math.max(this.to + bytes, 2 * this.#out.byteLength));
    grown.set(this.#out.subarray(0, this.to));
    this.#out = grown;
    this.#outView = viewOf(grown);
  }

  /**
   * The message in bytes of its own. What follows the source's last field stays if the message has kept its length.
   * Otherwise it is padded as DDS asks for, if the source was.
   */
  finish(): Uint8Array {
    const rest = this.source.byteLength - this.at;
    if (this.to === this.at) this.move(rest);
    else if (rest > 0 || (this.#out[3]! & 3) !== 0) {
      const padding = -(this.to - CDR_HEAD_BYTES) & 3;
      this.put(new Uint8Array(padding));
      if ((this.#out[3]! & 3) !== 0) this.#out[3] = (this.#out[3]! & ~3) | padding;
    }
    return new Uint8Array(this.#out.subarray(0, this.to));
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
