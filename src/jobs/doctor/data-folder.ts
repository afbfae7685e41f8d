import { constants } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { defined } from '../../core/defined.js';
import { describeError } from '../../core/errors.js';
import { humanBytes } from '../../core/human-numbers.js';
import { findingsOf, type Finding } from './finding.js';
import type { Machine } from './machine.js';

/** The place of the recordings, as far as it exists. */
export interface DataPlace {
  /** The data folder, absolute. */
  readonly folder: string;
  /** The folder itself, or the nearest one above it that exists. */
  readonly existing: string;
  /** A symbolic link on the way to the folder whose target does not exist; no folder can be made there. */
  readonly brokenLink?: string;
}

/** Finds what exists of a data folder. */
export async function placeOf({ fs }: Machine, data: string): Promise<DataPlace> {
  const folder = resolve(data);
  let existing = folder;
  let brokenLink: string | undefined;
  while (dirname(existing) !== existing && !(await fs.stat(existing).catch(() => undefined))) {
    if (await fs.lstat(existing).catch(() => undefined)) brokenLink = existing;
    existing = dirname(existing);
  }
  return { folder, existing, ...defined({ brokenLink }) };
}

/** Whether this user can record into the folder. */
export async function checkFolder(machine: Machine, place: DataPlace): Promise<Finding> {
  const { ok, bad } = findingsOf('data folder');
  const { folder, existing, brokenLink } = place;
  if (brokenLink !== undefined) {
    const remedy = `mount the disk that the link leads to, or make its target: readlink ${quoted(brokenLink)}`;
    return bad(`${brokenLink} is a link to a place that does not exist`, remedy);
  }
  const make = `sudo install -d -m 700 -o "$USER" ${quoted(folder)}`;
  const found = await machine.fs.stat(existing);
  if (!found.isDirectory()) return bad(`${existing} is a file`, 'choose another folder with --data');
  const probe = join(existing, `.holdfast-doctor-${process.pid}`);
  try {
    const handle = await machine.fs.open(
      probe,
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
      0o600,
    );
    await handle.close();
    await machine.fs.rm(probe);
  } catch (error) {
    const isReadOnly = (error as NodeJS.ErrnoException).code === 'EROFS';
    const remount = `find out why it is read-only (dmesg), then: sudo mount -o remount,rw "$(findmnt -no TARGET -T ${quoted(existing)})"`;
    return bad(
      `nothing can be written into ${existing}: ${describeError(error)}`,
      isReadOnly ? remount : make,
    );
  }
  return ok(existing === folder ? `${folder} can be written` : `${folder} can be made in ${existing}`);
}

interface Mount {
  readonly at: string;
  readonly type: string;
}

/** The mount that holds a path, by /proc/self/mountinfo (proc(5)). */
export function mountOf(mountinfo: string, path: string): Mount | undefined {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const at = before.split(' ')[4];
    const type = after.split(' ')[0];
    return at === undefined || type === undefined ? [] : [{ at: unescaped(at), type }];
  });
  return mounts
    .filter(({ at }) => at === '/' || path === at || path.startsWith(`${at}/`))
    .reduce<Mount | undefined>(
      // The later one of two at the same place covers the former.
      (best, one) => (best === undefined || one.at.length >= best.at.length ? one : best),
      undefined,
    );
}

const NETWORK = /^(nfs4?|cifs|smb3?|9p|afs|ceph|glusterfs|fuse\.(sshfs|s3fs|rclone|glusterfs))$/;
const FAT = /^(vfat|msdos|exfat)$/;

/** Whether the file system keeps what is written to it. */
export async function checkFileSystem(machine: Machine, { existing }: DataPlace): Promise<Finding> {
  const { ok, warn, bad, unknown } = findingsOf('file system');
  const mount = mountOf((await machine.text('/proc/self/mountinfo')) ?? '', existing);
  if (mount === undefined) return unknown('the system does not tell the file system of the data folder');
  const { type, at } = mount;
  if (/^(tmpfs|ramfs)$/.test(type)) {
    return bad(`${type} at ${at}: everything is lost when the machine loses power`, 'put --data on a disk');
  }
  if (type === 'overlay') {
    return warn(
      'overlay: recordings are removed with the container',
      'mount a volume for --data, such as: docker run -v /var/lib/holdfast:/data ...',
    );
  }
  if (NETWORK.test(type)) {
    return warn(
      `${type} at ${at}: recording waits whenever the network does`,
      'put --data on a local disk, and let sync send it with --store dir:PATH',
    );
  }
  if (FAT.test(type)) {
    return warn(
      `${type} at ${at}: no owner, no journal, and no hard links`,
      'format the disk with ext4, for the recordings alone: sudo mkfs.ext4 DEVICE',
    );
  }
  return ok(`${type} at ${at}`);
}

export interface SpaceLimits {
  readonly minFreeBytes: number;
  readonly minFreePercent: number;
}

/** Below this many times the floor, the first eviction is near. */
const NEAR = 2;

/** Whether there is space for recordings above the floor that the recorder keeps free. */
export async function checkSpace(
  { fs }: Machine,
  { existing }: DataPlace,
  { minFreeBytes, minFreePercent }: SpaceLimits,
): Promise<Finding> {
  const { ok, warn, bad } = findingsOf('free space');
  const { bavail, blocks, bsize } = await fs.statfs(existing);
  const [free, size] = [bavail * bsize, blocks * bsize];
  const floor = Math.min(minFreeBytes, (size * minFreePercent) / 100);
  const text = `${humanBytes(free)} free of ${humanBytes(size)}; the recorder keeps ${humanBytes(floor)} free`;
  const remedy = `find what is large: sudo du -xhd2 ${quoted(existing)} | sort -h | tail`;
  if (free <= floor) return bad(text, remedy);
  return free <= NEAR * floor ? warn(text, remedy) : ok(text);
}

/** For a POSIX shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** mountinfo writes space, tab, line feed and backslash as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
