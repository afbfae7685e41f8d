import { createHash, type Hash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mkdtemp } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import {
  makeDirectoryDurably,
  readFileIfPresent,
  syncDirectory,
  writeFileDurably,
} from '../../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../../core/errors.js';
import type { FileHandle, FileSystem } from '../../core/file-system.js';
import type { Receipt, Store } from '../../core/store.js';

export interface WrittenFile {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** What an export needs while it is unfinished: its plan and what is done. */
export const WORK_FOLDER = '.holdfast-export';

/** A file that does not exist until it is finished. */
export interface PlaceFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes it durable under its name. */
  finish(): Promise<WrittenFile>;
  abort(): Promise<void>;
}

/** Where an export goes. Paths are relative, with `/`. */
export interface OutputPlace extends AsyncDisposable {
  readonly uri: string;
  create(path: string): Promise<PlaceFile>;
  /** Writes a small file whole and durably. */
  put(path: string, data: string): Promise<void>;
  get(path: string): Promise<string | undefined>;
  /** Paths directly below a folder, sorted. */
  list(folder: string): Promise<string[]>;
  remove(path: string): Promise<void>;
  /** Anything there that is no part of an export. */
  isEmpty(): Promise<boolean>;
  /** A local file for the time of the export, open for reading and writing. */
  openScratch(name: string): Promise<FileHandle>;
}

const WRITE_BYTES = 1024 * 1024;

/** Turns what the system says while writing into an error with a code. */
async function guarded<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = systemCode(cause);
    if (isHoldfastError(cause) || code === undefined) throw cause;
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    const message = `${where} cannot be written: ${describeError(cause)}`;
    throw new HoldfastError(full ? 'DISK_FULL' : 'OUTPUT_UNUSABLE', message, { cause, facts: { where } });
  }
}

/** A local file that is digested while it is written. */
class DigestedFile {
  readonly #hash: Hash = createHash('sha256');
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  crc = 0;
  bytes = 0;

  constructor(readonly handle: FileHandle) {}

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return;
    this.#hash.update(bytes);
    this.crc = crc32(bytes, this.crc);
    this.bytes += bytes.byteLength;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.byteLength;
    if (this.#pendingBytes >= WRITE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    for (const bytes of pending) {
      for (let at = 0; at < bytes.byteLength;) {
        at += (await this.handle.write(bytes, at, bytes.byteLength - at)).bytesWritten;
      }
    }
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

/** An export into a folder. */
export class FolderPlace implements OutputPlace {
  readonly #made = new Set<string>();

  /** @param durable false: files that a power cut may take, since they are made again */
  constructor(
    readonly uri: string,
    readonly fs: FileSystem,
    readonly durable = true,
  ) {}

  async create(path: string): Promise<PlaceFile> {
    const target = join(this.uri, path);
    const temporary = `${target}.tmp`;
    const handle = await guarded(target, async () => {
      await this.#folder(dirname(target));
      return this.fs.open(temporary, 'w');
    });
    const file = new DigestedFile(handle);
    return {
      write: (bytes) => guarded(target, () => file.write(bytes)),
      finish: () =>
        guarded(target, async () => {
          await file.flush();
          if (this.durable) await handle.sync();
          await handle.close();
          await this.fs.rename(temporary, target);
          if (this.durable) await syncDirectory(this.fs, dirname(target));
          return { bytes: file.bytes, sha256: file.digest() };
        }),
      abort: async () => {
        await handle.close().catch(() => undefined);
        await this.fs.rm(temporary, { force: true }).catch(() => undefined);
      },
    };
  }

  async put(path: string, data: string): Promise<void> {
    const target = join(this.uri, path);
    await guarded(target, async () => {
      await this.#folder(dirname(target));
      await writeFileDurably(this.fs, target, data);
    });
  }

  async get(path: string): Promise<string | undefined> {
    return (await readFileIfPresent(this.fs, join(this.uri, path)))?.toString('utf8');
  }

