import { deflateRawSync } from 'node:zlib';
import type { FileHandle } from '../core/file-system.js';
import type { Manifest } from '../core/manifest.js';

export type Compression = Manifest['file']['compression'];

/** Compresses one MCAP chunk; compression `''` if the chunk is left uncompressed. */
export type CompressChunk = (chunk: Uint8Array) => { compression: string; compressedData: Uint8Array };

/** A smaller gain is not worth the reader's time. */
const WORTH_GAIN = 0.03;
/** Sample size of the next chunk after one that did not shrink: 1/16 of a chunk of the default size. */
const SAMPLE_BYTES = 64 * 1024;

/** Number of places of a file that a sample covers: its messages are of several topics, and an image may have an even sky. */
const SAMPLE_PLACES = 16;
const SAMPLE_PLACE_BYTES = 4 * 1024;
/** A sample that compresses to more than this share of its size counts as incompressible. */
const INCOMPRESSIBLE_FROM = 0.9;

/**
 * Judges the first `bytes` of a file by a sample of 64 KiB, with deflate at level 1, which is built in and finds about
 * as much as zstd at level 1. Throws the error of the disk.
 */
export async function seemsIncompressible(file: FileHandle, bytes: number): Promise<boolean> {
  const stride = Math.floor(bytes / SAMPLE_PLACES);
  const pieces: Buffer[] = [];
  for (let i = 0; i < SAMPLE_PLACES; i++) {
    const piece = Buffer.allocUnsafe(Math.min(stride, SAMPLE_PLACE_BYTES));
    const { bytesRead } = await file.read(piece, 0, piece.length, i * stride);
    pieces.push(piece.subarray(0, bytesRead));
  }
  const sample = Buffer.concat(pieces);
  return deflateRawSync(sample, { level: 1 }).byteLength > sample.byteLength * INCOMPRESSIBLE_FROM;
}

/** zstd's fastest useful level: 2.5 times as fast as 1, for 1 to 2 % more bytes of recordings of sensors. */
export const FAST_ZSTD_LEVEL = -1;
/** zstd at level 1 takes about 1 % of a processor for this many bytes per second. */
const FAST_FROM_BYTES_PER_S = 4e6;

/** The level for a segment that came at a rate: the default of zstd costs too much of a fast one. */
export function levelAt(compression: Compression, level: number, bytesPerS: number): number {
  const isFast = compression === 'zstd' && level === 1 && bytesPerS > FAST_FROM_BYTES_PER_S;
  return isFast ? FAST_ZSTD_LEVEL : level;
}

/**
 * The chunk compressor for a codec; undefined for `none`. `level` is zstd's, 1 (default) to 19, or
 * {@link FAST_ZSTD_LEVEL}. Chunks that do not shrink (JPEG, video, noise) stay uncompressed, which MCAP allows per chunk. It is synchronous: run it in a
 * worker.
 */
export async function chunkCompressor(
  compression: Compression,
  level: number,
): Promise<CompressChunk | undefined> {
  switch (compression) {
    case 'none':
      return undefined;
    case 'zstd': {
      const zstd = (await import('@foxglove/wasm-zstd')).default;
      await zstd.isLoaded;
      return whereWorthwhile(compression, (chunk) => zstd.compress(chunk, level));
    }
    case 'lz4': {
      const { compressFrameSync } = await import('lz4-napi');
      return whereWorthwhile(compression, (chunk) => compressFrameSync(Buffer.from(chunk)));
    }
  }
}

/**
 * Remembers whether the last chunk shrank. After one that did not, a sample from the middle of the next chunk
 * is tried first. Compressed messages come in long runs, and trying each whole chunk would take longer than
 * the rest of sealing.
 */
function whereWorthwhile(compression: string, compress: (data: Uint8Array) => Uint8Array): CompressChunk {
  const isWorth = (data: Uint8Array, compressed: Uint8Array): boolean =>
    compressed.byteLength <= data.byteLength * (1 - WORTH_GAIN);
  let shrank = true;
  return (chunk) => {
    if (!shrank && chunk.byteLength > 2 * SAMPLE_BYTES) {
      const from = Math.floor((chunk.byteLength - SAMPLE_BYTES) / 2);
      const sample = chunk.subarray(from, from + SAMPLE_BYTES);
      if (!isWorth(sample, compress(sample))) return { compression: '', compressedData: chunk };
    }
    const compressedData = compress(chunk);
    shrank = isWorth(chunk, compressedData);
    return shrank ? { compression, compressedData } : { compression: '', compressedData: chunk };
  };
}
