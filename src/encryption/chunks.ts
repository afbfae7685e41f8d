import { decrypt, encrypt, encryptInto, NONCE_BYTES, TAG_BYTES } from './derive.js';
import { chunkCount, HEADER_BYTES, STREAM_HEADER_BYTES } from './header.js';

/** How the plaintext of one file is cut into chunks. */
export interface ChunkPlan {
  readonly plainBytes: number;
  readonly chunkBytes: number;
  readonly count: number;
  /** Where the chunks begin in the encrypted file. */
  readonly headerBytes: number;
}

/** The plan of a file, by default of version 1. */
export function planChunks(
  plainBytes: number,
  chunkBytes: number,
  headerBytes: number = HEADER_BYTES,
): ChunkPlan {
  return { plainBytes, chunkBytes, count: chunkCount(plainBytes, chunkBytes), headerBytes };
}

/**
 * The plan of a file of version 2, which follows from its size; undefined if no such file has that size. Whether it is
 * the size that was written shows the last chunk.
 */
export function planOfFile(fileBytes: number, chunkBytes: number): ChunkPlan | undefined {
  const sealed = fileBytes - STREAM_HEADER_BYTES;
  const count = Math.ceil(sealed / (chunkBytes + TAG_BYTES));
  const plan = planChunks(sealed - count * TAG_BYTES, chunkBytes, STREAM_HEADER_BYTES);
  // The last chunk has its tag, and at least one byte unless it is the only one.
  return count >= 1 && plan.plainBytes >= 0 && plan.count === count ? plan : undefined;
}

/** Plaintext bytes of chunk `index` (from 0). */
export function plainChunkBytes({ plainBytes, chunkBytes }: ChunkPlan, index: number): number {
  return Math.min(chunkBytes, plainBytes - index * chunkBytes);
}

/** The range of chunk `index` in the encrypted file, tag included. */
export function sealedRange(
  plan: ChunkPlan,
  index: number,
): { readonly start: number; readonly end: number } {
  const start = plan.headerBytes + index * (plan.chunkBytes + TAG_BYTES);
  return { start, end: start + plainChunkBytes(plan, index) + TAG_BYTES };
}

/** Encrypts chunk `index`. */
export function sealChunk(key: Uint8Array, index: number, isLast: boolean, plaintext: Uint8Array): Buffer {
  return encrypt(key, nonceOf(index, isLast), plaintext);
}

/** The same into existing memory; returns the bytes written there. */
export function sealChunkInto(
  key: Uint8Array,
  index: number,
  isLast: boolean,
  plaintext: Uint8Array,
  target: Buffer,
  at: number,
): number {
  return encryptInto(key, nonceOf(index, isLast), plaintext, target, at);
}

/** Decrypts chunk `index`; undefined if it is damaged, or another chunk. */
export function openChunk(
  key: Uint8Array,
  { count }: ChunkPlan,
  index: number,
  sealed: Uint8Array,
): Buffer | undefined {
  return decrypt(key, nonceOf(index, index === count - 1), sealed);
}

/**
 * The STREAM construction: the number of the chunk, and 1 for the last one. So no chunk can change its place, and the
 * end of the file cannot be cut at a chunk.
 */
function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64BE(BigInt(index), 3);
  nonce[NONCE_BYTES - 1] = isLast ? 1 : 0;
  return nonce;
}
