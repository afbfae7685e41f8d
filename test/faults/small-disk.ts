import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A real disk of a few megabytes, mounted for one test. */
export interface SmallDisk {
  /** The mounted folder. */
  readonly path: string;
  /** Takes all the space that is left, as somebody else's log would. */
  fill(leaveBytes?: number): Promise<void>;
  /** Gives that space back. */
  unfill(): Promise<void>;
  /** Only of ext4: what the kernel does after an I/O error; files that are open cannot be written either. */
  failReadOnly(): Promise<void>;
  /** Unmounts and mounts again, as a restart of the machine would. Nothing may be open. */
  remount(): Promise<void>;
  remove(): Promise<void>;
}

export async function mountTmpfs(bytes: number): Promise<SmallDisk | undefined> {
  return mountAt('a full tmpfs', (path) =>
    run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]),
  );
}

export async function mountExt4(bytes: number): Promise<SmallDisk | undefined> {
  return mountAt('a full ext4', async (path) => {
    const image = `${path}.img`;
    if ((await fs.stat(image).catch(() => undefined)) === undefined) {
      const handle = await fs.open(image, 'w');
      await handle.truncate(bytes);
      await handle.close();
      // -m 0: no blocks kept for root, who runs this.
      await run('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
    }
    await run('mount', ['-o', 'loop', image, path]);
  });
}

/** Undefined, and one line saying so, where this machine allows no mounts. */
let refusal = '';

/** Why the last mount was refused. */
export function mountRefusal(): string {
  return refusal;
}

async function mountAt(
  what: string,
  mount: (path: string) => Promise<unknown>,
): Promise<SmallDisk | undefined> {
  const path = await fs.mkdtemp(join(tmpdir(), 'holdfast-disk-'));
  const away = async (): Promise<void> => {
    await fs.rm(path, { recursive: true, force: true });
    await fs.rm(`${path}.img`, { force: true });
  };
  try {
    await mount(path);
  } catch (error) {
    await away();
    refusal = `${what} needs the right to mount (${String(error).split('\n')[0]})`;
    return undefined;
  }
  const filler = join(path, 'filler');
  return {
    path,
    async fill(leaveBytes = 0) {
      // Writing out gives back what the file system had set aside for it: then there is more to take.
      for (let before = -1, now = 0; before !== now;) {
        before = now;
        now = await append(filler, path, leaveBytes);
      }
    },
    unfill: () => fs.rm(filler, { force: true }),
    async failReadOnly() {
      await run('mount', ['-o', 'remount,abort', path]);
    },
    async remount() {
      await run('umount', [path]);
      await mount(path);
    },
    async remove() {
      await run('umount', [path]).catch(() => run('umount', ['-l', path]));
      await away();
    },
  };
}

/**
 * Makes a folder read-only for everything that is opened from now on, by a mount over it; returns how to take
 * that back. Undefined, and one line saying so, where this machine allows no mounts.
 */
export async function coverReadOnly(path: string): Promise<(() => Promise<void>) | undefined> {
  // Made aside, where nobody writes: a mount in use cannot become read-only.
  const side = await fs.mkdtemp(join(tmpdir(), 'holdfast-side-'));
  try {
    await run('mount', ['--bind', path, side]);
  } catch (error) {
    await fs.rmdir(side);
    refusal = `a read-only folder needs the right to mount (${String(error).split('\n')[0]})`;
    return undefined;
  }
  await run('mount', ['-o', 'remount,bind,ro', side]);
  await run('mount', ['--bind', side, path]);
  return async () => {
    // Lazily: somebody may be reading there at this moment.
    await run('umount', ['-l', path]);
    await run('umount', ['-l', side]);
    await fs.rmdir(side);
  };
}

/** Takes the free space but for `leaveBytes`; returns the file's size. */
async function append(filler: string, disk: string, leaveBytes: number): Promise<number> {
  const handle = await fs.open(filler, 'a');
  const { bavail, bsize } = await fs.statfs(disk);
  let left = bavail * bsize - leaveBytes;
  try {
    for (const block of [Buffer.alloc(65536, 1), Buffer.alloc(512, 1)]) {
      try {
        for (; left >= block.length || leaveBytes === 0; left -= block.length) await handle.write(block);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    await handle.sync();
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}
