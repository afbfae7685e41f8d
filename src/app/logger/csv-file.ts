import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../core/durable-files.js';
import { systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';

export interface CsvFileOptions {
  readonly path: string;
  /** The first line, with its end. */
  readonly header: string;
  readonly maxBytes: number;
  readonly kept: number;
}

const TAIL_BYTES = 64 * 1024;
const NEWLINE = 10;

/**
 * A CSV file that only grows, by whole lines. {@link append} resolves once what was given is fsynced; after a
 * failure the file is opened anew and cut back to what was durable, since an fsync that failed proves nothing and a
 * write may have got half way. Cut back in the same way is the line that a crash tore.
 */
export class CsvFile {
  /** Durable, including the header. */
  bytes = 0;
  rotations = 0;
  /** Bytes of a torn line that were cut off when the file was opened. */
  repairedBytes = 0;
  private handle: FileHandle | undefined;
  private isKnown = false;

  constructor(
    readonly options: CsvFileOptions,
    private readonly fs: FileSystem,
  ) {}

  /** Rejects where the disk refuses; then nothing of it counts, and the same may be given again. */
  async append(lines: Buffer): Promise<void> {
    try {
      const { maxBytes, header } = this.options;
      await this.forgetIfRemoved();
      let handle = await this.open();
      const hasRows = this.bytes > Buffer.byteLength(header);
      if (hasRows && this.bytes + lines.length > maxBytes) {
        await this.rotate();
        handle = await this.open();
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

  /** Makes the file with its header, or only repairs what is there of it. Rejects where the disk refuses. */
  async prepare(create: boolean): Promise<void> {
    const { fs, options } = this;
    if (!create && (await fs.stat(options.path).catch(missing)) === undefined) return;
    await this.open();
  }

  async close(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close().catch(() => undefined);
  }

  /** Somebody moved or removed the file: what is written into it from now on nobody would see. */
  private async forgetIfRemoved(): Promise<void> {
    if (this.handle === undefined || (await this.handle.stat()).nlink > 0) return;
    await this.close();
    this.isKnown = false;
    this.bytes = 0;
  }

  private async open(): Promise<FileHandle> {
    if (this.handle) return this.handle;
    const { path, header } = this.options;
    let handle = await this.openOrMake();
    try {
      let size = (await handle.stat()).size;
      if (!this.isKnown || size < this.bytes) {
        const whole = await endOfLastLine(handle, size);
        if (size > 0 && whole > 0 && !(await startsWith(handle, header))) {
          // Columns of another version: its rows do not belong under this header, nor these under that one.
          await handle.close();
          await this.shift();
          handle = await this.openOrMake();
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
      await syncDirectory(this.fs, dirname(path));
      this.isKnown = true;
      this.handle = handle;
      return handle;
    } catch (error) {
      if (!this.isKnown) this.bytes = 0;
      await handle.close().catch(() => undefined);
      throw error;
    }
  }

  private async openOrMake(): Promise<FileHandle> {
    const { path } = this.options;
    try {
      // Not for appending: where to write is what is durable, not where the file happens to end.
      return await this.fs.open(path, 'r+');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      // Somebody removed it: it begins anew.
      this.bytes = 0;
      this.isKnown = false;
      return this.fs.open(path, 'wx+');
    }
  }

  /** `<path>` becomes `<path>.1`, that `<path>.2`, and so on; the one beyond `kept` goes. */
  private async rotate(): Promise<void> {
    await this.close();
    await this.shift();
    this.rotations++;
    this.isKnown = false;
    this.bytes = 0;
  }

  private async shift(): Promise<void> {
    const { path, kept } = this.options;
    const { fs } = this;
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

/** Where the last whole line ends: what a crash left behind it is half a line, or zeros. */
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
