import { createHash, type Hash } from 'node:crypto';
import { crc32 } from '@node-rs/crc32';
import { HoldfastError } from '../../core/errors.js';
import type { ObjectDigest } from '../../core/store.js';

/** The sums of what passes. */
export class ObjectSum {
  readonly #sha256: Hash = createHash('sha256');
  #crc32 = 0;
  #bytes = 0;
  #text: string | undefined;

  async *of<T extends Uint8Array>(pieces: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const piece of pieces) {
      this.#sha256.update(piece);
      this.#crc32 = crc32(piece, this.#crc32);
      this.#bytes += piece.byteLength;
      yield piece;
    }
  }

  result(): ObjectDigest {
    this.#text ??= this.#sha256.digest('hex');
    return { bytes: this.#bytes, sha256: this.#text, crc32: this.#crc32 };
  }

  /** Throws `OBJECT_CORRUPT` if the source had other bytes than it should. */
  check(key: string, listedBytes: number, expected: ObjectDigest | undefined): void {
    const { bytes, sha256, crc32: sum } = this.result();
    const isListed = bytes === listedBytes;
    const isExpected =
      expected === undefined ||
      (bytes === expected.bytes && sum === expected.crc32 && [undefined, sha256].includes(expected.sha256));
    if (isListed && isExpected) return;
    const what = isListed ? 'the bytes that its manifest describes' : 'the size that it was listed with';
    throw new HoldfastError('OBJECT_CORRUPT', `the source does not have ${what}: ${key}`, { facts: { key } });
  }
}
