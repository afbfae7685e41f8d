import { TAG_BYTES } from '../encryption/derive.js';
import { BATCH_PREFIX_BYTES, type BatchPrefix } from './batch-codec.js';
import type { SegmentCipher } from './segment-cipher.js';

/*
 * A batch in the blob of an encrypted segment: its prefix, its header, and its payloads in chunks of 64 KiB, each
 * encrypted with a tag of its own. The nonce of each part is its offset in the file. So a part at another place is
 * refused, and a damaged part costs the payloads that lie in it.
 */

/** Plaintext bytes of a chunk of payloads. */
export const PART_BYTES = 64 * 1024;
/** Bytes of the encrypted prefix. */
export const SEALED_PREFIX_BYTES = BATCH_PREFIX_BYTES + TAG_BYTES;

/** Bytes of an encrypted batch in the blob. */
export function frameBytes({
  headerBytes,
  payloadBytes,
}: Pick<BatchPrefix, 'headerBytes' | 'payloadBytes'>): number {
  const parts = 2 + Math.ceil(payloadBytes / PART_BYTES);
  return BATCH_PREFIX_BYTES + headerBytes + payloadBytes + parts * TAG_BYTES;
}

/** Encrypts a batch for this offset of the blob, in pieces to be written one after the other. */
export function sealFrame(
  cipher: SegmentCipher,
  offset: number,
  head: Buffer,
  payloads: readonly Uint8Array[],
): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = offset;
  const add = (part: readonly Uint8Array[]): void => {
    const sealed = cipher.sealPart(at, part);
    for (const piece of sealed) at += piece.byteLength;
    pieces.push(...sealed);
  };
  add([head.subarray(0, BATCH_PREFIX_BYTES)]);
  add([head.subarray(BATCH_PREFIX_BYTES)]);
  for (const part of cut(payloads)) add(part);
  return pieces;
}

/** The payloads as parts of {@link PART_BYTES}; the last one may be shorter. */
function* cut(payloads: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let part: Uint8Array[] = [];
  let left = PART_BYTES;
  for (const payload of payloads) {
    for (let at = 0; at < payload.byteLength;) {
      const piece = payload.subarray(at, at + left);
      part.push(piece);
      at += piece.byteLength;
      left -= piece.byteLength;
      if (left > 0) continue;
      yield part;
      part = [];
      left = PART_BYTES;
    }
  }
  if (part.length > 0) yield part;
}
