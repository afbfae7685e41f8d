import type { Reader, Writer } from 'protobufjs/minimal.js';

/** Wire types of Protocol Buffers. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;

/** The tag of a field. */
export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

/**
 * Reads an int64 or uint64 as 64 bits, signed. Without the package `long`, protobufjs returns a rounded number,
 * so the bits are read separately. Throws a RangeError for a number that is cut off or too long.
 */
export function readInt64(reader: Reader): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.buf[reader.pos++];
    if (byte === undefined || reader.pos > reader.len) throw new RangeError('cut off');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asIntN(64, value);
  }
  throw new RangeError('too long');
}

/** Reads a uint64 that a double holds exactly. Throws a RangeError for a larger one. */
export function readUint53(reader: Reader): number {
  let value = 0;
  for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
    const byte = reader.buf[reader.pos++];
    if (byte === undefined || reader.pos > reader.len) throw new RangeError('cut off');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('beyond 2^53 - 1');
      return value;
    }
  }
  throw new RangeError('beyond 2^53 - 1');
}

/** Writes an int64 or uint64 as a varint. */
export function writeInt64(writer: Writer, value: bigint): Writer {
  const bits = BigInt.asUintN(64, value);
  return writer.uint64({ low: Number(bits & 0xffffffffn), high: Number(bits >> 32n), unsigned: true });
}

/** Reads a fixed64 or sfixed64 as 64 bits, signed. */
export function readFixed64(reader: Reader): bigint {
  const low = BigInt(reader.fixed32());
  return (BigInt(reader.sfixed32()) << 32n) | low;
}

/** Writes a fixed64 or sfixed64. */
export function writeFixed64(writer: Writer, value: bigint): Writer {
  const bits = BigInt.asUintN(64, value);
  return writer.fixed32(Number(bits & 0xffffffffn)).fixed32(Number(bits >> 32n));
}
