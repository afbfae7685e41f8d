import type { Dirent } from 'node:fs';
import type { ObjectInfo } from '../../core/store.js';
import { RESERVED_SEGMENT } from '../object-key.js';
import { hasCode } from './directory-errors.js';
import type { StoreFolder } from './store-folder.js';

/**
 * Files as objects in key order (by bytes, as S3 does). Memory holds the names of one folder per level.
 * Symbolic links, sockets and the like are no objects.
 */
export async function* listObjects(folder: StoreFolder, prefix: string): AsyncGenerator<ObjectInfo> {
  await folder.requirePresent();
  yield* listFolder(folder, '', prefix);
}

async function* listFolder(folder: StoreFolder, parent: string, prefix: string): AsyncGenerator<ObjectInfo> {
  for (const entry of await readEntries(folder, parent)) {
    const key = parent + entry.name;
    if (entry.isDirectory()) {
      const inside = `${key}/`;
      // Only folders that lead to the prefix or lie inside it.
      if (inside.startsWith(prefix) || prefix.startsWith(inside)) yield* listFolder(folder, inside, prefix);
    } else if (entry.isFile() && key.startsWith(prefix)) {
      const bytes = await sizeOf(folder, key);
      if (bytes !== undefined) yield { key, bytes };
    }
  }
}

/** Undefined for an object that was removed since its folder was read. */
async function sizeOf(folder: StoreFolder, key: string): Promise<number | undefined> {
  try {
    return (await folder.fs.lstat(folder.at(key))).size;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function readEntries(folder: StoreFolder, parent: string): Promise<Dirent[]> {
  let entries: Dirent[];
  try {
    entries = await folder.fs.readdir(folder.at(parent), { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  // A folder sorts as its keys do: with the slash, so that `a-b` comes before `a/c`.
  const sortKey = (entry: Dirent): Buffer => Buffer.from(entry.isDirectory() ? `${entry.name}/` : entry.name);
  return entries
    .filter((entry) => parent !== '' || entry.name !== RESERVED_SEGMENT)
    .map((entry) => ({ entry, by: sortKey(entry) }))
    .sort((a, b) => Buffer.compare(a.by, b.by))
    .map(({ entry }) => entry);
}
