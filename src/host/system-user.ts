import type { FileSystem } from '../core/file-system.js';
import { ownUserId } from './user-id.js';

/** A user of this machine, by numbers. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const USERS = '/etc/passwd';

/** Whether this process may do anything, and start others as another user. */
export function isRoot(): boolean {
  return ownUserId() === 0;
}

/** Finds a user in /etc/passwd; undefined: it has no such user. */
export async function findUser(fs: FileSystem, name: string): Promise<SystemUser | undefined> {
  const lines = (await fs.readFile(USERS)).toString('utf8').split('\n');
  for (const line of lines) {
    const [user, , uid, gid] = line.split(':');
    if (user === name) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}
