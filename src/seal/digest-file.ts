import { createHash, type Hash } from 'node:crypto';
import { crc32 } from '@node-rs/crc32';
import { defined } from '../core/defined.js';
import type { FileHandle } from '../core/file-system.js';
import type { ObjectDigest } from '../core/store.js';
import type { ContentKey } from '../encryption/encrypted-content.js';
import { EncryptedStream, PIECE_BYTES } from '../encryption/encrypted-stream.js';

const STAGING_BYTES = 256 * 1024;

/** The bytes that a file begins with. */
export interface BegunFile {
  readonly bytes: number;
  readonly crc32: number;
  /** Absent: unknown, so the digest of the whole has none either. */
  readonly sha256?: Hash;
}

/**
 * An append-only file that computes its SHA-256 and CRC-32 while writing, so that sealing reads nothing back.
 * It has the two methods that `@mcap/core` writes with. Small writes are gathered; the caller may reuse a
 * written buffer at once. With a content key the file is encrypted on its way: positions are those of the plaintext,
 * the digest is that of the file.
 */
export class DigestFile {
  readonly #sha256: Hash | undefined;
  #crc: number;
  /** Bytes of the plaintext before the staged ones. */
  #written: number;
  #fileBytes: number;
  #staged = 0;
  readonly #staging = Buffer.allocUnsafeSlow(STAGING_BYTES);

  readonly #handle: FileHandle;
  readonly #encryption: EncryptedStream | undefined;
  /** The last write of ciphertext: the disk works while the next bytes are made and encrypted. */
  #writing: Promise<void> = Promise.resolve();

  /**
   * @param begun - The existing start of the file; default: empty. Its hash must not be used again.
   * @param contentKey - Encrypts a file that is empty so far; absent: it is plain.
   */
  constructor(
    handle: FileHandle,
    begun: BegunFile = { bytes: 0, crc32: 0, sha256: createHash('sha256') },
    contentKey?: ContentKey,
  ) {
    this.#handle = handle;
    this.#encryption = contentKey && new EncryptedStream(contentKey);
    this.#sha256 = begun.sha256;
    this.#crc = begun.crc32;
    this.#written = begun.bytes;
    this.#fileBytes = begun.bytes;
  }

  position(): bigint {
    return BigInt(this.#written + this.#staged);
  }

  async write(bytes: Uint8Array): Promise<void> {
    const isLarge = bytes.byteLength > STAGING_BYTES / 2;
    if (isLarge || this.#staged + bytes.byteLength > STAGING_BYTES) await this.#flush();
    if (isLarge) {
      await this.#writeOut(bytes);
      return;
    }
    this.#staging.set(bytes, this.#staged);
    this.#staged += bytes.byteLength;
  }

  /** Writes out the staged bytes, makes the file durable and returns its digest. */
  async finish(): Promise<ObjectDigest> {
    await this.#flush();
    if (this.#encryption) await this.#appendBehind(this.#encryption.finish());
    await this.#writing;
    await this.#handle.sync();
    const sha256 = this.#sha256?.digest('hex');
    return { bytes: this.#fileBytes, ...defined({ sha256 }), crc32: this.#crc };
  }

  async #flush(): Promise<void> {
    if (this.#staged === 0) return;
    const bytes = this.#staging.subarray(0, this.#staged);
    this.#staged = 0;
    await this.#writeOut(bytes);
  }

  async #writeOut(bytes: Uint8Array): Promise<void> {
    if (!this.#encryption) await this.#append(bytes);
    for (let at = 0; this.#encryption && at < bytes.byteLength; at += PIECE_BYTES) {
      await this.#appendBehind(this.#encryption.update(bytes.subarray(at, at + PIECE_BYTES)));
    }
    this.#written += bytes.byteLength;
  }

  /** Begins to write bytes of the stream's own memory. A failure is thrown by the next call, or at the end. */
  async #appendBehind(bytes: Uint8Array): Promise<void> {
    await this.#writing;
    this.#writing = this.#append(bytes);
    this.#writing.catch(() => undefined);
  }

  async #append(bytes: Uint8Array): Promise<void> {
    this.#sha256?.update(bytes);
    this.#crc = crc32(bytes, this.#crc);
    for (let at = 0; at < bytes.byteLength;) {
      const { bytesWritten } = await this.#handle.write(bytes, at, bytes.byteLength - at);
      at += bytesWritten;
    }
    this.#fileBytes += bytes.byteLength;
  }
}
