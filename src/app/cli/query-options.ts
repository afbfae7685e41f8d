import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as streamText } from 'node:stream/consumers';
import { describeError } from '../../core/errors.js';
import { configInvalid, type ConfigFault } from '../parameters/fault.js';
import { parseBytes } from '../parameters/units.js';
import type { NameFilter } from '../query/query-source.js';
import { outputFormats, type OutputFormat } from '../query/result-writer.js';
import type { Invocation } from './command-definition.js';
import { parseTime, TIME_FORM } from './parse-time.js';

/** Rows of a table where `--limit` is not given. */
export const DEFAULT_TABLE_ROWS = 100;
export const DEFAULT_MEMORY = '1GiB';
const MIN_MEMORY_BYTES = 64 * 1024 * 1024;

/** What `holdfast query` was asked. */
export interface QueryOptions {
  /** Undefined: `--list`. */
  readonly sql: string | undefined;
  readonly from: string;
  /** As the argument of a reading command. */
  readonly fromArgs: readonly string[];
  readonly names: NameFilter;
  readonly range: { readonly from?: bigint; readonly to?: bigint };
  readonly exportFilter: Readonly<Record<string, unknown>>;
  readonly format: OutputFormat;
  readonly limit: number;
  readonly memoryLimitBytes: number;
  readonly keep: string | undefined;
}

/** The options, and the SQL wherever it is. Throws `CONFIG_INVALID` with all faults. */
export async function parseQueryOptions(invocation: Invocation): Promise<QueryOptions> {
  const { options, args } = invocation;
  const faults: ConfigFault[] = [];
  const fault = (option: string, value: unknown, allowed: string): undefined => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
    return undefined;
  };
  const text = (name: string): string | undefined => options[name] as string | undefined;
  const time = (name: 'fromTime' | 'toTime', option: string): bigint | undefined => {
    const value = text(name);
    return value === undefined ? undefined : (parseTime(value) ?? fault(option, value, TIME_FORM));
  };
  const [from, to] = [time('fromTime', 'from-time'), time('toTime', 'to-time')];
  const wantedFormat = text('outputFormat') ?? 'table';
  const format = outputFormats.find((one) => one === wantedFormat);
  if (format === undefined) fault('output-format', wantedFormat, outputFormats.join(', '));
  const limitText = text('limit') ?? (format === 'table' ? String(DEFAULT_TABLE_ROWS) : '0');
  const limit = /^\d{1,15}$/.test(limitText)
    ? Number(limitText) || Number.MAX_SAFE_INTEGER
    : fault('limit', limitText, 'a whole number, 0 for all rows');
  const memoryText = text('memoryLimit') ?? DEFAULT_MEMORY;
  const memoryLimitBytes = parseBytes(memoryText);
  if (memoryLimitBytes === undefined || memoryLimitBytes < MIN_MEMORY_BYTES) {
    fault('memory-limit', memoryText, `a size such as 512MiB, at least ${MIN_MEMORY_BYTES} bytes`);
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
    range: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
    exportFilter: { robots, topics, fromTime, toTime, robotName },
    format: format!,
    limit: limit!,
    memoryLimitBytes: memoryLimitBytes!,
    keep: text('keep') === undefined ? undefined : resolve(text('keep')!),
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
