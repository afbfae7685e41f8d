import { crc32 } from '@node-rs/crc32';
import type { Decompressors } from './decompress.js';
import type { McapLimits } from './readable.js';
import { RecordError, type ChunkHeader } from './records.js';

/** Why a chunk cannot be read, found before its records are parsed; undefined: no reason found. */
export function chunkObstacle(
  header: ChunkHeader,
  recordsBytes: number,
  decompressors: Decompressors,
  { maxChunkBytes }: McapLimits,
): string | undefined {
  if (header.compression !== '' && !decompressors.has(header.compression)) {
    return `a chunk of unknown compression "${header.compression}"`;
  }
  const bytes = Math.max(recordsBytes, Number(header.uncompressedBytes));
  if (bytes > maxChunkBytes) return `a chunk of ${bytes} bytes, allowed: ${maxChunkBytes}`;
  return undefined;
}

/**
 * The records of a chunk, decompressed and compared with the chunk's CRC if it has one. Rejects with
 * RecordError, the reason.
 */
export async function decodeChunk(
  header: ChunkHeader,
  records: Uint8Array,
  decompressors: Decompressors,
): Promise<Uint8Array> {
  const decoded = await decompress(header, records, decompressors);
  if (header.crc !== 0) {
    const crc = crc32(decoded);
    if (crc !== header.crc) {
      throw new RecordError(`a chunk whose CRC is ${hex(crc)}, expected ${hex(header.crc)}`);
    }
  }
  return decoded;
}

async function decompress(
  header: ChunkHeader,
  records: Uint8Array,
  decompressors: Decompressors,
): Promise<Uint8Array> {
  if (header.compression === '') return records;
  const size = Number(header.uncompressedBytes);
  const run = decompressors.get(header.compression);
  if (run === undefined) throw new RecordError(`a chunk of unknown compression "${header.compression}"`);
  let decoded: Uint8Array;
  try {
    decoded = await run(records, size);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RecordError(`a chunk that does not decompress (${header.compression}: ${why})`);
  }
  if (decoded.byteLength !== size) {
    throw new RecordError(`a chunk that decompresses to ${decoded.byteLength} bytes, expected ${size}`);
  }
  return decoded;
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
