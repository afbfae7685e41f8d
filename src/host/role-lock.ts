import { join, resolve } from 'node:path';
import { Level } from 'level';
import type { DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably } from '../core/durable-files.js';
import { HoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { silentLogger, type Logger } from '../core/logger.js';
import { makeDataFolder } from './make-data-folder.js';
import { reopenFolders } from './reopen-folders.js';

/** The two processes that share a data folder, and a ground with its own; each role has at most one holder. */
export type Role = 'recorder' | 'sync' | 'ground';

/** Held until it is closed, or until the process ends in any way. */
export interface RoleLock extends AsyncDisposable {
  /** Idempotent. */
  close(): Promise<void>;
}

// The kernel drops a process's lock as soon as that process closes any descriptor of the LOCK file. So a
// second open in this process must be refused before LevelDB sees it.
const held = new Set<string>();

/** The file on which LevelDB takes its lock; it is empty, and other processes may have it open. */
const LOCK_FILE = 'LOCK';

/**
 * Takes the role on the data folder: an empty LevelDB at `lock/<role>` that no other code opens, lists,
 * hashes or copies. It contains no data, so one that a power cut damaged is created again. Before that, folders
 * that nobody can enter are opened again (`reopenFolders`). Throws
 * `DATA_FOLDER_BUSY` if another process (or this one) holds it, and `DATA_FOLDER_UNUSABLE` if the lock cannot
 * be created (full or read-only disk, permissions).
 */
export async function acquireRoleLock(
  fs: FileSystem,
  folder: DataFolder,
  role: Role,
  logger: Logger = silentLogger,
): Promise<RoleLock> {
  const path = join(folder.lock, role);
  const key = resolve(path);
  if (held.has(key)) throw busy(folder, role);
  held.add(key);
  let database: Level;
  try {
    await makeDataFolder(fs, folder.root);
    await reopenFolders(fs, folder, logger);
    await makeDirectoryDurably(fs, folder.lock);
    database = await openOrReplace(fs, path);
  } catch (cause) {
    held.delete(key);
    if (isLocked(cause)) throw busy(folder, role, cause);
    throw new HoldfastError('DATA_FOLDER_UNUSABLE', `cannot take the ${role} lock at ${path}`, {
      cause,
      facts: { path, role, system: systemCode(cause) },
    });
  }
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= database.close().finally(() => held.delete(key)));
  return { close, [Symbol.asyncDispose]: close };
}

async function openOrReplace(fs: FileSystem, path: string): Promise<Level> {
  try {
    return await open(path);
  } catch (error) {
    if (isLocked(error)) throw error;
  }
  // Keep the LOCK as long as it can be opened: its holder keeps all others out, also from a new database.
  await empty(fs, path, LOCK_FILE);
  try {
    return await open(path);
  } catch (error) {
    if (isLocked(error)) throw error;
  }
  await empty(fs, path, undefined);
  return open(path);
}

async function open(path: string): Promise<Level> {
  const database = new Level(path, { cacheSize: 64 * 1024, writeBufferSize: 64 * 1024 });
  try {
    await database.open();
    return database;
  } catch (error) {
    await database.close().catch(() => undefined);
    throw error;
  }
}

/** Removes what it can; the next opening reports what is still wrong. */
async function empty(fs: FileSystem, path: string, except: string | undefined): Promise<void> {
  const names = await fs.readdir(path).catch(() => [] as string[]);
  for (const name of names.filter((one) => one !== except)) {
    await fs.rm(join(path, name), { recursive: true, force: true }).catch(() => undefined);
  }
  // Neither a file in its place nor an unreadable folder can hold a lock.
  if (names.length === 0) await fs.rm(path, { recursive: true, force: true }).catch(() => undefined);
}

function isLocked(error: unknown): boolean {
  return (error as { cause?: { code?: unknown } }).cause?.code === 'LEVEL_LOCKED';
}

function busy(folder: DataFolder, role: Role, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'DATA_FOLDER_BUSY',
    `another ${role} is already running on data folder ${folder.root}`,
    { cause, facts: { dataFolder: folder.root, role } },
  );
}
