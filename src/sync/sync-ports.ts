import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { NetworkSource } from '../core/send-policy/facts.js';
import type { Store } from '../core/store.js';
import { acquireRoleLock, type RoleLock } from '../host/role-lock.js';
import type { OpenProgressDatabase } from './progress-database.js';
import type { SharedByEngines, SinkSpec } from './sync-sink.js';
import type { SyncOptions } from './sync-options.js';

/** The environment of sync, and the identity of this process. */
export interface SyncPorts {
  readonly dataFolder: string;
  /** Closed by its creator, after the engine. */
  readonly store: Store;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly version: string;
  readonly pid: number;
  /** Missing options have their defaults. */
  readonly options?: Partial<SyncOptions>;
  /** Sealed names, without `.mcap`, of the segments to send; default: all. */
  readonly only?: ReadonlySet<string>;
  /** For the conditions of `sync.when`; absent: nothing is known about the network. */
  readonly network?: NetworkSource;
  /** Called after a visible change, at most once per turn of the event loop; read `status()` then. */
  readonly onStatusChange?: () => void;
  /** Default: the sealed files as they are, all of them. */
  readonly sink?: SinkSpec;
  /** Set if several engines work on one data folder. */
  readonly shared?: SharedByEngines;
  /** Folder of the upload state, if it is not the data folder's `sync/`. */
  readonly stateFolder?: string;
  /** Default: LevelDB. */
  readonly openProgress?: OpenProgressDatabase;
  /** Default: {@link acquireRoleLock} for `sync`. */
  readonly acquireLock?: (fs: FileSystem, folder: DataFolder) => Promise<RoleLock>;
}

/**
 * Takes the role `sync`. Undefined: not now. A disk that cannot be written cannot hold a lock either, and
 * must not stop uploads: two processes would waste bandwidth, but lose no data.
 */
export async function takeSyncLock(
  { fs, acquireLock, logger }: SyncPorts,
  folder: DataFolder,
  trouble: (message: string) => void,
): Promise<RoleLock | undefined> {
  try {
    return await (acquireLock?.(fs, folder) ?? acquireRoleLock(fs, folder, 'sync', logger));
  } catch (error) {
    if (isHoldfastError(error, 'DATA_FOLDER_BUSY')) throw error;
    trouble(`the sync lock cannot be taken now, going on without: ${describeError(error)}`);
    return undefined;
  }
}
