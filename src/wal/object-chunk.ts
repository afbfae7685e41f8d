import { crc32 } from '@node-rs/crc32';
import { crc32Combine } from '../core/crc32-combine.js';
import { Op, RECORD_HEADER_BYTES, MESSAGE_PREFIX_BYTES } from '../core/mcap/records.js';

/*
 * One uncompressed Chunk of an MCAP with its MessageIndex records, as in an object file. The payloads are not
 * read: their CRCs are known, and the CRCs of the chunk and of the whole region follow from them.
 */

/** One message of a chunk, without its payload. */
export interface ChunkMessage {
  /** Id in the MCAP. */
  readonly channelId: number;
  readonly sequence: number;
  /** Nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
  readonly publishTime: bigint;
  /** CRC-32 of the payload. */
  readonly bytes: number;
  readonly crc: number;
}

/** The entry of one chunk in the summary of an MCAP. */
export interface ChunkIndex {
  readonly messageStartTime: bigint;
  readonly messageEndTime: bigint;
  readonly chunkStartOffset: bigint;
  readonly chunkLength: bigint;
  readonly messageIndexOffsets: Map<number, bigint>;
  readonly messageIndexLength: bigint;
  readonly compression: string;
  readonly compressedSize: bigint;
  readonly uncompressedSize: bigint;
}

/** A chunk and its message indexes. */
export interface EncodedChunk {
  /** The bytes before each payload. The first entry also holds the chunk's header and the definitions. */
  readonly before: readonly Buffer[];
  /** The message indexes, after the last payload. */
  readonly after: Buffer;
  /** Offset of each payload, from the chunk's first byte. */
  readonly payloadOffsets: readonly number[];
  readonly bytes: number;
  /** CRC-32 of all these bytes. */
  readonly crc: number;
  readonly index: ChunkIndex;
}

/** Opcode, length, two times, size, CRC, an empty compression and the length of the records. */
const CHUNK_HEAD_BYTES = RECORD_HEADER_BYTES + 40;
const MESSAGE_HEAD_BYTES = RECORD_HEADER_BYTES + MESSAGE_PREFIX_BYTES;
const INDEX_ENTRY_BYTES = 16;

/**
 * Encodes a chunk.
 *
 * @param definitions - Schema and Channel records at the start of the chunk.
 * @param offset - Offset of the chunk in the file.
 * @param messages - At least one.
 */
export function encodeChunk(
  definitions: Uint8Array,
  offset: number,
  messages: readonly ChunkMessage[],
): EncodedChunk {
  const heads = messages.map(messageHead);
  let crc = crc32(definitions);
  let at = definitions.byteLength;
  const recordOffsets: number[] = [];
  for (const [i, { bytes, crc: payloadCrc }] of messages.entries()) {
    const head = heads[i] as Buffer;
    recordOffsets.push(at);
    crc = crc32Combine(crc32(head, crc), payloadCrc, bytes);
    at += head.byteLength + bytes;
  }
  const times = timesOf(messages);
  const head = chunkHead(times, at, crc);
  const { after, lengths } = messageIndexes(messages, recordOffsets);
  const chunkBytes = CHUNK_HEAD_BYTES + at;
  const [first, ...rest] = heads as [Buffer, ...Buffer[]];
  return {
    before: [Buffer.concat([head, definitions, first]), ...rest],
    after,
    payloadOffsets: recordOffsets.map((record) => CHUNK_HEAD_BYTES + record + MESSAGE_HEAD_BYTES),
    bytes: chunkBytes + after.byteLength,
    crc: crc32(after, crc32Combine(crc32(head), crc, at)),
    index: {
      ...times,
      chunkStartOffset: BigInt(offset),
      chunkLength: BigInt(chunkBytes),
      messageIndexOffsets: offsetsOf(lengths, offset + chunkBytes),
      messageIndexLength: BigInt(after.byteLength),
      compression: '',
      compressedSize: BigInt(at),
      uncompressedSize: BigInt(at),
    },
  };
}

type Times = Pick<ChunkIndex, 'messageStartTime' | 'messageEndTime'>;

function timesOf(messages: readonly ChunkMessage[]): Times {
  const times = messages.map(({ logTime }) => logTime);
  return {
    messageStartTime: times.reduce((least, time) => (time < least ? time : least)),
    messageEndTime: times.reduce((most, time) => (time > most ? time : most)),
  };
}

function chunkHead({ messageStartTime, messageEndTime }: Times, bytes: number, crc: number): Buffer {
  const head = Buffer.allocUnsafe(CHUNK_HEAD_BYTES);
  head.writeUInt8(Op.chunk, 0);
  head.writeBigUInt64LE(BigInt(CHUNK_HEAD_BYTES - RECORD_HEADER_BYTES + bytes), 1);
  head.writeBigUInt64LE(messageStartTime, 9);
  head.writeBigUInt64LE(messageEndTime, 17);
  head.writeBigUInt64LE(BigInt(bytes), 25);
  head.writeUInt32LE(crc, 33);
  head.writeUInt32LE(0, 37);
  head.writeBigUInt64LE(BigInt(bytes), 41);
  return head;
}

function messageHead({ channelId, sequence, logTime, publishTime, bytes }: ChunkMessage): Buffer {
  const head = Buffer.allocUnsafe(MESSAGE_HEAD_BYTES);
  head.writeUInt8(Op.message, 0);
  head.writeBigUInt64LE(BigInt(MESSAGE_PREFIX_BYTES + bytes), 1);
  head.writeUInt16LE(channelId, 9);
  head.writeUInt32LE(sequence, 11);
  head.writeBigUInt64LE(logTime, 15);
  head.writeBigUInt64LE(publishTime, 23);
  return head;
}

/** One MessageIndex record per channel, in the order of their first messages. */
function messageIndexes(
  messages: readonly ChunkMessage[],
  offsets: readonly number[],
): { after: Buffer; lengths: ReadonlyMap<number, number> } {
  const byChannel = new Map<number, number[]>();
  for (const [i, { channelId }] of messages.entries()) {
    const known = byChannel.get(channelId);
    if (known) known.push(i);
    else byChannel.set(channelId, [i]);
  }
  const records = [...byChannel].map(([channelId, members]) => {
    const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + 6 + members.length * INDEX_ENTRY_BYTES);
    record.writeUInt8(Op.messageIndex, 0);
    record.writeBigUInt64LE(BigInt(record.length - RECORD_HEADER_BYTES), 1);
    record.writeUInt16LE(channelId, 9);
    record.writeUInt32LE(members.length * INDEX_ENTRY_BYTES, 11);
    for (const [entry, i] of members.entries()) {
      const at = RECORD_HEADER_BYTES + 6 + entry * INDEX_ENTRY_BYTES;
      record.writeBigUInt64LE((messages[i] as ChunkMessage).logTime, at);
      record.writeBigUInt64LE(BigInt(offsets[i] as number), at + 8);
    }
    return [channelId, record] as const;
  });
  return {
    after: Buffer.concat(records.map(([, record]) => record)),
    lengths: new Map(records.map(([channelId, { length }]) => [channelId, length])),
  };
}

function offsetsOf(lengths: ReadonlyMap<number, number>, start: number): Map<number, bigint> {
  const offsets = new Map<number, bigint>();
  let at = start;
  for (const [channelId, length] of lengths) {
    offsets.set(channelId, BigInt(at));
    at += length;
  }
  return offsets;
}
