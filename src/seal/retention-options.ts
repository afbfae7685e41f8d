import type { Clock } from '../core/clock.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { EvictPorts } from './retention-evict.js';
import type { WhenFull } from './retention-plan.js';

export interface RetentionOptions {
  /** The floor of free disk space is the smaller of `minFreeBytes` and `minFreePercent` of the disk. */
  readonly minFreeBytes: number;
  readonly minFreePercent: number;
  /** Quota of the data folder in bytes; 0: none. */
  readonly maxBytes: number;
  readonly whenFull: WhenFull;
  /** Maximum age of a store's answer, ms. */
  readonly confirmMaxAgeMs: number;
  /** Size of the ballast; 0: none. */
  readonly ballastBytes: number;
  /** Maximum size of one WAL segment; retention frees so much beyond a limit. */
  readonly segmentMaxBytes: number;
}

export interface RetentionPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly onEvicted?: EvictPorts['onEvicted'];
  /**
   * Disk space in bytes that the segments in the queue of the sealer need before the first of them is sealed; 0 if
   * none waits. Default: 0.
   */
  readonly sealBytes?: () => number;
  /** How long to wait for answers of sync, ms. Default: a few seconds. */
  readonly patienceMs?: number;
}

export interface RetentionState {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** A limit is reached and no segment may be evicted. */
  readonly full: boolean;
  /** Commits may continue: the disk is not full, or the policy evicts and sealing has the space that it needs. */
  readonly admits: boolean;
  /** The reason in words, if the disk is full or commits wait. */
  readonly detail: string;
  /** Segments evicted since the start of this process. */
  readonly evictedSegments: number;
  /** Evicted segments that no store held. */
  readonly droppedSegments: number;
  readonly droppedMessages: number;
}
