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
  /** What a store said counts for so long, ms. */
  readonly confirmMaxAgeMs: number;
  /** 0: no ballast. */
  readonly ballastBytes: number;
  /** Of one WAL segment: what is freed beyond a limit. */
  readonly segmentMaxBytes: number;
}

export interface RetentionPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly onEvicted?: EvictPorts['onEvicted'];
  /** How long answers of sync are waited for, ms. Default: a few seconds. */
  readonly patienceMs?: number;
}

export interface RetentionState {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** A limit is reached and nothing more may go. */
  readonly full: boolean;
  /** Commits may continue: not full, or a policy that records down to the last byte. */
  readonly admits: boolean;
  /** For a person, while `full` or not admitting. */
  readonly detail: string;
  /** Evicted since the start of this process. */
  readonly evictedSegments: number;
  /** Of these, the ones no store had. */
  readonly droppedSegments: number;
  readonly droppedMessages: number;
}
