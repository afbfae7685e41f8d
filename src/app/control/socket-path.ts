import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { systemCode } from '../../core/errors.js';
import { ownUserId } from '../../host/user-id.js';
import type { ControlRole } from '../../recorder/control-protocol.js';

/** sun_path of a Unix domain socket, with its terminating zero. */
const SOCKET_PATH_MAX_BYTES = 107;
/** All permissions of users other than the owner on a folder. */
const OTHERS = 0o077;
/** In a folder with this bit, only the owner of an entry can rename or remove it. */
const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;
/** Root, and the uid of root inside a user namespace that does not map it. */
const ROOT_IDS: readonly number[] = [0, 65_534];

/**
 * Possible folders for the socket of a role, best first: `$XDG_RUNTIME_DIR`, which belongs to this user
 * alone, then folders for temporary files. Never the data folder: its disk may be full or read-only, and its
 * path too long. The name is a hash of the folder's real path, so that every spelling of the path gives the
 * same socket.
 */
export async function socketPaths(
  dataRoot: string,
  role: ControlRole,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string[]> {
  const hash = createHash('sha256')
    .update(await realPath(resolve(dataRoot)))
    .digest('hex')
    .slice(0, 24);
  const uid = ownUserId();
  const runtime = env['XDG_RUNTIME_DIR'];
  // The specification of the XDG base directories says to ignore a relative path.
  const preferred = runtime !== undefined && isAbsolute(runtime) ? [runtime] : [];
  const folders = [...preferred, tmpdir(), '/tmp', '/dev/shm', `/run/user/${uid}`];
  return [...new Set(folders)]
    .map((folder) => join(folder, `holdfast-${uid}`, `${hash}.${role}`))
    .filter((path) => Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES);
}

/** Creates the folder of a socket, or checks an existing one. Throws an Error with what is wrong. */
export async function ensurePrivateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
    // The umask may have removed bits of the owner too.
    await chmod(path, 0o700);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  const fault = await privateFolderFault(path);
  if (fault !== undefined) throw new Error(fault);
}

/**
 * Whether a socket certainly belongs to a process of this user. It must be a socket of this user, in a folder
 * that no other user can enter, inside a folder in which no other user can replace that one. `absent`: it
 * does not exist. Any other text says why it must not be used: another user of the machine could answer in
 * place of the role.
 */
export async function socketFault(path: string): Promise<string | undefined> {
  try {
    const fault = await privateFolderFault(dirname(path));
    if (fault !== undefined) return fault;
    const found = await lstat(path);
    if (!found.isSocket()) return `${path} is not a socket`;
    if (found.uid !== ownUserId()) return `${path} belongs to user ${found.uid}, not to this user`;
    return undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return 'absent';
    throw error;
  }
}

async function privateFolderFault(path: string): Promise<string | undefined> {
  const uid = ownUserId();
  const found = await lstat(path);
  if (!found.isDirectory()) return `${path} is not a private folder of this user: it is not a folder`;
  if (found.uid !== uid)
    return `${path} is not a private folder of this user: it belongs to user ${found.uid}`;
  if ((found.mode & OTHERS) !== 0) {
    return `${path} is not a private folder of this user: its mode is ${modeText(found.mode)}, allowed: 0700`;
  }
  const parent = await lstat(await realpath(dirname(path)));
  const isExchangeable = (parent.mode & WRITABLE_BY_OTHERS) !== 0 && (parent.mode & STICKY) === 0;
  if (isExchangeable || ![...ROOT_IDS, uid].includes(parent.uid)) {
    return `${path} is not a private folder of this user: others can exchange it in ${dirname(path)}`;
  }
  return undefined;
}

function modeText(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

/** The real path, also of a folder that does not exist yet. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return dirname(path) === path ? path : join(await realPath(dirname(path)), basename(path));
  }
}
