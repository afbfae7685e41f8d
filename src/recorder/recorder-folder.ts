import { dataFolder, type DataFolder } from '../core/data-folder.js';
import { HoldfastError, describeError, isHoldfastError, systemCode } from '../core/errors.js';
import type { Identity } from '../core/identity.js';
import { releaseBallast } from '../seal/ballast.js';
import { makeRoomForStart } from '../seal/retention-start.js';
import type { RetentionOptions } from '../seal/retention-options.js';
import type { WalKeys } from '../wal/segment-cipher.js';
import { recoverWal, type RecoveredWal } from '../wal/recover.js';
import { readAtRestKeys } from './at-rest-keys.js';
import { writeFailureCode } from '../wal/write-failure.js';
import { makeDataFolder } from '../host/make-data-folder.js';
import { acquireRoleLock, type RoleLock } from '../host/role-lock.js';
import type { RecorderOptions } from '../settings/recorder-options.js';
import { readIdentity } from '../host/host-identity.js';
import type { SystemPorts } from '../host/ports.js';

/** A consistent data folder that the recorder holds. */
export interface TakenFolder {
  readonly folder: DataFolder;
  readonly lock: RoleLock;
  readonly identity: Identity;
  readonly recovered: RecoveredWal;
  /** Of `encryption.at_rest_key`; empty: the WAL is not encrypted. */
  readonly walKeys: WalKeys;
}

/** The inputs of retention. */
export function retentionOptions(options: RecorderOptions): RetentionOptions {
  return {
    ...options.retention,
    ballastBytes: options.ballastBytes,
    segmentMaxBytes: options.segment.maxBytes,
  };
}

/**
 * Takes the recorder's role on the data folder and makes its WAL consistent. Throws `DATA_FOLDER_BUSY`,
 * `DATA_FOLDER_UNUSABLE` or `DISK_FULL`; about keys `KEY_INVALID`, or `IDENTITY_MISSING` if segments in `wal/` have
 * another one.
 */
export async function takeDataFolder(options: RecorderOptions, ports: SystemPorts): Promise<TakenFolder> {
  const folder = dataFolder(options.data);
  const walKeys = await readAtRestKeys(options, ports);
  try {
    await makeDataFolder(ports.fs, folder.root, options.dataAccess);
  } catch (cause) {
    throw new HoldfastError('DATA_FOLDER_UNUSABLE', `cannot use ${options.data} as data folder`, { cause });
  }
  const lock = await takeRole(folder, ports);
  try {
    const identity = await readIdentity(folder.root, ports);
    const recovered = await recoverWithRoom(folder, options, ports, walKeys);
    return { folder, lock, identity, recovered, walKeys };
  } catch (error) {
    await lock.close();
    throw unusable(folder, error);
  }
}

/** What the disk or the permissions refuse at the start, as an error that names the folder; other errors as they are. */
export function unusable({ root }: DataFolder, error: unknown): unknown {
  const system = systemCode(error);
  if (isHoldfastError(error) || system === undefined) return error;
  const [code, what] = isFull(system)
    ? (['DISK_FULL', `the disk of ${root} is full`] as const)
    : (['DATA_FOLDER_UNUSABLE', `cannot use ${root} as data folder`] as const);
  return new HoldfastError(code, what, { cause: error, facts: { path: root, system } });
}

/** Takes the recorder's role; on a disk too full for that, it releases the ballast first. */
async function takeRole(folder: DataFolder, ports: SystemPorts): Promise<RoleLock> {
  try {
    return await acquireRoleLock(ports.fs, folder, 'recorder', ports.logger);
  } catch (error) {
    if (isHoldfastError(error, 'DATA_FOLDER_BUSY')) throw error;
    // LevelDB does not report the reason. The ballast is only for a full disk, so the disk itself is checked.
    const code = await writeFailureCode(ports.fs, folder.root, error);
    if (!isFull(code) || !(await releaseBallast(ports.fs, folder))) throw error;
    ports.logger.warn('the disk is full: released the ballast to start', { error: describeError(error) });
    return acquireRoleLock(ports.fs, folder, 'recorder', ports.logger);
  }
}

function isFull(code: string | undefined): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Recovery writes a little; on a full disk, room is made for it once. */
async function recoverWithRoom(
  folder: DataFolder,
  options: RecorderOptions,
  ports: SystemPorts,
  walKeys: WalKeys,
): Promise<RecoveredWal> {
  try {
    return await recoverWal(ports.fs, folder, ports.logger, walKeys);
  } catch (cause) {
    if (!isFull(systemCode(cause))) throw cause;
    if (!(await makeRoomForStart(folder, retentionOptions(options), ports))) {
      throw new HoldfastError('DISK_FULL', `the disk of ${folder.root} is full and nothing may be evicted`, {
        cause,
      });
    }
    return recoverWal(ports.fs, folder, ports.logger, walKeys);
  }
}
