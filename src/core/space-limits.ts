import { dirname, join, resolve } from 'node:path';
import { documentKind } from './documents/document.js';
import { limitsSchema } from './documents/folder-schemas.js';
import { bytesBelow } from './bytes-below.js';
import { readStateIfReadable, writeFileDurably } from './durable-files.js';
import { HoldfastError } from './errors.js';
import type { FileHandle, FileSystem } from './file-system.js';

/** In the data folder: what the recorder keeps free, for all programs that write copies to the same disk. */
export const LIMITS_FILE = 'limits.json';

/** The recorder's limits, with the room above them that it needs before it must evict. */
export interface PublishedLimits {
  readonly version: 1;
  /** The floor of free disk space is the smaller of the two. */
  readonly minFreeBytes: number;
  readonly minFreePercent: number;
  /** Quota of the data folder in bytes; 0: none. */
  readonly maxBytes: number;
  /** Bytes that the recorder frees beyond a limit. */
  readonly slackBytes: number;
}

/** Schema of `limits.json`. */
const limitFiles = documentKind<PublishedLimits>('limits of the recorder', limitsSchema);

/** Bytes written between two checks of the disk: copies may exceed the limit by this much. */
const LOOK_BYTES = 4 * 1024 * 1024;
/** Slack takes at most one part in this many of the quota (the same as in retention). */
const QUOTA_PART = 8;

export async function writeLimits(
  fs: FileSystem,
  root: string,
  limits: Omit<PublishedLimits, 'version'>,
): Promise<void> {
  const { minFreeBytes, minFreePercent, maxBytes, slackBytes } = limits;
  const content: PublishedLimits = { version: 1, minFreeBytes, minFreePercent, maxBytes, slackBytes };
  await writeFileDurably(fs, join(root, LIMITS_FILE), `${JSON.stringify(content)}\n`);
}

/** Undefined if no recorder ever wrote the file, or if it is invalid. */
export async function readLimits(fs: FileSystem, root: string): Promise<PublishedLimits | undefined> {
  const bytes = await readStateIfReadable(fs, join(root, LIMITS_FILE));
  return limitFiles.parseIfValid(bytes?.toString('utf8'));
}

/**
 * A file system for exports, caches and temporary files, which stop before they take room from a recording. A
 * write to the disk of one of these data folders, or into a data folder, fails with `DISK_FULL` before it
 * takes the recorder's floor and the room that it needs beside it. Several writers see each other's bytes.
 */
export function keepingRoom(fs: FileSystem, dataFolders: readonly string[] = []): FileSystem {
  const guards = new Map<string, Promise<RoomGuard | undefined>>();
  const guardOf = (path: string): Promise<RoomGuard | undefined> => {
    const folder = dirname(resolve(path));
    let guard = guards.get(folder);
    if (!guard) guards.set(folder, (guard = openGuard(fs, folder, dataFolders)));
    return guard;
  };
  const open: FileSystem['open'] = async (path, ...rest) => {
    const handle = await fs.open(path, ...rest);
    const [flags = 'r'] = rest;
    const guard = flags === 'r' ? undefined : await guardOf(String(path));
    return guard ? guarded(handle, guard) : handle;
  };
  return new Proxy(fs, {
    get: (target, name) => (name === 'open' ? open : Reflect.get(target, name)) as unknown,
  });
}

/** Bytes that copies may take in this data folder now; undefined if its recorder never wrote its limits. */
export async function roomForCopies(fs: FileSystem, root: string): Promise<number | undefined> {
  const limits = await readLimits(fs, root);
  if (!limits) return undefined;
  const { free, kept } = await diskRoom(fs, root, limits);
  const { used, allowed } = await quotaRoom(fs, root, limits);
  return Math.max(0, Math.min(free - kept, allowed - used));
}

async function diskRoom(
  fs: FileSystem,
  folder: string,
  { minFreeBytes, minFreePercent, slackBytes }: PublishedLimits,
): Promise<{ free: number; kept: number }> {
  const disk = await fs.statfs(folder);
  const floor = Math.min(minFreeBytes, Math.floor((disk.blocks * disk.bsize * minFreePercent) / 100));
  return { free: disk.bavail * disk.bsize, kept: floor + slackBytes };
}

