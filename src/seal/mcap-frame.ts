import { crc32 } from '@node-rs/crc32';
import { Op, RECORD_HEADER_BYTES } from '../core/mcap/records.js';

/** Of a Chunk record without the name of its compression and its records. */
const CHUNK_FIXED_BYTES = RECORD_HEADER_BYTES + 40;
const FOOTER_CONTENT_BYTES = 20;

interface ChunkHead {
  readonly messageStartTime: bigint;
  readonly messageEndTime: bigint;
  readonly uncompressedSize: bigint;
  readonly uncompressedCrc: number;
  readonly compression: string;
  readonly recordsBytes: number;
}

/** A Chunk record up to its records. */
export function chunkHead(chunk: ChunkHead): Uint8Array {
  const { compression } = chunk;
  const bytes = Buffer.alloc(CHUNK_FIXED_BYTES + compression.length);
  const content = bytes.length - RECORD_HEADER_BYTES + chunk.recordsBytes;
  bytes.writeUInt8(Op.chunk, 0);
  bytes.writeBigUInt64LE(BigInt(content), 1);
  bytes.writeBigUInt64LE(chunk.messageStartTime, 9);
  bytes.writeBigUInt64LE(chunk.messageEndTime, 17);
  bytes.writeBigUInt64LE(chunk.uncompressedSize, 25);
  bytes.writeUInt32LE(chunk.uncompressedCrc, 33);
  bytes.writeUInt32LE(compression.length, 37);
  bytes.write(compression, 41, 'latin1');
  bytes.writeBigUInt64LE(BigInt(chunk.recordsBytes), 41 + compression.length);
  return bytes;
}

/** The footer record; its CRC covers the summary and the footer's own fields before the CRC. */
export function footer(summaryStart: bigint, offsetStart: bigint, crcBefore: number): Uint8Array {
  const bytes = Buffer.alloc(9 + FOOTER_CONTENT_BYTES);
  bytes.writeUInt8(Op.footer, 0);
  bytes.writeBigUInt64LE(BigInt(FOOTER_CONTENT_BYTES), 1);
  bytes.writeBigUInt64LE(summaryStart, 9);
  bytes.writeBigUInt64LE(offsetStart, 17);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 25), crcBefore), 25);
  return bytes;
}
