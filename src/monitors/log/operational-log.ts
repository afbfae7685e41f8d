import { pino, stdSerializers, stdTimeFunctions, type Logger as Pino } from 'pino';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { LogFields, Logger, LogLevel } from '../../core/logger.js';
import type { LogLine, LogStats, MonitoredLog } from '../../core/monitoring.js';
import { RecentLines } from './recent-lines.js';
import type { RotatingFile } from './rotating-file.js';

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const RECENT_MAX = 200;
const FACTS_MAX_CHARS = 1_000;
/** A line of the file; what is longer is cut fact by fact. */
const VALUE_MAX_CHARS = 8_000;

export interface OperationalLogOptions {
  readonly level: LogLevel;
  /** Which process speaks: a field of every line. */
  readonly role: string;
  /** Where people read along (standard error); takes every line that passes the level. */
  readonly terminal: Logger;
  /** Absent: no file. Closed with the log. */
  readonly file?: RotatingFile;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
}

/**
 * The log of a long-running process: to the terminal, as JSON lines to a rotated file, and the last lines
 * in memory. One line per event. Nothing here waits for the disk or throws.
 */
export class OperationalLog implements Logger, MonitoredLog, AsyncDisposable {
  /** Called once the file is closed. */
  onClosed: () => void = () => {};
  private level: LogLevel;
  private readonly json: Pino | undefined;
  private readonly lines = new RecentLines(RECENT_MAX);

  constructor(private readonly options: OperationalLogOptions) {
    this.level = options.level;
    const { file } = options;
    if (file !== undefined) {
      this.json = pino(
        {
          level: 'debug',
          base: { role: options.role },
          messageKey: 'event',
          timestamp: stdTimeFunctions.isoTime,
          formatters: { level: (label) => ({ level: label }) },
          serializers: { error: serializeError },
        },
        { write: (line: string) => file.write(line) },
      );
    }
  }

  debug(event: string, fields?: LogFields): void {
    this.log('debug', event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.log('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.log('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.log('error', event, fields);
  }

  setLevel(level: LogLevel): void {
    if (level === this.level) return;
    // Said at the higher of the two, so that the change itself is on record.
    this.log('warn', 'log level changed', { from: this.level, to: level });
    this.level = level;
  }

  stats(): LogStats {
    const { file } = this.options;
    return {
      level: this.level,
      listenerRunning: file?.isRunning ?? false,
      ...(file === undefined ? {} : { file: file.path }),
      fileBytes: file?.fileBytes ?? 0,
      queuedLines: file?.queuedLines ?? 0,
      queuedBytes: file?.queuedBytes ?? 0,
      queueMaxBytes: file?.queueMaxBytes ?? 0,
      writtenLines: file?.writtenLines ?? 0,
      droppedLines: file?.droppedLines ?? 0,
      rotations: file?.rotations ?? 0,
      ...(file?.lastError === undefined ? {} : { lastError: file.lastError }),
    };
  }

  recent(): readonly LogLine[] {
    return this.lines.all();
  }

  get lastNumber(): number {
    return this.lines.lastNumber;
  }

  /** Writes what is queued, now: for fatal errors and the process's `exit`. */
  flushSync(): void {
    this.options.file?.flushSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.options.file?.close();
    this.onClosed();
  }

  private log(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (levels.indexOf(level) < levels.indexOf(this.level)) return;
    this.options.terminal[level](event, fields);
    this.lines.add({ atMs: this.options.nowMs(), level, event, facts: factsText(fields) });
    try {
      this.json?.[level](jsonFields(fields), event);
    } catch {
      // A field that cannot be written must not end what it is about.
      this.json?.[level](event);
    }
  }
}

/** An error with its stack and everything that caused it. */
function serializeError(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const plain = stdSerializers.errWithCause(value as Error & { raw: Error });
  return isHoldfastError(value) ? { ...plain, code: value.code, retryable: value.retryable } : plain;
}

function jsonFields(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      // pino writes these itself.
      name === 'level' || name === 'time' || name === 'event' || name === 'role' ? `field_${name}` : name,
      value instanceof Error && name !== 'error' ? serializeError(value) : plainValue(value),
    ]),
  );
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string' && value.length > VALUE_MAX_CHARS) {
    return `${value.slice(0, VALUE_MAX_CHARS)}...`;
  }
  return value;
}

function factsText(fields: LogFields): string {
  const text = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${factText(value)}`)
    .join(' ');
  return text.length > FACTS_MAX_CHARS ? `${text.slice(0, FACTS_MAX_CHARS)}...` : text;
}

function factText(value: unknown): string {
  if (isHoldfastError(value)) return `${value.code}: ${describeError(value)}`;
  if (value instanceof Error) return describeError(value);
  if (typeof value === 'string') return value;
  try {
    return (
      JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ??
      'null'
    );
  } catch {
    return '(cannot be shown)';
  }
}
