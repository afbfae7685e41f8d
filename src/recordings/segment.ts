import type { Manifest } from '../core/manifest.js';
import type { Readable } from '../core/mcap/readable.js';

/** One MCAP that can be read: a sealed segment, an object of a store, or a file of a recording. */
export interface Segment {
  /** A path or key. */
  readonly name: string;
  readonly bytes: number;
  /** The sealed file's name: the same for a segment in any place. */
  readonly fileName?: string;
  /** Segment id and robot; absent without a manifest. */
  readonly id?: string;
  readonly robot?: string;
  /** VIN of the vehicle; absent without a manifest, and if the recorder did not know it. */
  readonly vin?: string;
  /** Log times; absent without a manifest. */
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  /** Jumps of the wall clock while it was recorded; absent without a manifest. */
  readonly clockSteps?: Manifest['clockSteps'];
  readable(): Readable;
}

/** A part that could not be read, and why. */
export interface Problem {
  /** Path or key. */
  readonly where: string;
  /** In words. */
  readonly reason: string;
}
