import { join, resolve } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably } from '../core/durable-files.js';
import { HoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

/** The two processes that share a data folder; each role has at most one holder. */
export type Role = 'recorder' | 'sync';

/** Held until closed, or until the process ends in whatever way. */
export interface RoleLock extends AsyncDisposable {
  /** Idempotent. */
  close(): Promise<void>;
}

// The kernel drops a process's lock as soon as that process closes any descriptor of the LOCK file, so a
// second open in this process must be refused before LevelDB sees it.
const held = new Set<string>();

/**
 * Takes the role on the data folder: an empty LevelDB at `lock/<role>` that nothing else opens, lists,
 * hashes or copies. Throws `DATA_FOLDER_BUSY` when another process (or this one) holds it, and
 * `DATA_FOLDER_UNUSABLE` when the lock cannot be made at all (full or read-only disk, permissions).
 */
export async function acquireRoleLock(fs: FileSystem, folder: DataFolder, role: Role): Promise<RoleLock> {
  const path = join(folder.lock, role);
  const key = resolve(path);
  if (held.has(key)) throw busy(folder, role);
  held.add(key);
  const database = new ClassicLevel(path, { cacheSize: 64 * 1024, writeBufferSize: 64 * 1024 });
  try {
    await makeDirectoryDurably(fs, folder.lock);
    await database.open();
  } catch (cause) {
    held.delete(key);
    await database.close().catch(() => undefined);
    if ((cause as { cause?: { code?: unknown } }).cause?.code === 'LEVEL_LOCKED') {
      throw busy(folder, role, cause);
    }
    throw new HoldfastError('DATA_FOLDER_UNUSABLE', `cannot take the ${role} lock at ${path}`, {
      cause,
      facts: { path, role, system: systemCode(cause) },
    });
  }
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= database.close().finally(() => held.delete(key)));
  return { close, [Symbol.asyncDispose]: close };
}

function busy(folder: DataFolder, role: Role, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'DATA_FOLDER_BUSY',
    `another ${role} is already running on data folder ${folder.root}`,
    { cause, facts: { dataFolder: folder.root, role } },
  );
}
