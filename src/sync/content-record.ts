import { documentKind } from '../core/documents/document.js';
import { contentRecordSchema } from '../core/documents/content-schema.js';
import type { EncryptionFacts } from '../core/encryption-facts.js';

/** Size and sums of a file. */
export interface Sums {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly crc32: number;
}

/**
 * `encryption/<sealed name without .mcap>.json`: how one sealed segment is encrypted, written durably before the first
 * byte of it is sent. It decides every byte of the ciphertext, so an upload continues with the same bytes after a kill,
 * and all stores get the same object. It holds the data key, beside the plaintext that the key protects elsewhere, and
 * goes when that plaintext goes.
 */
export interface ContentRecord {
  readonly version: 1;
  /** Base64 of 32 bytes. */
  readonly dataKey: string;
  /** Base64 of 32 bytes. */
  readonly salt: string;
  /** Of the sealed file. */
  readonly plain: Sums;
  /** Of the encrypted file. */
  readonly sealed: Sums;
  /** Base64: for each MiB of the sealed file, the first 16 bytes of its SHA-256. */
  readonly blocks: string;
  /** Names the recipients of the wrapped keys. */
  readonly recipients: string;
  readonly encryption: EncryptionFacts;
}

/** Schema of such a file. */
export const contentRecords = documentKind<ContentRecord>('encryption record', contentRecordSchema);

/** The text of such a file. */
export function encodeRecord(record: ContentRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** Bytes of the plaintext with one digest in `blocks`. */
export const BLOCK_BYTES = 1024 * 1024;
/** Bytes of such a digest. */
export const BLOCK_DIGEST_BYTES = 16;
