import { documentKind } from './documents/document.js';
import { receiptsSchema } from './documents/folder-schemas.js';
import type { ObjectDigest } from './store.js';

/**
 * `receipts/<sealed name without .mcap>.json`: sync writes it durably once a store provably holds the segment
 * and its manifest; the recorder's retention reads it. One entry per store and form.
 */
export interface SegmentReceipts {
  readonly version: 1;
  readonly segment: string;
  readonly robot: string;
  readonly stores: readonly StoreReceipt[];
}

export interface StoreReceipt {
  readonly storeId: string;
  readonly uri: string;
  /** The sink's `form`, if the object is derived from the segment; absent for the sealed file itself. */
  readonly form?: string;
  /** The store holds only some topics of the segment. */
  readonly partial?: true;
  /** Of the object, or of the manifest that lists the files made of the segment. */
  readonly key: string;
  /** Of the sealed file. */
  readonly sha256: string;
  /** CRC-32 of the sealed file. Absent: written by an earlier version. */
  readonly crc32?: number;
  /** The object, if it is the encrypted sealed file; absent: the sealed file as it is. */
  readonly encrypted?: EncryptedObject;
  readonly verification: 'store-checksum' | 'read-back';
  /** Decimal nanoseconds since the Unix epoch. */
  readonly verifiedAt: string;
  /** The last time that sync asked the store about it. Absent: never since it was verified. */
  readonly asked?: StoreAnswer;
}

/** Size and sums of an encrypted object, and the id of its data key in hex. */
export interface EncryptedObject {
  readonly bytes: number;
  readonly sha256: string;
  readonly crc32: number;
  readonly keyId: string;
}

/** An object or manifest in a question to the store. */
export interface AskedObject {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly crc32: number;
}

/**
 * The answer of a store when sync asked for its id, and for object and manifest by key, size and checksum.
 * Retention deletes a local copy only on this evidence ({@link decideEviction} in `eviction.ts`).
 */
export interface StoreAnswer {
  readonly answer: 'held' | 'missing' | 'differs';
  /** Wall clock before the first question, decimal nanoseconds since the Unix epoch. */
  readonly askedAt: string;
  /** The id that the store returned before and after the questions. */
  readonly storeId: string;
  /** Nonce of the recorder's request that this answers, if there was one. */
  readonly request?: string | undefined;
  /** Absent if the sink stores files derived from the segment. */
  readonly object?: AskedObject;
  /** Of the manifest, or of the marker that lists the files. */
  readonly manifest: AskedObject;
}

/** Whether a receipt is about a file with these sums. A file that has no SHA-256 yet is known by its CRC-32. */
export function isReceiptFor(
  receipt: Pick<StoreReceipt, 'sha256' | 'crc32'>,
  { sha256, crc32 }: Pick<ObjectDigest, 'sha256' | 'crc32'>,
): boolean {
  return sha256 === undefined ? receipt.crc32 === crc32 : receipt.sha256 === sha256;
}

/** Name of the receipt (and tombstone) file for a sealed MCAP. */
export function receiptFileName(sealedName: string): string {
  return sealedName.replace(/\.mcap(\.enc)?$/, '.json');
}

/** Schema of a receipt file. Throws `MANIFEST_INVALID`. */
export const receiptFiles = documentKind<SegmentReceipts>('receipt', receiptsSchema);
