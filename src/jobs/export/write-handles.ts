import type { FileHandle, FileSystem } from '../../core/file-system.js';

/**
 * Maximum number of open files: an export may write one file per topic, and a process has 1,024 descriptors
 * by default.
 */
export const MAX_OPEN_FILES = 64;

/** A file that is written and read at positions, with its handle open or closed. */
export interface PooledFile {
  /** Writes all of `bytes` at the position. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Reads up to the length of `into`; returns the number of bytes. */
  read(into: Uint8Array, at: number): Promise<number>;
  sync(): Promise<void>;
  /** Idempotent; the file stays. */
  close(): Promise<void>;
}

interface Slot {
  readonly path: string;
  handle: Promise<FileHandle> | undefined;
  users: number;
  isNew: boolean;
  /** From a handle that was closed to make room. */
  failure: Error | undefined;
}

/**
 * Handles of files under construction: opened when they are used, closed when too many are open, so that an
 * export may have any number of unfinished files.
 */
export class WriteHandles {
  readonly #open = new Set<Slot>();
  readonly #fs: FileSystem;
  readonly #maxOpen: number;

  constructor(fs: FileSystem, maxOpen = MAX_OPEN_FILES) {
    this.#fs = fs;
    this.#maxOpen = maxOpen;
  }

  /** Handles open right now. */
  get size(): number {
    return this.#open.size;
  }

  /** Creates the file, or empties it. Throws the error of the system. */
  async create(path: string): Promise<PooledFile> {
    const slot: Slot = { path, handle: undefined, users: 0, isNew: true, failure: undefined };
    await this.#use(slot, () => Promise.resolve());
    return {
      write: (bytes, at) => this.#use(slot, (handle) => writeAll(handle, bytes, at)),
      read: (into, at) =>
        this.#use(slot, async (handle) => (await handle.read(into, 0, into.byteLength, at)).bytesRead),
      sync: () => this.#use(slot, (handle) => handle.sync()),
      close: () => this.#close(slot),
    };
  }

  async #use<T>(slot: Slot, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    if (slot.failure !== undefined) throw slot.failure;
    slot.users++;
    try {
      slot.handle ??= this.#fs.open(slot.path, slot.isNew ? 'w+' : 'r+');
      // The most recently used one is closed last.
      this.#open.delete(slot);
      this.#open.add(slot);
      const handle = await slot.handle.catch((error: unknown) => {
        slot.handle = undefined;
        this.#open.delete(slot);
        throw error;
      });
      slot.isNew = false;
      return await work(handle);
    } finally {
      slot.users--;
      await this.#closeIdle();
    }
  }

  async #closeIdle(): Promise<void> {
    for (const slot of this.#open) {
      if (this.#open.size <= this.#maxOpen) return;
      if (slot.users > 0) continue;
      // A failed write is the fault of this file, not of the present one.
      await this.#close(slot).catch((error: unknown) => (slot.failure = error as Error));
    }
  }

  async #close(slot: Slot): Promise<void> {
    const { handle } = slot;
    slot.handle = undefined;
    this.#open.delete(slot);
    await (await handle)?.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    at += (await handle.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten;
  }
}
