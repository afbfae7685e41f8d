import type { SinkKind, SinkSelection, UploadPolicy } from '../core/sink.js';
import type { Alternative } from '../core/send-policy/condition.js';
import type { PassClass } from '../core/send-policy/send-class.js';
import type { SegmentDeriver } from '../core/segment-deriver.js';
import type { Recipient } from '../encryption/wrapped-key.js';
import type { BandwidthLimit } from './bandwidth-limit.js';
import type { Places } from './places.js';
import type { SerialQueue } from '../core/serial-queue.js';

/** What one engine uploads into its store. */
export interface SinkSpec {
  /** Name of the sink within the data folder, in `status` and logs. */
  readonly name: string;
  readonly kind: SinkKind;
  /** '' for the sealed file itself; otherwise the name of the derivation in receipts. */
  readonly form: string;
  /** The local copy of a segment stays until this sink holds it. */
  readonly required: boolean;
  readonly selection: SinkSelection;
  /** Absent: the policy of the process. */
  readonly upload?: UploadPolicy;
  /** When it sends; absent: the conditions of the process. Empty: at any time. */
  readonly when?: readonly Alternative[];
  /** Absent: the budget of the process. 0: none. */
  readonly budgetBytesPerDay?: number;
  /** What passes conditions and budget; absent: the classes of the process. */
  readonly pass?: readonly PassClass[];
  /** Who can read what this sink sends; absent: anyone with the store. A deriver encrypts its files itself. */
  readonly recipients?: readonly Recipient[];
  /** The present rules of `sync.transform`, if this sink gets what they make; absent: it gets sealed segments. */
  readonly transform?: () => readonly string[];
  /** What it holds does not count as the segment: the local copy stays as if this sink had nothing. */
  readonly partial?: true;
  /** Absent: the sealed file unchanged. */
  readonly deriver?: SegmentDeriver;
}

/** Everything unchanged, into the only store: a data folder with a single sink. */
export const soleSink: SinkSpec = { name: 'mcap', kind: 'mcap', form: '', required: true, selection: {} };

/** What the engines of one data folder share. */
export interface SharedByEngines {
  /** More than one sink writes into the receipt of a segment. */
  readonly several: boolean;
  /** Lock for the files of the data folder that several engines read, change and write. */
  readonly files: SerialQueue;
  /** Two engines make one data key for a segment. */
  readonly encryption: SerialQueue;
  /** The link's limit, for all sinks together. */
  readonly bandwidth: BandwidthLimit;
  readonly tombstones: SharedTombstones;
  /** The places of the sinks: a store and its copy count once. */
  readonly places: Places;
}

/** Decides when a tombstone may be removed. */
export interface SharedTombstones {
  /** This sink's store has it. True: no other sink needs it, so the local file may be removed. */
  told(tombstone: string, sink: string): boolean;
}
