import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

/**
 * Bytes of the data folder beside `sealed/` and the ballast, which are known without looking: few files,
 * whatever the recording's length. Left out: `receipts/` and `tombstones/`, which are bounded in number, and
 * the one segment that is being sealed.
 */
export async function bytesBesideSealed(fs: FileSystem, folder: DataFolder): Promise<number> {
  let bytes = 0;
  for (const path of [folder.wal, folder.quarantine, folder.sync, folder.sinks, folder.trash])
    bytes += await bytesBelow(fs, path);
  return bytes;
}

async function bytesBelow(fs: FileSystem, path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await present(fs.readdir(path, { withFileTypes: true }), [])) {
    const at = join(path, entry.name);
    if (entry.isDirectory()) bytes += await bytesBelow(fs, at);
    else
      bytes += await present(
        fs.stat(at).then(({ size }) => size),
        0,
      );
  }
  return bytes;
}

/** Files come and go while they are counted. */
async function present<T>(asked: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return otherwise;
    throw error;
  }
}
