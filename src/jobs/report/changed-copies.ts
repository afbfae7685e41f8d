import { join } from 'node:path';
import { describeError, isHoldfastError, systemCode } from '../../core/errors.js';
import type { Manifest } from '../../core/manifest.js';
import { segmentOfCopy } from '../../core/segment-copies.js';
import type { FilePool } from '../../recordings/file-readable.js';
import { readAnyManifestFile, type Problem } from '../../recordings/segments.js';

export interface CopyPorts {
  readonly files: FilePool;
  readonly onProblem: (problem: Problem) => void;
}

/**
 * The manifests of the changed copies in `transformed/` of a data folder, by the name of their segment. Of several
 * copies of a segment, which come from a change of the rules, the latest one counts.
 */
export async function changedCopies(
  folder: string,
  { files, onProblem }: CopyPorts,
): Promise<Map<string, Manifest>> {
  const copies = new Map<string, Manifest>();
  const times = new Map<string, number>();
  for (const file of await namesIn(files.fs, folder)) {
    const name = file.endsWith('.json') ? segmentOfCopy(file) : undefined;
    if (name === undefined) continue;
    const path = join(folder, file);
    try {
      const { mtimeMs } = await files.fs.stat(path);
      const manifest = await readAnyManifestFile(files, path);
      if (!manifest?.derived || mtimeMs < (times.get(name) ?? 0)) continue;
      copies.set(name, manifest);
      times.set(name, mtimeMs);
    } catch (error) {
      // Sync may remove it meanwhile.
      if (systemCode(error) === 'ENOENT') continue;
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      onProblem({ where: path, reason: describeError(error) });
    }
  }
  return copies;
}

async function namesIn(fs: FilePool['fs'], folder: string): Promise<string[]> {
  try {
    return (await fs.readdir(folder)).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
