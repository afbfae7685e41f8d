import { crc32 } from 'node:zlib';
import { MAGIC, Op } from '../../src/core/mcap/records.js';

/** MCAP records byte by byte, for files that no writer of a library makes. */

const u16 = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: bigint | number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string): Buffer => Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)]);

export function record(opcode: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(opcode), u64(body.byteLength), body]);
}

export const schema = (id: number, name: string, definition: string, encoding = 'ros2msg'): Buffer =>
  record(Op.schema, u16(id), text(name), text(encoding), text(definition));

export const channel = (id: number, schemaId: number, topic: string, encoding = 'cdr'): Buffer =>
  record(Op.channel, u16(id), u16(schemaId), text(topic), text(encoding), u32(0));

export const message = (channelId: number, time: bigint, data: Uint8Array): Buffer =>
  record(Op.message, u16(channelId), u32(0), u64(time), u64(time), data);

export const metadata = (name: string, ...extra: readonly Uint8Array[]): Buffer =>
  record(Op.metadata, text(name), u32(0), ...extra);

export interface RawChunk {
  readonly from?: bigint;
  readonly to?: bigint;
  readonly compression?: string;
  /** The records as they stand in the file. */
  readonly stored?: Uint8Array;
  readonly hasCrc?: boolean;
  /** Behind the records, as fields of a later version are. */
  readonly extra?: Uint8Array;
}

export function chunk(records: readonly Uint8Array[], options: RawChunk = {}): Buffer {
  const plain = Buffer.concat(records);
  const {
    from = 1n,
    to = 1n,
    compression = '',
    stored = plain,
    hasCrc = true,
    extra = Buffer.of(),
  } = options;
  return record(
    Op.chunk,
    ...[u64(from), u64(to), u64(plain.byteLength), u32(hasCrc ? crc32(plain) : 0)],
    ...[text(compression), u64(stored.byteLength), stored, extra],
  );
}

export interface RawChunkIndex {
  readonly at: number;
  readonly length: number;
  readonly from: bigint;
  readonly to: bigint;
}

export const chunkIndex = ({ at, length, from, to }: RawChunkIndex): Buffer =>
  record(Op.chunkIndex, u64(from), u64(to), u64(at), u64(length), u32(0), u64(0), text(''), u64(0), u64(0));

/** A file of the data section's records, with a summary where there is something in it. */
export function rawMcap(data: readonly Uint8Array[], summary: readonly Uint8Array[] = []): Buffer {
  const head = [
    Buffer.from(MAGIC),
    record(Op.header, text('ros2'), text('test')),
    ...data,
    record(Op.dataEnd, u32(0)),
  ];
  const start = Buffer.concat(head).byteLength;
  const footer = record(Op.footer, u64(summary.length === 0 ? 0 : start), u64(0), u32(0));
  return Buffer.concat([...head, ...summary, footer, MAGIC]);
}

/** Where the data section's records begin in {@link rawMcap}. */
export const RAW_DATA_AT = 8 + record(Op.header, text('ros2'), text('test')).byteLength;
