import type { Verification } from '../core/store.js';

/**
 * What sync remembers of one segment towards one store, as JSON under `v1/<store id>/<segment base name>`
 * in `data/sync`. Nothing here is needed for correctness: receipts, the store's own lists and checksums
 * give it back; it saves asking.
 */
export type ProgressRecord =
  | {
      /** A call that carries the whole file may be under way. */
      readonly state: 'sending';
      readonly suffix: number;
    }
  | {
      readonly state: 'uploading';
      readonly suffix: number;
      /** Where to, as the store's URI had it. */
      readonly uri: string;
      readonly key: string;
      readonly uploadId: string;
      readonly partBytes: number;
      /** Parts begun so far; those the store does not list afterwards have to be sent a second time. */
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

const states: readonly string[] = ['sending', 'uploading', 'verified', 'parked'];

const fields: { readonly [S in ProgressRecord['state']]: Readonly<Record<string, 'string' | 'number'>> } = {
  sending: { suffix: 'number' },
  uploading: {
    suffix: 'number',
    key: 'string',
    uploadId: 'string',
    partBytes: 'number',
    started: 'number',
  },
  verified: {
    key: 'string',
    bytes: 'number',
    sha256: 'string',
    verification: 'string',
    verifiedAt: 'string',
  },
  parked: { robot: 'string', bytes: 'number', code: 'string', message: 'string' },
};

/** `undefined` for anything that is not a record: it is then as if it had never been written. */
export function decodeProgress(text: string): ProgressRecord | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const record = json as Record<string, unknown>;
  if (!states.includes(record['state'] as string)) return undefined;
  const wanted = fields[record['state'] as ProgressRecord['state']];
  const fits = Object.entries(wanted).every(([name, type]) => typeof record[name] === type);
  return fits ? (record as unknown as ProgressRecord) : undefined;
}

export function encodeProgress(record: ProgressRecord): string {
  return JSON.stringify(record);
}

export function progressKey(storeId: string, name: string): string {
  return `v1/${storeId}/${name}`;
}
