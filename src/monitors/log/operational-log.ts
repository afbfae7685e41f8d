import { pino, stdSerializers, stdTimeFunctions, type Logger as Pino } from 'pino';
import { describeError, isHoldfastError } from '../../core/errors.js';
import { LevelLogger, type LogFields, type Logger, type LogLevel } from '../../core/logger.js';
import type { LogLine, LogStats, MonitoredLog } from '../../core/monitoring.js';
import { jsonText } from '../../core/json-text.js';
import { RecentLines } from './recent-lines.js';
import type { RotatingFile } from './rotating-file.js';

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const RECENT_MAX = 200;
const FACTS_MAX_CHARS = 1_000;
/** Maximum length of a line of the file; a longer one loses fields. */
const VALUE_MAX_CHARS = 8_000;

export interface OperationalLogOptions {
  readonly level: LogLevel;
  /** Name of the process, in every line. */
  readonly role: string;
  /** Output for people (standard error); receives every line of the level. */
  readonly terminal: Logger;
  /** Absent: no file. Closed with the log. */
  readonly file?: RotatingFile;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
}

/**
 * The log of a long-running process: to the terminal, as JSON lines to a rotated file, and the last lines in
 * memory. One line per event. Nothing here waits for the disk or throws.
 */
export class OperationalLog extends LevelLogger implements MonitoredLog, AsyncDisposable {
  /** Called once the file is closed. */
  onClosed: () => void = () => {};
  #level: LogLevel;
  readonly #json: Pino | undefined;
  readonly #lines = new RecentLines(RECENT_MAX);

  readonly #options: OperationalLogOptions;

  constructor(options: OperationalLogOptions) {
    super();
    this.#options = options;
    this.#level = options.level;
    const { file } = options;
    if (file !== undefined) {
      this.#json = pino(
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

  setLevel(level: LogLevel): void {
    if (level === this.#level) return;
    // Logged at the higher of the two levels, so that the change itself is recorded.
    this.log('warn', 'log level changed', { from: this.#level, to: level });
    this.#level = level;
  }

  stats(): LogStats {
    const { file } = this.#options;
    return {
      level: this.#level,
      listenerRunning: file?.isRunning ?? false,
      ...(file === undefined ? {} : { file: file.path }),
      fileBytes: file?.fileBytes ?? 0,
      queuedLines: file?.queuedLines ?? 0,
      queuedBytes: file?.queuedBytes ?? 0,
      queueMaxLines: file?.queueMaxLines ?? 0,
      queueMaxBytes: file?.queueMaxBytes ?? 0,
      writtenLines: file?.writtenLines ?? 0,
      droppedLines: file?.droppedLines ?? 0,
      rotations: file?.rotations ?? 0,
      ...(file?.lastError === undefined ? {} : { lastError: file.lastError }),
    };
  }

  recent(): readonly LogLine[] {
    return this.#lines.all();
  }

  get lastNumber(): number {
    return this.#lines.lastNumber;
  }

  /** Writes the queue now: for fatal errors and the process's `exit`. */
  flushSync(): void {
    this.#options.file?.flushSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.file?.close();
    this.onClosed();
  }

  protected override log(level: LogLevel, event: string, fields: LogFields): void {
    if (levels.indexOf(level) < levels.indexOf(this.#level)) return;
    this.#options.terminal[level](event, fields);
    this.#lines.add({ atMs: this.#options.nowMs(), level, event, facts: factsText(fields) });
    try {
      this.#json?.[level](jsonFields(fields), event);
    } catch {
      // A field that cannot be written must not end the work that it is about.
      this.#json?.[level](event);
    }
  }
}

/** An error with its stack and all its causes. */
function serializeError(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const plain = stdSerializers.errWithCause(value);
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
      jsonText(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? 'null'
    );
  } catch {
    return '(cannot be shown)';
  }
}
