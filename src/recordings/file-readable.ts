import { HoldfastError, describeError } from '../core/errors.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import { handleReadable, type Readable } from '../core/mcap/readable.js';

/**
 * Maximum number of open files; a merge may have thousands of files, and a process has 1024 descriptors by
 * default.
 */
const MAX_OPEN_FILES = 64;

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  users: number;
}

/**
 * Files for reading, opened when needed and closed when too many are open. Close the pool when done; then its
 * readables must not be used any more.
 */
export class FilePool implements AsyncDisposable {
  readonly #open = new Map<string, OpenFile>();

  constructor(
    readonly fs: FileSystem,
    readonly maxOpen: number = MAX_OPEN_FILES,
  ) {}

  readable(path: string): Readable {
    return {
      size: () => this.#use(path, (file) => file.size()),
      read: (offset, size) => this.#use(path, (file) => file.read(offset, size)),
    };
  }

  async #use<T>(path: string, work: (file: Readable) => Promise<T>): Promise<T> {
    let file = this.#open.get(path);
    if (file === undefined) {
      file = { handle: this.fs.open(path, 'r'), users: 0 };
    } else {
      this.#open.delete(path);
    }
    this.#open.set(path, file);
    file.users++;
    try {
      const handle = await file.handle.catch((error: unknown) => {
        this.#open.delete(path);
        throw new HoldfastError('SOURCE_UNREADABLE', `${path} cannot be opened: ${describeError(error)}`, {
          cause: error,
          facts: { path },
        });
      });
      return await work(handleReadable(handle, path));
    } finally {
      file.users--;
      await this.#closeIdle();
    }
  }

  async #closeIdle(): Promise<void> {
    for (const [path, file] of this.#open) {
      if (this.#open.size <= this.maxOpen) return;
      if (file.users > 0) continue;
      this.#open.delete(path);
      await (await file.handle).close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    for (const { handle } of files) {
      await handle.then((file) => file.close()).catch(() => undefined);
    }
  }
}
