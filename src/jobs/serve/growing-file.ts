import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../../core/file-system.js';
import type { WrittenFile } from '../../recordings/replay-writer.js';

const READ_BYTES = 256 * 1024;

/**
 * A temporary file that can be read while it is written. It has no name: its bytes are gone when it is closed,
 * or when the process ends, however it ends.
 */
export class GrowingFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  #bytes = 0;
  #state: 'open' | 'whole' | 'closed' = 'open';
  #failure: unknown;
  #readers = 0;
  #wake: (() => void)[] = [];

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Creates it in a folder, for its owner only. */
  static async create(fs: FileSystem, folder: string, name: string): Promise<GrowingFile> {
    const path = join(folder, name);
    const handle = await fs.open(path, 'wx+', 0o600);
    await fs.unlink(path);
    return new GrowingFile(handle);
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Readers that have not ended. */
  get readers(): number {
    return this.#readers;
  }

  /** Its end for a writer. `room` is called before each write, and may reject. */
  writer(room: (bytes: number) => Promise<void>): WrittenFile {
    const write = async (data: Uint8Array, at: number, length: number): Promise<object> => {
      await room(length);
      const { bytesWritten } = await this.#handle.write(data, at, length, this.#bytes);
      this.#bytes += bytesWritten;
      this.#tell();
      return { bytesWritten, buffer: data };
    };
    return { write, sync: () => Promise.resolve() } as unknown as WrittenFile;
  }

  /** Nothing more is written. */
  finish(): void {
    this.#state = 'whole';
    this.#tell();
  }

  /** The writer ended with an error, which readers get. */
  fail(error: unknown): void {
    this.#failure = error;
    this.#tell();
  }

  /** Bytes from `start` (inclusive) to `end` (exclusive); they wait for what is not yet written. */
  async *read(start: number, end = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array, void, void> {
    this.#readers++;
    try {
      for (let at = start; at < end;) {
        await this.#written(at);
        const length = Math.min(READ_BYTES, end - at, this.#bytes - at);
        if (length <= 0) return;
        const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(length), 0, length, at);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      this.#readers--;
    }
  }

  /** Idempotent. Its readers fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#failure ??= new Error('the file is closed');
    this.#tell();
    await this.#handle.close();
  }

  /** Waits until the byte at `at` is there, or will never be. */
  async #written(at: number): Promise<void> {
    while (this.#failure === undefined && this.#state === 'open' && this.#bytes <= at) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  #tell(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
