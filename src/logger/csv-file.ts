import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../core/durable-files.js';
import { systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

export interface CsvFileOptions {
  readonly path: string;
  /** The header line, including its end. */
  readonly header: string;
  readonly maxBytes: number;
  readonly kept: number;
}

const TAIL_BYTES = 64 * 1024;
const NEWLINE = 10;

/**
 * A CSV file that only grows, by whole lines. {@link append} resolves once the lines are fsynced. After a
 * failure, the file is opened again and cut back to its durable part, because a failed fsync proves nothing
 * and a write may have stopped half-way. A line that a crash tore is cut off in the same way.
 */
export class CsvFile {
  /** Durable bytes, including the header. */
  bytes = 0;
  rotations = 0;
  /** Bytes of a torn line that were cut off at the opening. */
  repairedBytes = 0;
  #handle: FileHandle | undefined;
  #isKnown = false;

  readonly #fs: FileSystem;

  constructor(
    readonly options: CsvFileOptions,
    fs: FileSystem,
  ) {
    this.#fs = fs;
  }

  /** Rejects if the disk refuses; then nothing of it counts, and the same lines may be given again. */
  async append(lines: Buffer): Promise<void> {
    try {
      const { maxBytes, header } = this.options;
      await this.#forgetIfRemoved();
      let handle = await this.#open();
      const hasRows = this.bytes > Buffer.byteLength(header);
      if (hasRows && this.bytes + lines.length > maxBytes) {
        await this.#rotate();
        handle = await this.#open();
      }
      for (let at = 0; at < lines.length;) {
        const { bytesWritten } = await handle.write(lines, at, lines.length - at, this.bytes + at);
        at += bytesWritten;
      }
      await handle.datasync();
      this.bytes += lines.length;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Creates the file with its header, or repairs an existing one. Rejects if the disk refuses. */
  async prepare(create: boolean): Promise<void> {
    const { options } = this;
    const fs = this.#fs;
    if (!create && (await fs.stat(options.path).catch(missing)) === undefined) return;
    await this.#open();
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => undefined);
  }

  /** The file was moved or removed: later writes would go into a file that is not reachable any more. */
  async #forgetIfRemoved(): Promise<void> {
    if (this.#handle === undefined || (await this.#handle.stat()).nlink > 0) return;
    await this.close();
    this.#isKnown = false;
    this.bytes = 0;
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle) return this.#handle;
    const { path, header } = this.options;
    let handle = await this.#openOrMake();
    try {
      let size = (await handle.stat()).size;
      if (!this.#isKnown || size < this.bytes) {
        const whole = await endOfLastLine(handle, size);
        if (size > 0 && whole > 0 && !(await startsWith(handle, header))) {
          // Columns of another version: its rows do not belong under this header, nor these under that one.
          await handle.close();
          await this.#shift();
          handle = await this.#openOrMake();
          size = 0;
        }
        this.bytes = Math.min(whole, size);
        this.repairedBytes += size - this.bytes;
      }
      if (size > this.bytes) await handle.truncate(this.bytes);
      if (this.bytes === 0) {
        const line = Buffer.from(header);
        await handle.write(line, 0, line.length, 0);
        this.bytes = line.length;
      }
      await handle.sync();
      await syncDirectory(this.#fs, dirname(path));
      this.#isKnown = true;
      this.#handle = handle;
      return handle;
    } catch (error) {
      if (!this.#isKnown) this.bytes = 0;
      await handle.close().catch(() => undefined);
      throw error;
    }
  }

  async #openOrMake(): Promise<FileHandle> {
    const { path } = this.options;
    try {
      // Not for appending: writes go to the end of the durable part, not to the end of the file.
      return await this.#fs.open(path, 'r+');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      // The file was removed: start a new one.
      this.bytes = 0;
      this.#isKnown = false;
      return this.#fs.open(path, 'wx+');
    }
  }

  /** `<path>` becomes `<path>.1`, that becomes `<path>.2`, and so on; the one beyond `kept` is removed. */
  async #rotate(): Promise<void> {
    await this.close();
    await this.#shift();
    this.rotations++;
    this.#isKnown = false;
    this.bytes = 0;
  }

  async #shift(): Promise<void> {
    const { path, kept } = this.options;
    const fs = this.#fs;
    await fs.rm(kept === 0 ? path : `${path}.${kept}`, { force: true });
    for (let n = kept - 1; n >= 0; n--) {
      await fs.rename(n === 0 ? path : `${path}.${n}`, `${path}.${n + 1}`).catch((error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw error;
      });
    }
    await syncDirectory(fs, dirname(path));
  }
}

function missing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

async function startsWith(handle: FileHandle, text: string): Promise<boolean> {
  const expected = Buffer.from(text);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(expected.length), 0, expected.length, 0);
  return buffer.subarray(0, bytesRead).equals(expected);
}

/** The end of the last whole line: a crash may leave half a line or zeros after it. */
async function endOfLastLine(handle: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - from), 0, end - from, from);
    const at = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (at >= 0) return from + at + 1;
    end = from;
  }
  return 0;
}
