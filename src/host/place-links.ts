import { readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileSystem } from '../core/file-system.js';

/** Makes the symbolic links of a folder point to these targets. Links that are right stay as they are. */
export async function placeLinks(
  fs: FileSystem,
  folder: string,
  targets: ReadonlyMap<string, string>,
): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  for (const [name, target] of targets) {
    const path = join(folder, name);
    if ((await readlink(path).catch(() => undefined)) === target) continue;
    await fs.rm(path, { force: true });
    await symlink(target, path);
  }
}
