import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Receipt, Store } from '../../core/store.js';
import { WORK_FOLDER, type OutputPlace, type PlaceFile } from './output-place.js';
import { DigestedFile, guarded, UnfinishedFiles, UsedPaths } from './unfinished-files.js';
import type { PooledFile } from './write-handles.js';

/** Files from here on go up in parts, to stores that send no whole files. */
const PART_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/** An export into a store: files are written locally first, then sent whole. */
export class StorePlace implements OutputPlace {
  readonly uri: string;
  readonly #used = new UsedPaths();
  readonly #unfinished: UnfinishedFiles;
  #folder: Promise<string> | undefined;
  #files = 0;

  constructor(
    readonly store: Store,
    readonly fs: FileSystem,
    readonly signal: AbortSignal,
  ) {
    this.uri = store.uri;
    this.#unfinished = new UnfinishedFiles(fs);
  }

  async create(path: string): Promise<PlaceFile> {
    this.#used.add(path);
    const local = await this.#scratch(`file-${this.#files++}`);
    const file = await guarded(local, () => DigestedFile.create(local, this.#unfinished));
    const drop = async (): Promise<void> => {
      await file.close().catch(() => undefined);
      await this.fs.rm(local, { force: true }).catch(() => undefined);
    };
    return {
      write: (bytes) => guarded(local, () => file.write(bytes)),
      finish: async () => {
        await guarded(local, () => file.flush());
        const { bytes, crc } = file;
        const sha256 = file.digest();
        await this.#send(path, file.file, bytes);
        await this.store.verify(path, { bytes, sha256, crc32: crc }, { signal: this.signal });
        await drop();
        return { bytes, sha256 };
      },
      abort: () => {
        this.#used.delete(path);
        return drop();
      },
    };
  }

  async #send(key: string, file: PooledFile, bytes: number): Promise<void> {
    const { store, signal } = this;
    const read = async (from: number, size: number): Promise<Buffer> => {
      const part = Buffer.alloc(size);
      for (let at = 0; at < size;) {
        const read = await file.read(part.subarray(at), from + at);
        if (read === 0) throw new HoldfastError('INTERNAL', `a scratch file of ${key} is too short`);
        at += read;
      }
      return part;
    };
    if (store.sendWhole) {
      const content = async function* (): AsyncGenerator<Buffer> {
        for (let at = 0; at < bytes; at += READ_BYTES) yield await read(at, Math.min(READ_BYTES, bytes - at));
      };
      await store.sendWhole({ key, bytes, content }, { signal });
      return;
    }
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
    this.#used.delete(path);
    for (const key of [path, ...(await this.list(path))])
      await this.store.delete(key, { signal: this.signal });
  }

  async isEmpty(): Promise<boolean> {
    for await (const { key } of this.store.list('', { signal: this.signal })) {
      if (!key.startsWith(`${WORK_FOLDER}/`)) return false;
    }
    return true;
  }

  async openScratch(name: string): Promise<PooledFile> {
    const path = await this.#scratch(name);
    return guarded(path, () => this.#unfinished.handles.create(path));
  }

  async #scratch(name: string): Promise<string> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'holdfast-export-'));
    return join(await this.#folder, name);
  }

  /** Removes the local files; the store stays open. */
  async dropScratch(): Promise<void> {
    if (this.#folder !== undefined) await this.fs.rm(await this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dropScratch();
    await this.store[Symbol.asyncDispose]();
  }
}
