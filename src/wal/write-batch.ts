import { HoldfastError } from '../core/errors.js';

/** The only operation that the WAL writes. */
const PUT = 1;

/** One put of a LevelDB write. */
export interface LevelPut {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface LevelWrite {
  /** LevelDB's own sequence of the first operation; the next write's is this plus the number of operations. */
  readonly sequence: bigint;
  readonly puts: readonly LevelPut[];
}

/**
 * Parses a LevelDB WriteBatch from the log (LevelDB, db/write_batch.cc): sequence u64, count u32, then per
 * put: type 1, varint-length key, varint-length value. Throws `WAL_CORRUPT`; the WAL writes no deletions.
 */
export function parseLevelWrite(data: Buffer): LevelWrite {
  if (data.length < 12) throw corrupt(`LevelDB write of ${data.length} bytes is too short`);
  const count = data.readUInt32LE(8);
  const puts: LevelPut[] = [];
  let at = 12;
  const slice = (): Buffer => {
    const [length, next] = readVarint(data, at);
    if (next + length > data.length) throw corrupt('LevelDB write is cut short');
    at = next + length;
    return data.subarray(next, at);
  };
  while (at < data.length) {
    if (data[at] !== PUT)
      throw corrupt(`LevelDB write holds an operation of type ${data[at]}, allowed: ${PUT} (put)`);
    at++;
    const key = slice();
    puts.push({ key, value: slice() });
  }
  if (puts.length !== count)
    throw corrupt(`LevelDB write holds ${puts.length} operations instead of ${count}`);
  return { sequence: data.readBigUInt64LE(0), puts };
}

/** Writes a LevelDB WriteBatch of puts, which {@link parseLevelWrite} reads. */
export function encodeLevelWrite(sequence: bigint, puts: readonly LevelPut[]): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(sequence, 0);
  head.writeUInt32LE(puts.length, 8);
  const put = Buffer.of(PUT);
  return Buffer.concat([
    head,
    ...puts.flatMap(({ key, value }) => [put, varint(key.length), key, varint(value.length), value]),
  ]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) + 0x80);
  return Buffer.from([...bytes, left]);
}

function readVarint(data: Buffer, from: number): [value: number, next: number] {
  let value = 0;
  for (let at = from, shift = 0; shift <= 28 && at < data.length; at++, shift += 7) {
    const byte = data[at] as number;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at + 1];
  }
  throw corrupt('LevelDB write holds a length that does not parse');
}

function corrupt(what: string): HoldfastError {
  return new HoldfastError('WAL_CORRUPT', what);
}
