import type { Manifest } from './manifest.js';
import type { ObjectDigest } from './store.js';

/** One file made of a segment, on the local disk until it is sent. */
export interface DerivedFile extends ObjectDigest {
  /** Where it goes, relative to the store's prefix. */
  readonly key: string;
  readonly path: string;
}

/** The description of what was made of one segment: put last, it says that all files are there. */
export interface DerivedMarker {
  readonly key: string;
  readonly text: string;
}

export interface Derived {
  readonly files: readonly DerivedFile[];
  readonly marker: DerivedMarker;
}

/** What the store holds at a marker's key; `torn`: a write that was cut off. */
export type MarkerVerdict = 'complete' | 'evicted' | 'torn' | 'other';

/**
 * Makes files out of one sealed segment. Pure in its output: the same segment gives the same keys and bytes,
 * whoever makes them and whenever. Throws `SEGMENT_CORRUPT` for what cannot be read whole.
 */
export interface SegmentDeriver extends AsyncDisposable {
  /** Known without making anything. */
  markerKey(manifest: Manifest): string;
  /** Whether a marker found in the store is this segment's. */
  judge(marker: Buffer, manifest: Manifest): MarkerVerdict;
  /** The marker of a segment that was evicted before anything was made of it. */
  tombstone(manifest: Manifest): DerivedMarker;
  /** Files go below `scratch`, an empty folder of this segment's own. */
  derive(mcapPath: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived>;
}
