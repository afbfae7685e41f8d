import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { Store } from '../core/store.js';
import { acquireRoleLock, type RoleLock } from '../wal/role-lock.js';
import type { OpenProgressDatabase } from './progress-database.js';
import type { SharedByEngines, SinkSpec } from './sync-sink.js';
import type { SyncOptions } from './sync-options.js';

/** The world as sync sees it, and who this process is. */
export interface SyncPorts {
  readonly dataFolder: string;
  /** Closed by whoever made it, after the engine. */
  readonly store: Store;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly version: string;
  readonly pid: number;
  /** What is not given has its default. */
  readonly options?: Partial<SyncOptions>;
  /** Called after something visible changed, at most once per turn of the event loop; read `status()` then. */
  readonly onStatusChange?: () => void;
  /** Default: the sealed files as they are, all of them. */
  readonly sink?: SinkSpec;
  /** Where several engines work on one data folder. */
  readonly shared?: SharedByEngines;
  /** Folder of the upload state, where it is not the data folder's `sync/`. */
  readonly stateFolder?: string;
  /** Default: LevelDB. */
  readonly openProgress?: OpenProgressDatabase;
  /** Default: {@link acquireRoleLock} for `sync`. */
  readonly acquireLock?: (fs: FileSystem, folder: DataFolder) => Promise<RoleLock>;
}

/**
 * Takes the role `sync`. Undefined: not now. A disk nobody can write to cannot hold a lock either, and must not
 * stop uploading: two processes would waste bandwidth, not data.
 */
export async function takeSyncLock(
  { fs, acquireLock }: SyncPorts,
  folder: DataFolder,
  trouble: (message: string) => void,
): Promise<RoleLock | undefined> {
  try {
    return await (acquireLock?.(fs, folder) ?? acquireRoleLock(fs, folder, 'sync'));
  } catch (error) {
    if (isHoldfastError(error, 'DATA_FOLDER_BUSY')) throw error;
    trouble(`the sync lock cannot be taken now, going on without: ${describeError(error)}`);
    return undefined;
  }
}
