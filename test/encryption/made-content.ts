import { createHash } from 'node:crypto';
import { EncryptedContent, type ContentKey } from '../../src/encryption/encrypted-content.js';
import { EncryptedStream } from '../../src/encryption/encrypted-stream.js';
import type { RandomBytes } from '../../src/encryption/wrapped-key.js';

/** Bytes that repeat only after 251, so that exchanged chunks differ. */
export function plainOf(bytes: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i % 251) ^ (i >> 8)));
}

/** Not random: the same bytes in each run. */
export function counted(seed = 0): RandomBytes {
  let calls = seed;
  return (count) => createHash('sha512').update(`call ${calls++}`).digest().subarray(0, count);
}

/** The encrypted file of a plaintext, written in pieces of an odd size. */
export async function encrypted(plain: Buffer, key: ContentKey, pieceBytes = 9_973): Promise<Buffer> {
  let at = 0;
  const digest = { bytes: plain.length, sha256: createHash('sha256').update(plain).digest() };
  const content = new EncryptedContent(key, digest, (target) => {
    at += plain.copy(target, 0, at, at + target.length);
    return Promise.resolve();
  });
  const file = Buffer.alloc(content.bytes);
  for (let from = 0; from < file.length; from += pieceBytes) {
    await content.read(file.subarray(from, from + pieceBytes));
  }
  return file;
}

/** The same in the format that is written in one pass, given in pieces of this size. */
export function streamed(plain: Buffer, key: ContentKey, pieceBytes = 9_973): Buffer {
  const stream = new EncryptedStream(key);
  const pieces: Buffer[] = [];
  for (let at = 0; at < plain.length; at += pieceBytes) {
    // What it gives is valid until the next call.
    pieces.push(Buffer.from(stream.update(plain.subarray(at, at + pieceBytes))));
  }
  return Buffer.concat([...pieces, stream.finish()]);
}
