import { dirname, resolve } from 'node:path';
import type { FileSystem } from '../core/file-system.js';
import type { SystemUser } from './system-user.js';

/** The first folder or program on the way to a path, itself included, that a user cannot enter or run. */
export async function closedFolder(
  fs: FileSystem,
  path: string,
  user: SystemUser,
): Promise<string | undefined> {
  const at = resolve(path);
  const above = dirname(at);
  const closed = above === at ? undefined : await closedFolder(fs, above, user);
  if (closed !== undefined) return closed;
  return (await canEnter(fs, at, user)) ? undefined : at;
}

async function canEnter(fs: FileSystem, path: string, { uid, gid }: SystemUser): Promise<boolean> {
  const found = await fs.stat(path);
  if (uid === 0) return true;
  if (found.uid === uid) return (found.mode & 0o100) !== 0;
  if (found.gid === gid) return (found.mode & 0o010) !== 0;
  return (found.mode & 0o001) !== 0;
}
