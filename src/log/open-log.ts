import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { silentLogger, type LogFields, type LogLevel } from '../core/logger.js';
import type { LogLine, LogStats } from '../core/monitoring.js';
import { createStreamLogger } from '../host/stream-logger.js';
import { systemTimers, wallClockMs } from '../host/system-clock.js';
import { OperationalLog } from '../monitors/log/operational-log.js';
import { RotatingFile } from '../monitors/log/rotating-file.js';
import { configInvalid, type ConfigFault } from '../settings/fault.js';

/** Options of {@link openLog}. */
export interface LogOptions {
  /** The file for the JSON lines. Its folder is created if it does not exist. */
  readonly file: string;
  /** Name of the program, in every line. Default: the empty text. */
  readonly role?: string;
  /** Lowest level that is logged. Default `info`. */
  readonly level?: LogLevel;
  /** Size at which the file is rotated, bytes. Default 10,000,000; 10,000 or more. */
  readonly maxBytes?: number;
  /** Number of rotated files that are kept; `<file>.1` is the newest. Default 5; 1 to 100. */
  readonly kept?: number;
  /**
   * Maximum number of lines that wait to be written; further ones are dropped and counted. Default 10,000;
   * 100 to 1,000,000.
   */
  readonly queueLines?: number;
  /** Also writes each line as text to standard error. Default false. */
  readonly terminal?: boolean;
}

/** The log of a program. No call waits for the disk, and none throws. */
export interface ProgramLog extends AsyncDisposable {
  /** Details for finding a fault. */
  debug(event: string, fields?: LogFields): void;
  /** Facts that a person may want to know. */
  info(event: string, fields?: LogFields): void;
  /** A fault; the program continues. */
  warn(event: string, fields?: LogFields): void;
  /** Something failed. */
  error(event: string, fields?: LogFields): void;
  /** Sets the level from now on, and logs the change. */
  setLevel(level: LogLevel): void;
  /** The present level, queue, file, written and dropped lines; never waits. */
  stats(): LogStats;
  /** The last 200 lines, oldest first. */
  recent(): readonly LogLine[];
  /** Writes the queued lines and closes the file. Idempotent; never rejects. */
  close(): Promise<void>;
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/**
 * Opens a log like that of Holdfast's own processes: one JSON line per event, written asynchronously to
 * rotated files of bounded size. A full or failing disk loses lines, which are counted, and never blocks the
 * program. Queued lines are written when the process ends.
 *
 * Throws `CONFIG_INVALID` with all faults of the options. `stats()` reports a file that cannot be written.
 */
export function openLog(options: LogOptions): ProgramLog {
  const { file: path, role = '', level = 'info', maxBytes, kept, queueLines } = checked(options);
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch {
    // Tried again with the first line; then `stats()` reports it.
  }
  const file = new RotatingFile({
    path,
    maxBytes: maxBytes ?? 10_000_000,
    kept: kept ?? 5,
    queueMaxLines: queueLines ?? 10_000,
    timers: systemTimers,
  });
  const write = (line: string): void => void process.stderr.write(line);
  const terminal = options.terminal
    ? createStreamLogger({ level: 'debug', role, nowMs: wallClockMs, write })
    : silentLogger;
  return new OpenLog(new OperationalLog({ level, role, terminal, file, nowMs: wallClockMs }));
}

class OpenLog implements ProgramLog {
  readonly #log: OperationalLog;
  readonly #onExit = (): void => this.#log.flushSync();

  constructor(log: OperationalLog) {
    this.#log = log;
    process.on('exit', this.#onExit);
    log.onClosed = () => void process.off('exit', this.#onExit);
  }

  debug(event: string, fields?: LogFields): void {
    this.#log.debug(event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#log.info(event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#log.warn(event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#log.error(event, fields);
  }

  setLevel(level: LogLevel): void {
    if (levels.includes(level)) this.#log.setLevel(level);
  }

  stats(): LogStats {
    return this.#log.stats();
  }

  recent(): readonly LogLine[] {
    return this.#log.recent();
  }

  close(): Promise<void> {
    return this.#log[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checked(options: LogOptions): LogOptions {
  const faults: ConfigFault[] = [];
  const check = (isRight: boolean, path: keyof LogOptions, allowed: string): void => {
    if (!isRight)
      faults.push({ where: 'openLog', path, value: options[path], allowed: `allowed: ${allowed}` });
  };
  const isWhole = (value: number | undefined, low: number, high: number): boolean =>
    value === undefined || (Number.isSafeInteger(value) && value >= low && value <= high);
  const { file, role, level, maxBytes, kept, queueLines } = options;
  const isPath = typeof file === 'string' && file !== '' && !file.includes('\0');
  check(isPath, 'file', 'the path of a file');
  check(role === undefined || typeof role === 'string', 'role', 'a text');
  check(level === undefined || levels.includes(level), 'level', levels.join(', '));
  check(isWhole(maxBytes, 10_000, Number.MAX_SAFE_INTEGER), 'maxBytes', 'a whole number from 10000');
  check(isWhole(kept, 1, 100), 'kept', 'a whole number from 1 to 100');
  check(isWhole(queueLines, 100, 1_000_000), 'queueLines', 'a whole number from 100 to 1000000');
  if (faults.length > 0) throw configInvalid(faults);
  return { ...options, file: resolve(file) };
}
