import type { FileSystem } from '../core/file-system.js';

/** Bytes kept in memory before a file is created. */
const KEPT_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;

interface Place {
  readonly fs: FileSystem;
  readonly path: string;
}

/**
 * Bytes that are gathered now and read once, in order, later: in memory while they are few, then in a file.
 * No file stays open between two calls.
 */
export class Spill {
  /** Everything added. */
  bytes = 0;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #filed = 0;
  readonly #file: Place | undefined;
  readonly #keptMaxBytes: number;

  /** @param file - Absent: everything stays in memory. */
  constructor(file: Place | undefined, keptMaxBytes = KEPT_BYTES) {
    this.#file = file;
    this.#keptMaxBytes = keptMaxBytes;
  }

  /** Takes ownership of `bytes`: they must not change any more. Throws the error of the disk. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.byteLength;
    this.bytes += bytes.byteLength;
    if (this.#file && this.#keptBytes > this.#keptMaxBytes) await this.#writeOut(this.#file);
  }

  /** Throws the error of the disk. */
  async *read(): AsyncGenerator<Uint8Array, void, void> {
    if (this.#file && this.#filed > 0) yield* this.#readFile(this.#file);
    yield* this.#kept;
  }

  /** Frees memory and disk space. Never throws. */
  async remove(): Promise<void> {
    this.#kept = [];
    this.#keptBytes = 0;
    if (this.#file && this.#filed > 0) {
      await this.#file.fs.rm(this.#file.path, { force: true }).catch(() => undefined);
    }
    this.#filed = 0;
  }

  async #writeOut({ fs, path }: Place): Promise<void> {
    const bytes = Buffer.concat(this.#kept, this.#keptBytes);
    const handle = await fs.open(path, this.#filed === 0 ? 'w' : 'a');
    try {
      for (let at = 0; at < bytes.byteLength;) {
        at += (await handle.write(bytes, at, bytes.byteLength - at)).bytesWritten;
      }
    } finally {
      await handle.close();
    }
    this.#filed += bytes.byteLength;
    this.#kept = [];
    this.#keptBytes = 0;
  }

  async *#readFile({ fs, path }: Place): AsyncGenerator<Uint8Array, void, void> {
    const handle = await fs.open(path, 'r');
    try {
      for (let at = 0; at < this.#filed;) {
        const part = Buffer.allocUnsafe(Math.min(READ_BYTES, this.#filed - at));
        const { bytesRead } = await handle.read(part, 0, part.byteLength, at);
        if (bytesRead === 0) throw new Error(`${path} ends at ${at}, before ${this.#filed}`);
        at += bytesRead;
        yield part.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }
}
