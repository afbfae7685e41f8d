/** Types of elements, as PostgreSQL numbers them. */
const INT4 = 23;
const FLOAT8 = 701;
const TIMESTAMPTZ = 1184;

/** Dimensions, flags, type of the elements, number of elements, number of the first one. */
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NO_VALUE = -1;
/** PostgreSQL counts microseconds from the beginning of 2000. */
const EPOCH_NS = BigInt(Date.UTC(2000, 0, 1)) * 1_000_000n;
const TWO_32 = 2 ** 32;

/**
 * Rows of samples as arrays in the binary format of PostgreSQL, one for each column. As text, the numbers would cost
 * the ground and the server several times as much.
 */
export class SampleRows {
  readonly #field: Buffer;
  readonly #at: Buffer;
  readonly #run: Buffer;
  readonly #tick: Buffer;
  readonly #value: Buffer;
  #count = 0;
  /** End of the values so far: one that is absent has no bytes. */
  #valueEnd = HEADER_BYTES;
  #hasNulls = false;
  #atHigh = 0;
  #atLow = 0;

  /** @param most - Rows that are added at most. */
  constructor(most: number) {
    const column = (bytes: number): Buffer =>
      Buffer.allocUnsafe(HEADER_BYTES + most * (LENGTH_BYTES + bytes));
    [this.#field, this.#run, this.#tick] = [column(4), column(4), column(4)];
    [this.#at, this.#value] = [column(8), column(8)];
  }

  get count(): number {
    return this.#count;
  }

  /** The time of the rows that are added next, nanoseconds since the Unix epoch; rounded to microseconds. */
  setTime(timeNs: bigint): void {
    const microseconds = Number((timeNs - EPOCH_NS + 500n) / 1_000n);
    this.#atHigh = Math.floor(microseconds / TWO_32);
    this.#atLow = microseconds >>> 0;
  }

  /** @param value - Null: the robot had none. */
  add(field: number, run: number, tick: number, value: number | null): void {
    const at = HEADER_BYTES + this.#count * (LENGTH_BYTES + 4);
    writeInteger(this.#field, at, field);
    writeInteger(this.#run, at, run);
    writeInteger(this.#tick, at, tick);
    const timeAt = HEADER_BYTES + this.#count * (LENGTH_BYTES + 8);
    this.#at.writeInt32BE(8, timeAt);
    this.#at.writeInt32BE(this.#atHigh, timeAt + 4);
    this.#at.writeUInt32BE(this.#atLow, timeAt + 8);
    this.#addValue(value);
    this.#count++;
  }

  /** Field, time, run, tick and value, for parameters with casts to these arrays. */
  columns(): readonly Buffer[] {
    const count = this.#count;
    const ended = (column: Buffer, type: number, bytes: number): Buffer =>
      writeHeader(column, type, count, false).subarray(0, HEADER_BYTES + count * (LENGTH_BYTES + bytes));
    const values = writeHeader(this.#value, FLOAT8, count, this.#hasNulls).subarray(0, this.#valueEnd);
    return [
      ...[ended(this.#field, INT4, 4), ended(this.#at, TIMESTAMPTZ, 8), ended(this.#run, INT4, 4)],
      ...[ended(this.#tick, INT4, 4), values],
    ];
  }

  #addValue(value: number | null): void {
    const at = this.#valueEnd;
    this.#value.writeInt32BE(value === null ? NO_VALUE : 8, at);
    if (value === null) this.#hasNulls = true;
    else this.#value.writeDoubleBE(value, at + LENGTH_BYTES);
    this.#valueEnd = at + LENGTH_BYTES + (value === null ? 0 : 8);
  }
}

function writeInteger(column: Buffer, at: number, value: number): void {
  column.writeInt32BE(4, at);
  column.writeInt32BE(value, at + LENGTH_BYTES);
}

function writeHeader(column: Buffer, type: number, count: number, hasNulls: boolean): Buffer {
  column.writeInt32BE(1, 0);
  column.writeInt32BE(hasNulls ? 1 : 0, 4);
  column.writeInt32BE(type, 8);
  column.writeInt32BE(count, 12);
  column.writeInt32BE(1, 16);
  return column;
}
