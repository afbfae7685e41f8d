import { basename, dirname, join } from 'node:path';
import { systemCode } from './errors.js';
import type { FileHandle, FileSystem } from './file-system.js';

/** Makes the changes to the entries of a directory durable (creations, renames, removals). */
export async function syncDirectory(fs: FileSystem, path: string): Promise<void> {
  const handle = await fs.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Flushes one existing file, through a descriptor of its own. */
export async function syncFile(fs: FileSystem, path: string): Promise<void> {
  const handle = await fs.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates a directory (and parents), each new entry durable before this resolves. */
export async function makeDirectoryDurably(fs: FileSystem, path: string): Promise<void> {
  const first = await fs.mkdir(path, { recursive: true });
  if (first === undefined) return;
  const top = dirname(first);
  for (let at = path; ; at = dirname(at)) {
    await syncDirectory(fs, dirname(at));
    if (dirname(at) === top || dirname(at) === at) return;
  }
}

/**
 * Replaces a file atomically and durably: temporary name, fsync, rename, fsync of the directory. After a
 * crash the file has its old or its new content, never a mixture; a leftover ends in `.tmp`.
 */
export async function writeFileDurably(
  fs: FileSystem,
  path: string,
  data: string | Uint8Array,
): Promise<void> {
  await replaceDurably(fs, path, data, await openAnew(fs, `${path}.tmp`));
}

async function replaceDurably(
  fs: FileSystem,
  path: string,
  data: string | Uint8Array,
  temporary: FileHandle,
): Promise<void> {
  try {
    await temporary.writeFile(data);
    await temporary.sync();
  } finally {
    await temporary.close();
  }
  await fs.rename(`${path}.tmp`, path);
  await syncDirectory(fs, dirname(path));
}

/** The same for a file that holds a secret: only its owner can read it, from its first byte on. */
export async function writePrivateFileDurably(fs: FileSystem, path: string, data: string): Promise<void> {
  await fs.rm(`${path}.tmp`, { force: true });
  await replaceDurably(fs, path, data, await fs.open(`${path}.tmp`, 'wx', 0o600));
}

/** The leftover of a crash under the temporary name may not be writable; no code needs it. */
async function openAnew(fs: FileSystem, path: string): Promise<FileHandle> {
  try {
    return await fs.open(path, 'w');
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    await fs.rm(path, { force: true });
    return fs.open(path, 'w');
  }
}

/** Whether the file exists but cannot be read: its mode or its blocks are damaged. */
export function isUnreadable(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EIO'].includes(systemCode(error) ?? '');
}

/**
 * Moves a file or directory into the trash folder and makes both directories durable. If several processes
 * try, the one whose rename succeeds did it. Returns the new path, or undefined if the file was already gone.
 */
export async function moveToTrash(fs: FileSystem, path: string, trash: string): Promise<string | undefined> {
  const target = join(trash, basename(path));
  await fs.rm(target, { recursive: true, force: true });
  try {
    await fs.rename(path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  await syncDirectory(fs, dirname(path));
  await syncDirectory(fs, trash);
  return target;
}

/** The file's content, or undefined if the file does not exist. */
export async function readFileIfPresent(fs: FileSystem, path: string): Promise<Buffer | undefined> {
  try {
    return await fs.readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** As {@link readFileIfPresent}, for state that can be rebuilt: an unreadable file counts as missing. */
export async function readStateIfReadable(fs: FileSystem, path: string): Promise<Buffer | undefined> {
  try {
    return await readFileIfPresent(fs, path);
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** Closes every file, and then throws the first failure. All files are closed, even if one close fails. */
export async function closeAll(handles: readonly (FileHandle | undefined)[]): Promise<void> {
  const ends = await Promise.allSettled(handles.map(async (handle) => handle?.close()));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
