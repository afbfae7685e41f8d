import assert from 'node:assert/strict';
import { firstOf } from './first-of.js';

export function bitwiseCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const mask = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

/** A reader of TFRecord and tf.train.Example of its own: nothing of it is shared with the writer. */
export function readTfRecords(file: Buffer): Record<string, unknown[]>[] {
  const records: Record<string, unknown[]>[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    assert.equal(file.readUInt32LE(at + 8), mask(bitwiseCrc32c(file.subarray(at, at + 8))));
    const body = file.subarray(at + 12, at + 12 + length);
    assert.equal(file.readUInt32LE(at + 12 + length), mask(bitwiseCrc32c(body)));
    const record: Record<string, unknown[]> = {};
    for (const features of messages(body, 1)) {
      for (const entry of messages(features, 1)) {
        const [name] = firstOf(1, messages(entry, 1));
        const [feature] = firstOf(1, messages(entry, 2));
        const [bytes] = messages(feature, 1);
        const [floats] = messages(feature, 2);
        const [ints] = messages(feature, 3);
        const key = name.toString();
        if (bytes !== undefined) record[key] = messages(bytes, 1).map(textOrBytes);
        if (floats !== undefined) {
          const packed = messages(floats, 1)[0] ?? Buffer.alloc(0);
          record[key] = Array.from({ length: packed.length / 4 }, (_, i) => packed.readFloatLE(4 * i));
        }
        if (ints !== undefined) record[key] = varints(messages(ints, 1)[0] ?? Buffer.alloc(0));
      }
    }
    records.push(record);
    at += 16 + length;
  }
  return records;
}

function varint(bytes: Buffer, at: number): [value: bigint, next: number] {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at++]!;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}

function varints(bytes: Buffer): bigint[] {
  const out: bigint[] = [];
  for (let at = 0; at < bytes.length;) {
    const [value, next] = varint(bytes, at);
    out.push(BigInt.asIntN(64, value));
    at = next;
  }
  return out;
}

/** The length-delimited fields of one number. */
function messages(bytes: Buffer, field: number): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const [tag, body] = varint(bytes, at);
    assert.equal(tag & 7n, 2n);
    const [length, start] = varint(bytes, body);
    const end = start + Number(length);
    assert.ok(end <= bytes.length);
    if (tag >> 3n === BigInt(field)) out.push(bytes.subarray(start, end));
    at = end;
  }
  return out;
}

/** bytes_list has both; only what is UTF-8 is shown as text. */
function textOrBytes(one: Buffer): string | Buffer {
  const text = one.toString();
  return text.includes('\ufffd') ? one : text;
}
