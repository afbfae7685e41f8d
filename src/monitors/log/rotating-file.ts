import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  write,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describeError } from '../../core/errors.js';

export interface RotatingFileOptions {
  /** The file that is written; older ones are `<path>.1` (newest) to `<path>.<kept>`. */
  readonly path: string;
  /** A file is not written beyond this. Default 10,000,000. */
  readonly maxBytes?: number;
  /** Rotated files that are kept. Default 5. */
  readonly kept?: number;
  /** Lines not written yet; beyond it new ones are dropped and counted. Default 1,048,576. */
  readonly queueMaxBytes?: number;
}

/** After a refused write, how long lines are only queued. */
const RETRY_AFTER_MS = 1_000;

/**
 * A log file of bounded size. {@link write} never waits and never throws: lines are queued in memory and
 * written behind, one write at a time. While the disk refuses they wait, and beyond the bound new ones are
 * dropped and counted. Opened again, it goes on at the end of the file, so that the bounds hold over restarts.
 * The folder is made, but not the one it is in: before a data folder is there, lines wait.
 */
export class RotatingFile {
  readonly path: string;
  readonly queueMaxBytes: number;
  queuedBytes = 0;
  queuedLines = 0;
  writtenLines = 0;
  droppedLines = 0;
  rotations = 0;
  fileBytes = 0;
  lastError: string | undefined;
  private readonly maxBytes: number;
  private readonly kept: number;
  private queue: Buffer[] = [];
  /** Handed to the system and not confirmed yet. */
  private writing: Buffer[] = [];
  private fd: number | undefined;
  private busy = false;
  private retry: NodeJS.Timeout | undefined;
  private waiters: (() => void)[] = [];
  private isTorn = false;
  private closing = false;
  private closed = false;

  constructor(options: RotatingFileOptions) {
    this.path = options.path;
    this.maxBytes = options.maxBytes ?? 10_000_000;
    this.kept = options.kept ?? 5;
    this.queueMaxBytes = options.queueMaxBytes ?? 2 ** 20;
  }

  get isRunning(): boolean {
    return !this.closed && this.lastError === undefined;
  }

  /** One line with its end. */
  write(line: string): void {
    if (this.closed) return;
    const bytes = Buffer.from(line);
    if (this.queuedBytes + bytes.length > this.queueMaxBytes) {
      this.droppedLines++;
      return;
    }
    this.queue.push(bytes);
    this.queuedBytes += bytes.length;
    this.queuedLines++;
    if (!this.busy && this.retry === undefined) setImmediate(() => this.pump());
  }

  /** Resolves when what was queued before is written, or was refused. */
  async flush(): Promise<void> {
    if (this.queue.length === 0 && !this.busy) return;
    const done = new Promise<void>((resolve) => this.waiters.push(resolve));
    this.pump();
    await done;
  }

  /** For the last moment of a process: what is queued is written before this returns, or given up. */
  flushSync(): void {
    if (this.closed || (this.queue.length === 0 && this.writing.length === 0)) return;
    try {
      // A write under way may be repeated: a line twice at the end is better than none.
      const chunk = Buffer.concat([...this.writing, ...this.queue]);
      this.prepare(chunk.length);
      this.fileBytes += writeSync(this.fd!, chunk);
      this.settled(this.queue);
      this.queue = [];
    } catch (error) {
      this.lastError = describeError(error);
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closing = true;
    await this.flush();
    this.closed = true;
    this.droppedLines += this.queue.length;
    clearTimeout(this.retry);
    this.closeFile();
  }

  private pump(): void {
    if (this.busy || this.closed) return;
    if (this.queue.length === 0) return this.idle();
    const lines = this.takeUpToMax();
    // What a refused write left of a line ends here.
    const chunk = Buffer.concat(this.isTorn ? [Buffer.from('\n'), ...lines] : lines);
    try {
      this.prepare(chunk.length);
    } catch (error) {
      return this.refused(lines, error);
    }
    this.busy = true;
    this.writing = lines;
    this.writeAll(chunk, 0, lines);
  }

  private writeAll(chunk: Buffer, offset: number, lines: Buffer[]): void {
    write(this.fd!, chunk, offset, chunk.length - offset, null, (error, written) => {
      if (error === null && written > 0 && offset + written < chunk.length) {
        this.fileBytes += written;
        this.writeAll(chunk, offset + written, lines);
        return;
      }
      this.busy = false;
      this.writing = [];
      this.isTorn = error !== null && (offset > 0 || this.isTorn);
      if (error) {
        this.refused(lines, error);
        return;
      }
      this.fileBytes += written;
      this.lastError = undefined;
      this.settled(lines);
      this.pump();
    });
  }

  /** Lines that fit into what is left of the file, at least one. */
  private takeUpToMax(): Buffer[] {
    const room = this.fd === undefined ? this.maxBytes : this.maxBytes - this.fileBytes;
    let bytes = 0;
    let count = 0;
    for (const line of this.queue) {
      if (count > 0 && bytes + line.length > (room >= line.length ? room : this.maxBytes)) break;
      bytes += line.length;
      count++;
    }
    return this.queue.splice(0, count);
  }

  /** The lines wait; the next attempt comes later, with a fresh descriptor. */
  private refused(lines: Buffer[], error: unknown): void {
    this.lastError = describeError(error);
    this.queue.unshift(...lines);
    this.closeFile();
    if (this.closing) return this.idle();
    this.retry ??= setTimeout(() => {
      this.retry = undefined;
      this.pump();
    }, RETRY_AFTER_MS);
    this.retry.unref();
    this.idle();
  }

  private settled(lines: readonly Buffer[]): void {
    for (const line of lines) this.queuedBytes -= line.length;
    this.queuedLines -= lines.length;
    this.writtenLines += lines.length;
  }

  private idle(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }

  /** The file is open and has room for so many bytes. */
  private prepare(bytes: number): void {
    this.openFile();
    if (this.fileBytes === 0 || this.fileBytes + bytes <= this.maxBytes) return;
    this.closeFile();
    rmSync(`${this.path}.${this.kept}`, { force: true });
    for (let n = this.kept - 1; n >= 0; n--) {
      const from = n === 0 ? this.path : `${this.path}.${n}`;
      try {
        renameSync(from, `${this.path}.${n + 1}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    this.rotations++;
    this.openFile();
  }

  private openFile(): void {
    if (this.fd !== undefined) return;
    if (!existsSync(dirname(this.path))) mkdirSync(dirname(this.path));
    this.fd = openSync(this.path, 'a', 0o640);
    this.fileBytes = fstatSync(this.fd).size;
  }

  private closeFile(): void {
    if (this.fd === undefined) return;
    const { fd } = this;
    this.fd = undefined;
    try {
      closeSync(fd);
    } catch {
      // Nothing more is written through it.
    }
  }
}
