import { createHash } from 'node:crypto';
import { lstat, mkdir, realpath } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { ControlRole } from './control-protocol.js';

/** sun_path of a Unix domain socket, with its terminating zero. */
const SOCKET_PATH_MAX_BYTES = 107;

/**
 * Where the socket of a role may be, best first. Never in the data folder: its disk may be full or
 * read-only, and its path too long. The name is a hash of the folder's real path, so that every spelling
 * of the path meets the same socket.
 */
export async function socketPaths(dataRoot: string, role: ControlRole): Promise<string[]> {
  const hash = createHash('sha256')
    .update(await realPath(resolve(dataRoot)))
    .digest('hex')
    .slice(0, 24);
  const { uid } = userInfo();
  const folders = [tmpdir(), '/tmp', '/dev/shm', `/run/user/${uid}`];
  return [...new Set(folders)]
    .map((folder) => join(folder, `holdfast-${uid}`, `${hash}.${role}`))
    .filter((path) => Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES);
}

/**
 * Makes the folder of a socket, or checks the one that is there: it must be a real folder of this user that
 * nobody else can enter, else another user of the machine could listen in our place.
 */
export async function ensurePrivateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const found = await lstat(path);
  if (!found.isDirectory() || found.uid !== userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new Error(`${path} is not a private folder of this user`);
  }
}

/** The real path, also of a folder that does not exist yet. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return dirname(path) === path ? path : join(await realPath(dirname(path)), basename(path));
  }
}
