import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import type { SyncEvent } from '../core/events.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { Store } from '../core/store.js';
import type { Link } from './link.js';
import type { LostSegments } from './lost-segments.js';
import type { OpenUploads } from './open-uploads.js';
import type { ProgressStore } from './progress-store.js';
import type { Receipts } from './receipts.js';
import type { SegmentEncryption } from './segment-encryption.js';
import type { SegmentTable } from './segment-table.js';
import type { SendGate } from './send-gate.js';
import type { SpendLedger } from './spend-ledger.js';
import type { StoreCalls } from './store-calls.js';
import type { StoreIdentity } from './store-identity.js';
import type { StoreMemory } from './store-memory.js';
import type { SyncCounters } from './sync-counters.js';
import type { SharedByEngines, SinkSpec } from './sync-sink.js';
import type { SyncOptions } from './sync-options.js';
import type { Tombstones } from './tombstones.js';

/** The parts of one engine, which its loops share. */
export interface SyncParts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly store: Store;
  readonly sink: SinkSpec;
  readonly shared: SharedByEngines;
  readonly folder: DataFolder;
  /** Constant while sync runs. */
  readonly dataFolderId: () => Promise<string>;
  /** Names of the segments to send; undefined: all. */
  readonly only: ReadonlySet<string> | undefined;
  /** Names of segments that were requested: they go under every policy. */
  readonly requested: Set<string>;
  /** The present options: read them when they are needed, do not keep them. */
  options: SyncOptions;
  readonly counters: SyncCounters;
  readonly calls: StoreCalls;
  readonly link: Link;
  readonly identity: StoreIdentity;
  readonly memory: StoreMemory;
  readonly table: SegmentTable;
  readonly receipts: Receipts;
  readonly progress: ProgressStore;
  readonly tombstones: Tombstones;
  readonly openUploads: OpenUploads;
  /** Absent: segments leave as they are. */
  readonly encryption: SegmentEncryption | undefined;
  /** What may be sent now. */
  readonly gate: SendGate;
  /** Bytes sent by day. */
  readonly ledger: SpendLedger;
  /** Evicted segments that the store no longer holds. */
  readonly lost: LostSegments;
  /** Aborts when the engine stops. */
  readonly lifetime: AbortSignal;
  /** The table has the present content, for the present store. */
  readonly isTableValid: () => boolean;
  /** The same, after a scan of the whole folder. */
  readonly isTableWhole: () => boolean;
  /** Something visible changed. */
  readonly changed: () => void;
  /** An event for the listeners. */
  readonly tell: (event: SyncEvent) => void;
  /** A local fault, in words. */
  readonly trouble: (message: string) => void;
}

/** The parts of every loop that asks the store about segments. */
export type StoreLoopParts = Pick<
  SyncParts,
  | 'changed'
  | 'clock'
  | 'counters'
  | 'folder'
  | 'fs'
  | 'gate'
  | 'identity'
  | 'isTableValid'
  | 'isTableWhole'
  | 'lifetime'
  | 'link'
  | 'logger'
  | 'options'
  | 'receipts'
  | 'sink'
  | 'table'
>;
