import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as streamText } from 'node:stream/consumers';
import { defined } from '../../core/defined.js';
import { describeError } from '../../core/errors.js';
import { configInvalid, type ConfigFault } from '../../settings/fault.js';
import { parseBytes, parseDurationMs } from '../../settings/units.js';
import type { NameFilter } from '../../jobs/query/query-source.js';
import { outputFormats, type OutputFormat } from '../../jobs/query/result-writer.js';
import type { Invocation } from './command-definition.js';
import { parseTime, TIME_FORM } from '../../core/parse-time.js';
import { present } from '../../core/present.js';

/** Number of rows of a table without `--limit`. */
export const DEFAULT_TABLE_ROWS = 100;
export const DEFAULT_MEMORY = '1GiB';
export const DEFAULT_TIMEOUT = '10min';
const TIMEOUT_MAX_MS = 86_400_000;
const MIN_MEMORY_BYTES = 64 * 1024 * 1024;

/** The arguments of `holdfast query`. */
export interface QueryOptions {
  /** Undefined: `--list`. */
  readonly sql: string | undefined;
  readonly from: string;
  /** In the form of a reading command's argument. */
  readonly fromArgs: readonly string[];
  readonly names: NameFilter;
  readonly range: { readonly from?: bigint; readonly to?: bigint };
  readonly exportFilter: Readonly<Record<string, unknown>>;
  readonly format: OutputFormat;
  readonly limit: number;
  readonly memoryLimitBytes: number;
  /** 0: any. */
  readonly timeoutMs: number;
  readonly guardFormulas: boolean;
  readonly keep: string | undefined;
}

/** The options, and the SQL from any place. Throws `CONFIG_INVALID` with all faults. */
export async function parseQueryOptions(invocation: Invocation): Promise<QueryOptions> {
  const { options, args } = invocation;
  const faults: ConfigFault[] = [];
  const fault = (option: string, value: unknown, allowed: string): void => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
  };
  const text = (name: string): string | undefined => options[name] as string | undefined;
  const time = (name: 'fromTime' | 'toTime', option: string): bigint | undefined => {
    const value = text(name);
    const time = value === undefined ? undefined : parseTime(value);
    if (value !== undefined && time === undefined) fault(option, value, TIME_FORM);
    return time;
  };
  const [from, to] = [time('fromTime', 'from-time'), time('toTime', 'to-time')];
  const wantedFormat = text('outputFormat') ?? 'table';
  const format = outputFormats.find((one) => one === wantedFormat);
  if (format === undefined) fault('output-format', wantedFormat, outputFormats.join(', '));
  const limitText = text('limit') ?? (format === 'table' ? String(DEFAULT_TABLE_ROWS) : '0');
  const limit = Number(limitText) || Number.MAX_SAFE_INTEGER;
  if (!/^\d{1,15}$/.test(limitText)) fault('limit', limitText, 'a whole number, 0 for all rows');
  const memoryText = text('memoryLimit') ?? DEFAULT_MEMORY;
  const memoryLimitBytes = parseBytes(memoryText);
  if (memoryLimitBytes === undefined || memoryLimitBytes < MIN_MEMORY_BYTES) {
    fault('memory-limit', memoryText, `a size such as 512MiB, at least ${MIN_MEMORY_BYTES} bytes`);
  }
  const timeoutText = text('timeout') ?? DEFAULT_TIMEOUT;
  const timeoutMs = timeoutText === '0' ? 0 : parseDurationMs(timeoutText);
  if (timeoutMs === undefined || !(timeoutMs >= 0 && timeoutMs <= TIMEOUT_MAX_MS)) {
    fault('timeout', timeoutText, 'a time such as 30s or 10min up to 24h, 0 for any');
  }
  const sql = options['list'] === true ? undefined : await readSql(args, text('file'), faults);
  if (faults.length > 0) throw configInvalid(faults);
  const place = text('from');
  const { robots, topics, fromTime, toTime, robotName } = options;
  return {
    sql,
    from: place ?? invocation.resolve('sync').values.data,
    fromArgs: place === undefined ? [] : [place],
    names: {
      ...(robots === undefined ? {} : { robots: robots as readonly string[] }),
      ...(topics === undefined ? {} : { topics: topics as readonly string[] }),
    },
    range: { ...defined({ from, to }) },
    exportFilter: { robots, topics, fromTime, toTime, robotName },
    format: present(format),
    limit: present(limit),
    memoryLimitBytes: present(memoryLimitBytes),
    timeoutMs: present(timeoutMs),
    guardFormulas: options['guardFormulas'] === true,
    keep: text('keep') === undefined ? undefined : resolve(present(text('keep'))),
  };
}

async function readSql(
  args: readonly string[],
  file: string | undefined,
  faults: ConfigFault[],
): Promise<string | undefined> {
  const [given, ...rest] = args;
  const fault = (where: string, value: unknown, allowed: string): void => {
    faults.push({ where, path: 'sql', value, allowed });
  };
  if (rest.length > 0) fault('argument', rest[0], 'allowed: one argument, the SQL in quotes');
  if (given !== undefined && file !== undefined) fault('--file', file, 'allowed: SQL or --file, not both');
  let sql = given;
  try {
    if (given === '-' || (given === undefined && file === '-')) sql = await streamText(process.stdin);
    else if (given === undefined && file !== undefined) sql = await readFile(file, 'utf8');
  } catch (error) {
    fault('--file', file, `allowed: a file that can be read (${describeError(error)})`);
  }
  if (sql === undefined && faults.length === 0) {
    fault('argument', undefined, 'the SQL is missing; --list shows what there is to ask');
  }
  return sql;
}
