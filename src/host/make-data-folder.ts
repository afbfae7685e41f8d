import { chmod } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectoryDurably, syncDirectory } from '../core/durable-files.js';
import { systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

/** Who may enter a new data folder: its owner only, or also the members of its group. */
export type FolderAccess = 'owner' | 'group';

const modes: Readonly<Record<FolderAccess, number>> = { owner: 0o700, group: 0o750 };

/**
 * Creates a data folder that others cannot enter, for any umask, because it holds everything that a robot
 * recorded. An existing folder keeps its mode. Durable when this resolves.
 */
export async function makeDataFolder(
  fs: FileSystem,
  root: string,
  access: FolderAccess = 'owner',
): Promise<void> {
  await makeDirectoryDurably(fs, dirname(root));
  try {
    await fs.mkdir(root, { mode: modes[access] });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return makeDirectoryDurably(fs, root);
  }
  // The umask may have removed bits that the owner or the group needs.
  await chmod(root, modes[access]);
  await syncDirectory(fs, dirname(root));
}
