import { documentKind } from '../core/documents/document.js';
import { progressSchema } from '../core/documents/folder-schemas.js';
import type { Verification } from '../core/store.js';

/**
 * What sync remembers of one segment and one store, as JSON under `v1/<store id>/<segment base name>` in
 * `data/sync`. It only saves questions: receipts, the store's lists and checksums can restore all of it.
 */
export type ProgressRecord =
  | {
      /** A call with the whole file may be under way. */
      readonly state: 'sending';
      readonly suffix: number;
    }
  | {
      readonly state: 'uploading';
      readonly suffix: number;
      /** The store's URI at that time; absent in records of early versions. */
      readonly uri?: string;
      readonly key: string;
      readonly uploadId: string;
      readonly partBytes: number;
      /** Parts begun so far; those that the store does not list afterwards must be sent again. */
      readonly started: number;
    }
  | {
      readonly state: 'verified';
      readonly key: string;
      readonly bytes: number;
      readonly sha256: string;
      readonly verification: Verification;
      /** Decimal nanoseconds since the Unix epoch. */
      readonly verifiedAt: string;
    }
  | {
      readonly state: 'parked';
      readonly robot: string;
      readonly bytes: number;
      readonly code: string;
      readonly message: string;
    };

/** For a segment that may be in the store: look for it before sending. */
export const toBeLookedFor: ProgressRecord = { state: 'sending', suffix: 0 };

/** Schema of the value under a segment's key in `data/sync`. */
export const progressRecords = documentKind<ProgressRecord>('upload record', progressSchema);

/** `undefined` for anything that is not a record. */
export function decodeProgress(text: string): ProgressRecord | undefined {
  return progressRecords.parseIfValid(text);
}

export function encodeProgress(record: ProgressRecord): string {
  return JSON.stringify(record);
}

/** Key of the number of segments verified in a store so far; it is not a key of a segment. */
export function syncedTotalKey(storeId: string): string {
  return `total/${storeId}`;
}

export function progressKey(storeId: string, name: string): string {
  return `v1/${storeId}/${name}`;
}
