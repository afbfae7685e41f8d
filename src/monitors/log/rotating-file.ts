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
import { present } from '../../core/present.js';
import type { Timer, Timers } from '../../core/clock.js';

export interface RotatingFileOptions {
  /** The file that is written; older ones are `<path>.1` (newest) to `<path>.<kept>`. */
  readonly path: string;
  /** Maximum size of a file, bytes. Default 10,000,000. */
  readonly maxBytes?: number;
  /** Number of rotated files that are kept. Default 5. */
  readonly kept?: number;
  /** Maximum number of lines not written yet; further ones are dropped and counted. Default 10,000. */
  readonly queueMaxLines?: number;
  /** Their maximum bytes, so that long lines are bounded too. Default 16,777,216. */
  readonly queueMaxBytes?: number;
  readonly timers: Timers;
}

/** After a refused write, how long lines are only queued. */
const RETRY_AFTER_MS = 1_000;

/**
 * A log file of bounded size. {@link write} never waits and never throws: lines are queued in memory and
 * written asynchronously, one write at a time. While the disk refuses they wait, and beyond the limit new
 * ones are dropped and counted. When it is opened again, it continues at the end of the file, so that the
 * limits hold over restarts. It creates its folder, but not the parent: until a data folder exists, lines
 * wait.
 */
export class RotatingFile {
  readonly path: string;
  readonly queueMaxLines: number;
  readonly queueMaxBytes: number;
  queuedBytes = 0;
  queuedLines = 0;
  writtenLines = 0;
  droppedLines = 0;
  rotations = 0;
  fileBytes = 0;
  lastError: string | undefined;
  readonly #maxBytes: number;
  readonly #kept: number;
  #queue: Buffer[] = [];
  /** Passed to the system and not confirmed yet. */
  #writing: Buffer[] = [];
  #fd: number | undefined;
  #busy = false;
  #retry: Timer | undefined;
  readonly #timers: Timers;
  #waiters: (() => void)[] = [];
  #isTorn = false;
  #closing = false;
  #closed = false;

  constructor(options: RotatingFileOptions) {
    this.path = options.path;
    this.#timers = options.timers;
    this.#maxBytes = options.maxBytes ?? 10_000_000;
    this.#kept = options.kept ?? 5;
    this.queueMaxLines = options.queueMaxLines ?? 10_000;
    this.queueMaxBytes = options.queueMaxBytes ?? 16 * 2 ** 20;
  }

  get isRunning(): boolean {
    return !this.#closed && this.lastError === undefined;
  }

  /** One line including its end. */
  write(line: string): void {
    if (this.#closed) return;
    const bytes = Buffer.from(line);
    if (this.queuedLines >= this.queueMaxLines || this.queuedBytes + bytes.length > this.queueMaxBytes) {
      this.droppedLines++;
      return;
    }
    this.#queue.push(bytes);
    this.queuedBytes += bytes.length;
    this.queuedLines++;
    if (!this.#busy && this.#retry === undefined) this.#timers.soon(() => this.#pump());
  }

  /** Resolves when everything queued before is written, or was refused. */
  async flush(): Promise<void> {
    if (this.#queue.length === 0 && !this.#busy) return;
    const done = new Promise<void>((resolve) => this.#waiters.push(resolve));
    this.#pump();
    await done;
  }

  /** For the last moment of a process: queued lines are written before this returns, or dropped. */
  flushSync(): void {
    if (this.#closed || (this.#queue.length === 0 && this.#writing.length === 0)) return;
    try {
      // A write under way may be repeated: a line twice at the end is better than a missing line.
      const chunk = Buffer.concat([...this.#writing, ...this.#queue]);
      this.#prepare(chunk.length);
      this.fileBytes += writeSync(present(this.#fd), chunk);
      this.#settled(this.#queue);
      this.#queue = [];
    } catch (error) {
      this.lastError = describeError(error);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closing = true;
    await this.flush();
    this.#closed = true;
    this.droppedLines += this.#queue.length;
    this.#retry?.cancel();
    this.#closeFile();
  }

  #pump(): void {
    if (this.#busy || this.#closed) return;
    if (this.#queue.length === 0) {
      this.#idle();
      return;
    }
    const lines = this.#takeUpToMax();
    // Ends the incomplete line of a refused write.
    const chunk = Buffer.concat(this.#isTorn ? [Buffer.from('\n'), ...lines] : lines);
    try {
      this.#prepare(chunk.length);
    } catch (error) {
      this.#refused(lines, error);
      return;
    }
    this.#busy = true;
    this.#writing = lines;
    this.#writeAll(chunk, 0, lines);
  }

  #writeAll(chunk: Buffer, offset: number, lines: Buffer[]): void {
    write(present(this.#fd), chunk, offset, chunk.length - offset, null, (error, written) => {
      if (error === null && written > 0 && offset + written < chunk.length) {
        this.fileBytes += written;
        this.#writeAll(chunk, offset + written, lines);
        return;
      }
      this.#busy = false;
      this.#writing = [];
      this.#isTorn = error !== null && (offset > 0 || this.#isTorn);
      if (error) {
        this.#refused(lines, error);
        return;
      }
      this.fileBytes += written;
      this.lastError = undefined;
      this.#settled(lines);
      this.#pump();
    });
  }

  /** Lines that fit into the rest of the file, at least one. */
  #takeUpToMax(): Buffer[] {
    const room = this.#fd === undefined ? this.#maxBytes : this.#maxBytes - this.fileBytes;
    let bytes = 0;
    let count = 0;
    for (const line of this.#queue) {
      if (count > 0 && bytes + line.length > (room >= line.length ? room : this.#maxBytes)) break;
      bytes += line.length;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** The lines wait; the next attempt comes later, with a new descriptor. */
  #refused(lines: Buffer[], error: unknown): void {
    this.lastError = describeError(error);
    this.#queue.unshift(...lines);
    this.#closeFile();
    if (this.#closing) {
      this.#idle();
      return;
    }
    const retry = (): void => {
      this.#retry = undefined;
      this.#pump();
    };
    this.#retry ??= this.#timers.after(RETRY_AFTER_MS, retry, { background: true });
    this.#idle();
  }

  #settled(lines: readonly Buffer[]): void {
    for (const line of lines) this.queuedBytes -= line.length;
    this.queuedLines -= lines.length;
    this.writtenLines += lines.length;
  }

  #idle(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  /** The file is open and has room for this many bytes. */
  #prepare(bytes: number): void {
    this.#openFile();
    if (this.fileBytes === 0 || this.fileBytes + bytes <= this.#maxBytes) return;
    this.#closeFile();
    rmSync(`${this.path}.${this.#kept}`, { force: true });
    for (let n = this.#kept - 1; n >= 0; n--) {
      const from = n === 0 ? this.path : `${this.path}.${n}`;
      try {
        renameSync(from, `${this.path}.${n + 1}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    this.rotations++;
    this.#openFile();
  }

  #openFile(): void {
    if (this.#fd !== undefined) return;
    if (!existsSync(dirname(this.path))) mkdirSync(dirname(this.path));
    this.#fd = openSync(this.path, 'a', 0o640);
    this.fileBytes = fstatSync(this.#fd).size;
  }

  #closeFile(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    try {
      closeSync(fd);
    } catch {
      // Nothing more is written through it.
    }
  }
}
