import { createHash } from 'node:crypto';
import { crc32 } from '@node-rs/crc32';
import { HoldfastError } from '../core/errors.js';
import type { ObjectDigest } from '../core/store.js';

/** Throws `OBJECT_CORRUPT` with what was found and what was expected. */
export function corrupt(key: string, what: string, expected: unknown, found: unknown): HoldfastError {
  return new HoldfastError(
    'OBJECT_CORRUPT',
    `object ${key}: ${what} is ${String(found)}, should be ${String(expected)}`,
    { facts: { key, what, expected, found } },
  );
}

/** Compares an object's bytes with a digest by reading them; memory is bounded by one chunk. */
export async function verifyByReading(
  key: string,
  digest: ObjectDigest,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const hash = digest.sha256 === undefined ? undefined : createHash('sha256');
  let crc = 0;
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    // Stop early: the object may be far longer.
    if (bytes > digest.bytes) throw corrupt(key, 'size', digest.bytes, `${bytes} or more`);
    if (hash) hash.update(chunk);
    else if (chunk.byteLength > 0) crc = crc32(chunk, crc);
  }
  if (bytes !== digest.bytes) throw corrupt(key, 'size', digest.bytes, bytes);
  if (!hash && crc !== digest.crc32) throw corrupt(key, 'CRC-32', digest.crc32, crc);
  const sha256 = hash?.digest('hex');
  if (sha256 !== digest.sha256) throw corrupt(key, 'SHA-256', digest.sha256, sha256);
}
