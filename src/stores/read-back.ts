import { createHash } from 'node:crypto';
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
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    // Stop early: the object may be far longer.
    if (bytes > digest.bytes) throw corrupt(key, 'size', digest.bytes, `${bytes} or more`);
    hash.update(chunk);
  }
  if (bytes !== digest.bytes) throw corrupt(key, 'size', digest.bytes, bytes);
  const sha256 = hash.digest('hex');
  if (sha256 !== digest.sha256) throw corrupt(key, 'SHA-256', digest.sha256, sha256);
}
