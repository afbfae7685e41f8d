import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { writeFileDurably } from '../core/durable-files.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { decodeManifest, encodeManifest } from '../core/manifest.js';
import { rotateKeys, type RewrapPorts, type RewrapReport } from './rotate-keys.js';

const MANIFEST_END = '.json';

/**
 * Wraps the data keys of the sealed segments of a data folder for other recipients. It replaces manifests, one at a
 * time and each as a whole, and reads and writes no segment. May be repeated after an interruption at any point. The
 * caller holds the recorder's lock: a manifest that retention removes meanwhile would come back.
 */
export async function rewrapFolder(
  fs: FileSystem,
  { sealed }: DataFolder,
  ports: RewrapPorts,
): Promise<RewrapReport> {
  const counts = { rewrapped: 0, unchanged: 0, plain: 0, failed: 0 };
  let done = 0;
  const names = await fs.readdir(sealed);
  for (const name of names.filter((one) => one.endsWith(MANIFEST_END)).sort()) {
    ports.signal.throwIfAborted();
    counts[await rewrapOne(fs, join(sealed, name), ports)]++;
    ports.onProgress?.(++done);
  }
  return counts;
}

async function rewrapOne(fs: FileSystem, path: string, ports: RewrapPorts): Promise<keyof RewrapReport> {
  try {
    const rotated = rotateKeys(decodeManifest(await fs.readFile(path, 'utf8'), path), ports, path);
    if (typeof rotated === 'string') return rotated;
    if (!ports.dryRun) await writeFileDurably(fs, path, encodeManifest(rotated));
    return 'rewrapped';
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    ports.onProblem({ where: path, reason: describeError(error) });
    return 'failed';
  }
}