async function quotaRoom(
  fs: FileSystem,
  root: string,
  { maxBytes, slackBytes }: PublishedLimits,
): Promise<{ used: number; allowed: number }> {
  if (maxBytes === 0) return { used: 0, allowed: Infinity };
  // The recorder begins to evict two steps before the quota.
  const allowed = maxBytes - 2 * Math.min(slackBytes, Math.floor(maxBytes / QUOTA_PART));
  return { used: await bytesBelow(fs, root), allowed };
}

/** Watches the free room on one disk. */
class RoomGuard {
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #limits: PublishedLimits;
  readonly #inside: string | undefined;
  /** Bytes that may be written before the disk is checked again. */
  #allowance = 0;

  /** @param inside the data folder that receives the write, if it is one */
  constructor(fs: FileSystem, folder: string, limits: PublishedLimits, inside?: string) {
    this.#fs = fs;
    this.#folder = folder;
    this.#limits = limits;
    this.#inside = inside;
  }

  /** Throws `DISK_FULL` before a write that would take the recorder's room. */
  async take(bytes: number): Promise<void> {
    if (bytes > this.#allowance) {
      const folder = this.#inside ?? this.#folder;
      const { free, kept } = await diskRoom(this.#fs, this.#folder, this.#limits);
      if (free - bytes < kept) {
        throw new HoldfastError(
          'DISK_FULL',
          `${free} bytes are free on the disk of ${folder}, of which ${kept} are kept for the recording; ` +
            'a copy takes none of them: write it to another disk',
          { facts: { free, kept, folder } },
        );
      }
      // The quota applies to the data folder only.
      const limits = this.#inside === undefined ? { ...this.#limits, maxBytes: 0 } : this.#limits;
      const { used, allowed } = await quotaRoom(this.#fs, folder, limits);
      if (used + bytes > allowed) {
        throw new HoldfastError(
          'DISK_FULL',
          `the data folder ${folder} holds ${used} bytes, allowed with copies in it: ${allowed}; ` +
            'write the copy to another folder',
          { facts: { used, allowed, folder } },
        );
      }
      this.#allowance = Math.max(bytes, Math.min(LOOK_BYTES, free - kept, allowed - used));
    }
    this.#allowance -= bytes;
  }
}

async function openGuard(
  fs: FileSystem,
  folder: string,
  dataFolders: readonly string[],
): Promise<RoomGuard | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const limits = await readLimits(fs, at);
    if (limits) return new RoomGuard(fs, folder, limits, at);
    if (dirname(at) === at) break;
  }
  for (const root of dataFolders) {
    const limits = await readLimits(fs, root);
    if (limits && (await deviceOf(fs, root)) === (await deviceOf(fs, folder))) {
      return new RoomGuard(fs, folder, limits);
    }
  }
  return undefined;
}

async function deviceOf(fs: FileSystem, path: string): Promise<number | undefined> {
  return fs.stat(path).then(
    ({ dev }) => dev,
    () => undefined,
  );
}

function guarded(handle: FileHandle, guard: RoomGuard): FileHandle {
  const writing: Readonly<Record<string, (...args: never[]) => Promise<unknown>>> = {
    write: async (data: Uint8Array | string, ...rest: number[]) => {
      await guard.take(typeof data === 'string' ? Buffer.byteLength(data) : (rest[1] ?? data.byteLength));
      return handle.write(data as Uint8Array, ...rest);
    },
    writeFile: async (data: Uint8Array | string, ...rest: never[]) => {
      await guard.take(Buffer.byteLength(data));
      return handle.writeFile(data, ...rest);
    },
    appendFile: async (data: Uint8Array | string, ...rest: never[]) => {
      await guard.take(Buffer.byteLength(data));
      return handle.appendFile(data, ...rest);
    },
  };
  return new Proxy(handle, {
    get(target, name) {
      const own = typeof name === 'string' ? writing[name] : undefined;
      if (own) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
