import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import { ownUserId } from './user-id.js';

const OWNER = 0o700;
/** Levels below the root that contain folders, as in `sinks/<name>/<database>`. */
const LEVELS = 2;

/**
 * Gives the owner access again to folders of a data folder that nobody can enter (mode 000). A power cut or a
 * mistaken `chmod` can leave them so, and the recorder could not start again, even if the folder can be rebuilt.
 * Every other mode stays, and so does a folder of another user. The folders keep their place, so a lock in them
 * keeps its holder. Never rejects: if a folder stays closed, its next use reports it.
 */
export async function reopenFolders(fs: FileSystem, folder: DataFolder, logger: Logger): Promise<void> {
  const { root, sealed, receipts, tombstones, events } = folder;
  // Many files, and no folders.
  const flat = new Set([sealed, receipts, tombstones, events]);
  const visit = async (path: string, levels: number): Promise<void> => {
    await reopen(fs, path, logger);
    if (levels === 0 || flat.has(path)) return;
    const entries = await fs.readdir(path, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) await visit(join(path, entry.name), levels - 1);
  };
  await visit(root, LEVELS);
}

async function reopen(fs: FileSystem, path: string, logger: Logger): Promise<void> {
  try {
    const { mode, uid } = await fs.lstat(path);
    if ((mode & OWNER) !== 0 || uid !== ownUserId()) return;
    await chmod(path, (mode & 0o777) | OWNER);
    logger.warn('nobody could enter a folder: its owner can again', { path, mode: octal(mode) });
  } catch (error) {
    logger.debug('cannot change the mode of a folder', { path, error: describeError(error) });
  }
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(3, '0');
}
