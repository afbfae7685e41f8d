import { join } from 'node:path';
import { bytesBelow } from '../core/bytes-below.js';
import type { DataFolder } from '../core/data-folder.js';
import { systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

/**
 * Bytes of the data folder apart from `sealed/` and the ballast, whose sizes are known. These are few files,
 * for a recording of any length. Not included: `receipts/` and `tombstones/`, which are bounded in number,
 * and the segment that is being sealed.
 */
export async function bytesBesideSealed(fs: FileSystem, folder: DataFolder): Promise<number> {
  let bytes = 0;
  for (const path of [folder.wal, folder.quarantine, folder.sync, folder.sinks, folder.trash, folder.exports])
    bytes += await bytesBelow(fs, path);
  return bytes;
}

/**
 * Removes the oldest export, finished or not: copies are removed before a segment that no store has, and
 * before a recording stops. Returns its name; undefined if there was no export.
 */
export async function removeOldestExport(fs: FileSystem, folder: DataFolder): Promise<string | undefined> {
  let names: string[];
  try {
    names = await fs.readdir(folder.exports);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  // Their names begin with the time.
  const [oldest] = names.sort();
  if (oldest !== undefined) await fs.rm(join(folder.exports, oldest), { recursive: true, force: true });
  return oldest;
}
