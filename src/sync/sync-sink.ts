import type { SinkSelection } from '../core/sink.js';
import type { SegmentDeriver } from '../core/segment-deriver.js';
import type { BandwidthLimit } from './bandwidth-limit.js';
import type { Turns } from './turns.js';

/** What one engine brings into its store. */
export interface SinkSpec {
  /** Of all sinks of a data folder, this one: what `status` shows and logs say. */
  readonly name: string;
  readonly kind: 'mcap' | 'parquet';
  /** '' for the sealed file itself; else what receipts call that which is made of it. */
  readonly form: string;
  /** A segment's local copy stays until this sink holds it. */
  readonly required: boolean;
  readonly selection: SinkSelection;
  /** Absent: the sealed file goes as it is. */
  readonly deriver?: SegmentDeriver;
}

/** Everything as it is, into the one store: a data folder with a single sink. */
export const soleSink: SinkSpec = { name: 'mcap', kind: 'mcap', form: '', required: true, selection: {} };

/** What the engines of one data folder share. */
export interface SharedByEngines {
  /** More than one sink writes into the receipt of a segment. */
  readonly several: boolean;
  /** Files of the data folder that several engines read, change and write: one at a time. */
  readonly files: Turns;
  /** The link's limit, whatever the number of sinks. */
  readonly bandwidth: BandwidthLimit;
  readonly tombstones: SharedTombstones;
}

/** Agrees on when a tombstone may be removed. */
export interface SharedTombstones {
  /** This sink's store knows it. True: nobody else must still be told, the local note may go. */
  told(tombstone: string, sink: string): boolean;
}
