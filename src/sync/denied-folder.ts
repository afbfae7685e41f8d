import { dirname } from 'node:path';
import { HoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { ownUserId } from '../host/user-id.js';

/** Whether the permissions of a file or folder refuse this process; waiting does not change that. */
export function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(systemCode(error) ?? '');
}

/** The refusal to read `path`, with the owner that the file system names and with what the user can do. */
export async function deniedFolder(fs: FileSystem, path: string, cause: unknown): Promise<HoldfastError> {
  const own = ownUserId();
  const closed = await closedAt(fs, path);
  const who = closed
    ? `: ${closed.path} belongs to user ${closed.uid} (mode ${closed.mode}), and sync runs as user ${own}`
    : `: sync runs as user ${own}`;
  const remedy =
    closed === undefined || closed.uid === own
      ? `give its owner read access: chmod u+rx ${closed?.path ?? path}`
      : `run sync as user ${closed.uid}, or let a common group read it (data_access: group)`;
  return new HoldfastError('DATA_FOLDER_UNUSABLE', `${path} cannot be read${who}; ${remedy}`, {
    cause,
    facts: { path, system: systemCode(cause) },
  });
}

/** The path itself, or the nearest folder above it whose owner the file system still tells. */
async function closedAt(
  fs: FileSystem,
  path: string,
): Promise<{ readonly path: string; readonly uid: number; readonly mode: string } | undefined> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { uid, mode } = await fs.stat(at);
      return { path: at, uid, mode: (mode & 0o7777).toString(8).padStart(4, '0') };
    } catch {
      if (dirname(at) === at) return undefined;
    }
  }
}
