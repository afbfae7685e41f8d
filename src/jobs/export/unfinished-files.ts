import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { WriteHandles, type PooledFile } from './write-handles.js';

/** Bytes collected before they are written, of one file and of all unfinished files together. */
const WRITE_BYTES = 1024 * 1024;
const ALL_WRITE_BYTES = 32 * 1024 * 1024;

/** Turns an error of the system during a write into an error with a code. */
export async function guarded<T>(where: string, work: () => Promise<T>): Promise<T> {
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

/** Paths of an export's files, so that no file silently replaces another. */
export class UsedPaths {
  readonly #paths = new Set<string>();

  /** Throws `OUTPUT_UNUSABLE` when the export has a file of this path already. */
  add(path: string): void {
    if (this.#paths.has(path)) {
      throw new HoldfastError(
        'OUTPUT_UNUSABLE',
        `two files of this export would have the path ${path}: let the layout name what tells them apart ` +
          '({robot}, {topic} and {type} as path parts of their own)',
        { facts: { path } },
      );
    }
    this.#paths.add(path);
  }

  delete(path: string): void {
    this.#paths.delete(path);
  }
}

/** The shared state of unfinished files of one place. */
export class UnfinishedFiles {
  readonly handles: WriteHandles;
  count = 0;

  constructor(fs: FileSystem) {
    this.handles = new WriteHandles(fs);
  }

  /** Bytes that one file may collect. */
  get writeBytes(): number {
    return Math.min(WRITE_BYTES, ALL_WRITE_BYTES / Math.max(1, this.count));
  }
}

/** A local file that is digested while it is written. */
export class DigestedFile {
  readonly #hash: Hash = createHash('sha256');
  readonly #all: UnfinishedFiles;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #written = 0;
  #isOpen = true;
  crc = 0;
  bytes = 0;

  private constructor(
    readonly file: PooledFile,
    all: UnfinishedFiles,
  ) {
    this.#all = all;
    all.count++;
  }

  static async create(path: string, all: UnfinishedFiles): Promise<DigestedFile> {
    return new DigestedFile(await all.handles.create(path), all);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return;
    this.#hash.update(bytes);
    this.crc = crc32(bytes, this.crc);
    this.bytes += bytes.byteLength;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.byteLength;
    if (this.#pendingBytes >= this.#all.writeBytes) await this.flush();
  }

  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    for (const bytes of pending) {
      await this.file.write(bytes, this.#written);
      this.#written += bytes.byteLength;
    }
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  async close(): Promise<void> {
    if (this.#isOpen) this.#all.count--;
    this.#isOpen = false;
    await this.file.close();
  }
}
