import type { Dirent } from 'node:fs';
import type { ObjectInfo } from '../../core/store.js';
import { RESERVED_SEGMENT } from '../object-key.js';
import { hasCode } from './directory-errors.js';
import { etagOf, type StoreFolder } from './store-folder.js';

/**
 * Files as objects in key order (by bytes, as in S3). Memory holds the names of one folder per level.
 * Symbolic links, sockets, devices and pipes are not objects.
 */
export async function* listObjects(folder: StoreFolder, prefix: string): AsyncGenerator<ObjectInfo> {
  await folder.requirePresent();
  yield* listFolder(folder, '', prefix);
}

/** Number of files checked at the same time. */
const STAT_AT_ONCE = 64;

async function* listFolder(folder: StoreFolder, parent: string, prefix: string): AsyncGenerator<ObjectInfo> {
  const entries = await readEntries(folder, parent);
  let infos: (ObjectInfo | undefined)[] = [];
  for (const [index, entry] of entries.entries()) {
    const key = parent + entry.name;
    if (index % STAT_AT_ONCE === 0) {
      const next = entries.slice(index, index + STAT_AT_ONCE);
      infos = await Promise.all(next.map((one) => infoOf(folder, parent + one.name, one, prefix)));
    }
    if (entry.isDirectory()) {
      const inside = `${key}/`;
      // Only folders that lead to the prefix or lie inside it.
      if (inside.startsWith(prefix) || prefix.startsWith(inside)) yield* listFolder(folder, inside, prefix);
    } else {
      const info = infos[index % STAT_AT_ONCE];
      if (info !== undefined) yield info;
    }
  }
}

/** Undefined for anything that is not an object, and for one that was removed after its folder was read. */
async function infoOf(
  folder: StoreFolder,
  key: string,
  entry: Dirent,
  prefix: string,
): Promise<ObjectInfo | undefined> {
  if (!entry.isFile() || !key.startsWith(prefix)) return undefined;
  try {
    const found = await folder.fs.lstat(folder.at(key));
    return { key, bytes: found.size, etag: etagOf(found) };
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
  // A folder sorts like its keys, with the slash, so that `a-b` comes before `a/c`.
  const sortKey = (entry: Dirent): Buffer => Buffer.from(entry.isDirectory() ? `${entry.name}/` : entry.name);
  return entries
    .filter((entry) => parent !== '' || entry.name !== RESERVED_SEGMENT)
    .map((entry) => ({ entry, by: sortKey(entry) }))
    .sort((a, b) => Buffer.compare(a.by, b.by))
    .map(({ entry }) => entry);
}
