import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import type { SyncEvent } from '../core/events.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { Store } from '../core/store.js';
import type { Link } from './link.js';
import type { OpenUploads } from './open-uploads.js';
import type { ProgressStore } from './progress-store.js';
import type { Receipts } from './receipts.js';
import type { SegmentTable } from './segment-table.js';
import type { StoreCalls } from './store-calls.js';
import type { StoreIdentity } from './store-identity.js';
import type { SyncCounters } from './sync-counters.js';
import type { SharedByEngines, SinkSpec } from './sync-sink.js';
import type { SyncOptions } from './sync-options.js';
import type { Tombstones } from './tombstones.js';

/** What the loops of one engine share. */
export interface SyncParts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly store: Store;
  readonly sink: SinkSpec;
  readonly shared: SharedByEngines;
  readonly folder: DataFolder;
  /** In force now: read it when it is needed, do not keep it. */
  options: SyncOptions;
  readonly counters: SyncCounters;
  readonly calls: StoreCalls;
  readonly link: Link;
  readonly identity: StoreIdentity;
  readonly table: SegmentTable;
  readonly receipts: Receipts;
  readonly progress: ProgressStore;
  readonly tombstones: Tombstones;
  readonly openUploads: OpenUploads;
  /** Aborts when the engine stops. */
  readonly lifetime: AbortSignal;
  /** The table holds what is there, towards the store that is there. */
  readonly isTableValid: () => boolean;
  /** Something visible changed. */
  readonly changed: () => void;
  /** Something happened that others want to hear of. */
  readonly tell: (event: SyncEvent) => void;
  /** Something local does not work; in words. */
  readonly trouble: (message: string) => void;
}
