import { printableJson } from '../core/unseen-text.js';
import type { LogFields, Logger, LogLevel } from '../core/logger.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import { jsonText } from '../core/json-text.js';

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const FIELD_MAX_CHARS = 2_000;

export interface StreamLoggerOptions {
  /** Lowest level that is written. Default: `info`. */
  readonly level?: LogLevel;
  /** Default: `text`. */
  readonly format?: 'text' | 'json';
  /** Name of the process, in a column of its own. */
  readonly role?: string;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
  /** Writes one line, including its end. */
  readonly write: (line: string) => void;
}

/** A logger that writes one line per event, as text or as JSON. */
export function createStreamLogger(options: StreamLoggerOptions): Logger {
  const least = levels.indexOf(options.level ?? 'info');
  const format = options.format === 'json' ? jsonLine : textLine;
  const log =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      if (levels.indexOf(level) < least) return;
      const at = new Date(options.nowMs()).toISOString();
      options.write(`${format(at, level, options.role, event, fields)}\n`);
    };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

function textLine(
  at: string,
  level: LogLevel,
  role: string | undefined,
  event: string,
  fields: LogFields,
): string {
  const facts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${textValue(value)}`);
  return `${at} ${level.padEnd(5)} ${role === undefined ? '' : `${role}: `}${event}${facts.join('')}`;
}

function jsonLine(
  at: string,
  level: LogLevel,
  role: string | undefined,
  event: string,
  fields: LogFields,
): string {
  return printableJson(
    JSON.stringify({ at, level, role, event, ...fields }, (_, value: unknown) => plain(value)),
  );
}

function textValue(value: unknown): string {
  const simple = plain(value);
  const text = typeof simple === 'string' ? simple : (jsonText(simple, (_, v) => plain(v)) ?? 'null');
  const short = text.length > FIELD_MAX_CHARS ? `${text.slice(0, FIELD_MAX_CHARS)}...` : text;
  // One line per event, for any topic name or error message.
  const isQuoted = typeof simple === 'string' && /[\s"=\p{Cc}]/u.test(short);
  return printableJson(isQuoted ? JSON.stringify(short) : short);
}

/** Values that JSON does not support. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Error) {
    return isHoldfastError(value) ? `${value.code}: ${describeError(value)}` : describeError(value);
  }
  return value;
}
