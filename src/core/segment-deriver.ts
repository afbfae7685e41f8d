import type { Manifest } from './manifest.js';
import type { ObjectDigest, Store } from './store.js';
import type { TableSchema } from './table-schema.js';

/** One file made of a segment, on the local disk until it is sent. */
export interface DerivedFile extends ObjectDigest {
  readonly sha256: string;
  /** Its key, relative to the store's prefix. */
  readonly key: string;
  readonly path: string;
}

/** An object that a marker lists. */
export interface ListedObject extends ObjectDigest {
  readonly key: string;
}

/** The list of the files made of one segment. It is written last and states that all files are there. */
export interface DerivedMarker {
  readonly key: string;
  readonly text: string;
}

export interface Derived {
  readonly files: readonly DerivedFile[];
  readonly marker: DerivedMarker;
  /** Columns of the tables in them. */
  readonly schemas?: readonly TableSchema[];
  /** Messages of which the files hold only the bytes, or nothing. */
  readonly undecoded?: number;
  /** Content of the segment that the files cannot hold, in words; absent if they hold all of it. */
  readonly leftOut?: string;
  /** Payload bytes before and after `sync.transform`; absent if nothing was transformed. */
  readonly transformed?: { readonly bytesIn: number; readonly bytesOut: number };
}

/** What the store holds at a marker's key; `torn`: an incomplete write; `deleted`: on request, not to be sent again. */
export type MarkerVerdict = 'complete' | 'evicted' | 'deleted' | 'torn' | 'other';

/**
 * Makes files out of one sealed segment. The output depends on the segment only: the same segment gives the
 * same keys and bytes on every machine and at any time. Throws `SEGMENT_CORRUPT` if the segment cannot be
 * read completely.
 */
export interface SegmentDeriver extends AsyncDisposable {
  /** Its file is the segment under the same key, so it answers requests for the segment. */
  readonly standsForSegment?: true;
  /** Known before any file is made. */
  markerKey(manifest: Manifest): string;
  /** Whether a marker found in the store belongs to this segment. */
  judge(marker: Buffer, manifest: Manifest): MarkerVerdict;
  /** The files that a complete marker lists. Throws `MANIFEST_INVALID`. */
  files(marker: Buffer): readonly ListedObject[];
  /** The objects that now hold the content of these keys; undefined if one of them was not replaced. */
  replacements(
    store: Store,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly ListedObject[] | undefined>;
  /** The marker of a segment that was evicted before any file was made of it. */
  tombstone(manifest: Manifest): DerivedMarker;
  /** Files go below `scratch`, an empty folder for this segment alone. */
  derive(mcapPath: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived>;
}
