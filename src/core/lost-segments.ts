import { documentKind } from './documents/document.js';
import { lostSchema } from './documents/folder-schemas.js';

/** In the data folder: evicted segments that a store no longer holds. */
export const LOST_FILE = 'lost.json';

/** One segment without a known copy, in one store. */
export interface LostSegment {
  /** The sealed file's name without `.mcap`. */
  readonly name: string;
  /** The sink's `form`, if the object is derived from the segment; absent for the sealed file itself. */
  readonly form: string;
  readonly uri: string;
  readonly storeId: string;
  /** Of the object, or of the marker that lists the files made of the segment. */
  readonly key: string;
  /** When the store was found not to hold it, in decimal nanoseconds since the Unix epoch. */
  readonly at: string;
  /** For a person. */
  readonly message: string;
  /** A user acknowledged the loss; it raises no alarm any more. */
  readonly isAcknowledged?: boolean;
}

export interface LostFile {
  readonly version: 1;
  readonly segments: readonly LostSegment[];
}

/** Schema of `lost.json`. */
export const lostFiles = documentKind<LostFile>('list of lost segments', lostSchema);
