import { createHash } from 'node:crypto';
import { crc32 } from '@node-rs/crc32';
import { defined } from '../core/defined.js';
import type { Readable } from '../core/mcap/readable.js';

const PIECE_BYTES = 1024 * 1024;

/**
 * Passes reads through and digests every byte once, in order, for any order of reads: so one reading of a
 * remote object serves both its content and its checksums.
 */
export class DigestingReadable implements Readable {
  readonly #sha256 = createHash('sha256');
  #crc = 0;
  #at = 0;
  #crcAtMark: number | undefined;

  /**
   * @param mark byte offset at which the CRC so far is remembered
   * @param onBytes called with each number of bytes digested
   */
  constructor(
    readonly inner: Readable,
    readonly mark: number | undefined,
    readonly onBytes: (bytes: number) => void = () => {},
  ) {}

  size(): Promise<bigint> {
    return this.inner.size();
  }

  async read(offset: bigint, size: bigint): Promise<Uint8Array> {
    await this.#upTo(Number(offset));
    const bytes = await this.inner.read(offset, size);
    this.#take(bytes.subarray(Math.max(0, Math.min(bytes.byteLength, this.#at - Number(offset)))));
    return bytes;
  }

  /** Digests the rest. */
  async finish(): Promise<{ readonly sha256: string; readonly crc32: number; readonly crcAtMark?: number }> {
    await this.#upTo(Number(await this.size()));
    return {
      sha256: this.#sha256.digest('hex'),
      crc32: this.#crc,
      ...defined({ crcAtMark: this.#crcAtMark }),
    };
  }

  async #upTo(offset: number): Promise<void> {
    while (this.#at < offset) {
      const size = Math.min(PIECE_BYTES, offset - this.#at);
      this.#take(await this.inner.read(BigInt(this.#at), BigInt(size)));
    }
  }

  #take(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    const toMark = (this.mark ?? -1) - this.#at;
    if (toMark >= 0 && toMark <= bytes.byteLength)
      this.#crcAtMark = crc32(bytes.subarray(0, toMark), this.#crc);
    this.#sha256.update(bytes);
    this.#crc = crc32(bytes, this.#crc);
    this.#at += bytes.byteLength;
    this.onBytes(bytes.byteLength);
  }
}
