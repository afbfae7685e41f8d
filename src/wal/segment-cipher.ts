import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { RandomBytes } from '../core/identity.js';
import { decrypt, derive, encrypt, NONCE_BYTES, TAG_BYTES } from '../encryption/derive.js';
import {
  newStoredKey,
  openStoredKey,
  STORED_KEY_BYTES,
  type SymmetricKeys,
} from '../encryption/stored-key.js';

/*
 * The key of one encrypted segment. It is random, and wrapped by a symmetric key (stored-key.ts). The wrapped form lies
 * in the file `key` and in every write of the log, so that no single damage takes it.
 *
 * Invariants
 * - A segment is written by one process and never continued. So only one object ever encrypts with its key.
 * - Writes of the log have the key derive(data key, empty, "wal log"), and their number as the nonce. The writer counts
 *   every attempt.
 * - The blob has the key derive(data key, empty, "wal blob"), and the offset in the file as the nonce. After a failed
 *   append the writer appends nothing more, so no offset is encrypted twice.
 */

/** The first one wraps the keys of new segments, all of them read. Empty: segments are not encrypted. */
export type WalKeys = SymmetricKeys;

/** File of a segment's directory with its wrapped key. */
export const KEY_FILE = 'key';
/** Bytes of a wrapped key. */
export const WRAPPED_BYTES = STORED_KEY_BYTES;
const NONE = Buffer.alloc(0);

/** Encrypts and decrypts one segment. */
export class SegmentCipher {
  /** As it is stored. */
  readonly wrapped: Buffer;
  readonly #logKey: Buffer;
  readonly #blobKey: Buffer;

  private constructor(wrapped: Buffer, dataKey: Uint8Array) {
    this.wrapped = wrapped;
    this.#logKey = derive(dataKey, NONE, 'wal log');
    this.#blobKey = derive(dataKey, NONE, 'wal blob');
  }

  /** A new data key, wrapped by `key`. */
  static create(key: Uint8Array, random: RandomBytes): SegmentCipher {
    const { dataKey, stored } = newStoredKey(key, random);
    return new SegmentCipher(stored, dataKey);
  }

  /**
   * Throws `IDENTITY_MISSING` if the data key is wrapped by none of the keys, and `CIPHERTEXT_CORRUPT` if the wrapped
   * key is damaged.
   *
   * @param segment - Its id, for errors.
   */
  static open(wrapped: Buffer, keys: WalKeys, segment: string): SegmentCipher {
    const dataKey = openStoredKey(wrapped, keys, `segment ${segment} in wal/`);
    return new SegmentCipher(Buffer.from(wrapped), dataKey);
  }

  /** Encrypts the entries of a write. `number` must be fresh; `stamp` is authenticated. */
  sealWrite(number: bigint, stamp: Uint8Array, plaintext: Uint8Array): Buffer {
    return encrypt(this.#logKey, nonceOf(number), plaintext, stamp);
  }

  /** The entries of a write; undefined if it is not what was encrypted. */
  openWrite(number: bigint, stamp: Uint8Array, sealed: Uint8Array): Buffer | undefined {
    return decrypt(this.#logKey, nonceOf(number), sealed, stamp);
  }

  /** Encrypts a part of the blob for this offset, in pieces; the tag comes last. */
  sealPart(offset: number, plaintext: readonly Uint8Array[]): Uint8Array[] {
    const cipher = createCipheriv('aes-256-gcm', this.#blobKey, nonceOf(BigInt(offset)));
    const pieces: Uint8Array[] = plaintext.map((piece) => cipher.update(piece));
    // A stream cipher gives nothing at its end, but completes the tag.
    cipher.final();
    pieces.push(cipher.getAuthTag());
    return pieces;
  }

  /** Decrypts a part into `target`; false if it is not what was encrypted, and then `target` is all zeros. */
  openPart(offset: number, sealed: Buffer, target: Buffer): boolean {
    const end = sealed.length - TAG_BYTES;
    const nonce = nonceOf(BigInt(offset));
    const decipher = createDecipheriv('aes-256-gcm', this.#blobKey, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
    } catch {
      target.fill(0);
      return false;
    }
    plain.copy(target);
    return true;
  }
}

function nonceOf(number: bigint): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64BE(number, NONCE_BYTES - 8);
  return nonce;
}