  async list(folder: string): Promise<string[]> {
    try {
      const names = (await this.fs.readdir(join(this.uri, folder))).sort();
      return names.filter((name) => !name.endsWith('.tmp')).map((name) => `${folder}/${name}`);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    await this.fs.rm(join(this.uri, path), { recursive: true, force: true });
  }

  async isEmpty(): Promise<boolean> {
    try {
      const names = await this.fs.readdir(this.uri);
      return names.every((name) => name === WORK_FOLDER);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') return true;
      const message = `${this.uri} cannot be used: ${describeError(error)}`;
      throw new HoldfastError('OUTPUT_UNUSABLE', message, { cause: error, facts: { where: this.uri } });
    }
  }

  async openScratch(name: string): Promise<FileHandle> {
    const folder = join(this.uri, WORK_FOLDER, 'scratch');
    return guarded(folder, async () => {
      await this.#folder(folder);
      return this.fs.open(join(folder, name), 'w+');
    });
  }

  async #folder(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    if (this.durable) await makeDirectoryDurably(this.fs, path);
    else await this.fs.mkdir(path, { recursive: true });
    this.#made.add(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fs
      .rm(join(this.uri, WORK_FOLDER, 'scratch'), { recursive: true, force: true })
      .catch(() => undefined);
  }
}

/** Files from here on go up in parts. */
const PART_BYTES = 16 * 1024 * 1024;

/** An export into a store: files are written locally first, then sent whole. */
export class StorePlace implements OutputPlace {
  readonly uri: string;
  #folder: string | undefined;
  #files = 0;

  constructor(
    readonly store: Store,
    readonly fs: FileSystem,
    readonly signal: AbortSignal,
  ) {
    this.uri = store.uri;
  }

  async create(path: string): Promise<PlaceFile> {
    const local = await this.#scratch(`file-${this.#files++}`);
    const handle = await guarded(local, () => this.fs.open(local, 'w+'));
    const file = new DigestedFile(handle);
    const drop = async (): Promise<void> => {
      await handle.close().catch(() => undefined);
      await this.fs.rm(local, { force: true }).catch(() => undefined);
    };
    return {
      write: (bytes) => guarded(local, () => file.write(bytes)),
      finish: async () => {
        await guarded(local, () => file.flush());
        const { bytes, crc } = file;
        const sha256 = file.digest();
        await this.#send(path, handle, bytes);
        await this.store.verify(path, { bytes, sha256, crc32: crc }, { signal: this.signal });
        await drop();
        return { bytes, sha256 };
      },
      abort: drop,
    };
  }

  async #send(key: string, handle: FileHandle, bytes: number): Promise<void> {
    const { store, signal } = this;
    const read = async (from: number, size: number): Promise<Buffer> => {
      const part = Buffer.alloc(size);
      for (let at = 0; at < size;) {
        const { bytesRead } = await handle.read(part, at, size - at, from + at);
        if (bytesRead === 0) throw new HoldfastError('INTERNAL', `a scratch file of ${key} is too short`);
        at += bytesRead;
      }
      return part;
    };
    if (bytes <= PART_BYTES) {
      await store.put(key, await read(0, bytes), { signal });
      return;
    }
    const partBytes = Math.max(
      PART_BYTES,
      store.limits.minPartBytes,
      Math.ceil(bytes / store.limits.maxParts),
    );
    const upload = await store.createUpload(key, { signal });
    try {
      const parts: Receipt[] = [];
      for (let at = 0; at < bytes; at += partBytes) {
        const part = await read(at, Math.min(partBytes, bytes - at));
        parts.push(await store.uploadPart(upload, parts.length + 1, part, { signal }));
      }
      await store.completeUpload(upload, parts, { signal, overwrite: true });
    } catch (error) {
      await store.abortUpload(upload).catch(() => undefined);
      throw error;
    }
  }

  async put(path: string, data: string): Promise<void> {
    await this.store.put(path, Buffer.from(data), { signal: this.signal });
  }

  async get(path: string): Promise<string | undefined> {
    if ((await this.store.head(path, { signal: this.signal })) === undefined) return undefined;
    const parts: Uint8Array[] = [];
    for await (const part of this.store.read(path, undefined, { signal: this.signal })) parts.push(part);
    return Buffer.concat(parts).toString('utf8');
  }

  async list(folder: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list(`${folder}/`, { signal: this.signal })) keys.push(key);
    return keys.sort();
  }

  async remove(path: string): Promise<void> {
    for (const key of [path, ...(await this.list(path))])
      await this.store.delete(key, { signal: this.signal });
  }

  async isEmpty(): Promise<boolean> {
    for await (const { key } of this.store.list('', { signal: this.signal })) {
      if (!key.startsWith(`${WORK_FOLDER}/`)) return false;
    }
    return true;
  }

  async openScratch(name: string): Promise<FileHandle> {
    const path = await this.#scratch(name);
    return guarded(path, () => this.fs.open(path, 'w+'));
  }

  async #scratch(name: string): Promise<string> {
    this.#folder ??= await mkdtemp(join(tmpdir(), 'holdfast-export-'));
    return join(this.#folder, name);
  }

  /** Removes the local files; the store stays open. */
  async dropScratch(): Promise<void> {
    if (this.#folder !== undefined) await this.fs.rm(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dropScratch();
    await this.store[Symbol.asyncDispose]();
  }
}
