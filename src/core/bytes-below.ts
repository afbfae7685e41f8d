import { join } from 'node:path';
import { systemCode } from './errors.js';
import type { FileSystem } from './file-system.js';

/** Bytes of all files below a folder; 0 if the folder does not exist. Files may appear and vanish meanwhile. */
export async function bytesBelow(fs: FileSystem, path: string): Promise<number> {
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

async function present<T>(asked: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return otherwise;
    throw error;
  }
}
