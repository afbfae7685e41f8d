import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { defined } from '../../core/defined.js';
import type { Clock } from '../../core/clock.js';
import { describeError, HoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import type { MonitoredExports } from '../../core/monitoring.js';
import type { RecorderStatus } from '../../core/status.js';
import { roomForCopies } from '../../core/space-limits.js';
import { isParquetCodec, parquetCodecs } from '../../exporters/format.js';
import { parseRowGroup, ROW_GROUP_FORM } from '../../settings/lake-layout.js';
import { parseTime, TIME_FORM } from '../../core/parse-time.js';
import { jsonText } from '../../core/json-text.js';
import { mainScript } from '../setup/main-script.js';

/** The formats; the first is the default. */
export const exportFormats = ['mcap', 'rosbag2', 'parquet', 'csv', 'jsonl', 'numpy', 'tfrecord'] as const;
type Format = (typeof exportFormats)[number];

/** Bytes of the process's output that are kept, for the reason of a failure. */
const SAID_MAX_BYTES = 4096;

export interface BackgroundExportPorts {
  readonly data: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly status: () => RecorderStatus;
}

/**
 * Exports of a data folder into `exports/` inside it, requested from a page. Each is a process at the lowest
 * priority, one at a time, and only if the disk has room for as much again as is sealed. It ends with the
 * recorder and never delays the recording.
 */
export class BackgroundExports implements MonitoredExports, AsyncDisposable {
  readonly formats = exportFormats;
  #running: { readonly child: ChildProcess; readonly to: string } | undefined;

  readonly #ports: BackgroundExportPorts;

  constructor(ports: BackgroundExportPorts) {
    this.#ports = ports;
  }

  /**
   * @param request - `format` (default mcap), `after` and `before` (times), `robot`, `session` (an id, or
   * `latest`; not for rosbag2), `topics` (names, `*` stands for any text), `compression` and `row_group` (for
   * Parquet); each may be absent.
   * @returns its target. Throws `REQUEST_INVALID`, `STATE_REFUSED`.
   */
  async start(request: Readonly<Record<string, unknown>>): Promise<{ readonly to: string }> {
    const { data, fs, clock, logger, status } = this.#ports;
    const { format, filter } = parseRequest(request);
    if (this.#running) throw refused(`an export to ${this.#running.to} is under way`);
    const { disk, sealed } = status();
    if (sealed.segments === 0) throw refused('nothing is sealed yet; split ends the open segment');
    const room = Math.min(disk.freeBytes, (await roomForCopies(fs, data)) ?? Infinity);
    if (room < sealed.bytes) {
      throw refused(
        `${room} bytes are free on the disk beside what the recording keeps, ` +
          `allowed from ${sealed.bytes} (what is sealed)`,
      );
    }
    const stamp = new Date(Number(clock.now() / 1_000_000n)).toISOString().replaceAll(/[:.]/g, '-');
    const to = join(data, 'exports', `${stamp}-${format}`);
    makeExportsFolder(join(data, 'exports'));
    const args = commandLine(format, data, to, filter);
    const child = spawn(process.execPath, [...process.execArgv, mainScript, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#running = { child, to };
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-SAID_MAX_BYTES)));
    child.on('error', (error) => logger.warn('an export could not be started', { to, error }));
    child.on('close', (exitCode, signal) => {
      this.#running = undefined;
      if (exitCode === 0) logger.info('exported', { to, format });
      else logger.warn('an export failed', { to, format, exitCode, signal, said: said.trim() });
    });
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    logger.info('exporting', { to, ...request });
    return { to };
  }

  /** Ends the present export; the same command on the command line continues it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#running?.child;
    if (!child) return;
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    await closed;
  }
}

interface Filter {
  readonly after?: string;
  readonly before?: string;
  readonly robot?: string;
  readonly session?: string;
  /** Of Parquet. */
  readonly compression?: string;
  readonly rowGroup?: string;
  readonly topics: readonly string[];
}

const KNOWN = 'format, after, before, robot, session, topics, compression, row_group';

/** A codec or a number of rows in JSON. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function parseRequest(request: Readonly<Record<string, unknown>>): { format: Format; filter: Filter } {
  const { format = 'mcap', after, before, robot, session, topics = [], ...more } = request;
  const { compression, row_group: rowGroup, ...rest } = more;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw invalid(unknown, rest[unknown], `nothing; known: ${KNOWN}`);
  }
  const known = exportFormats.find((one) => one === format);
  if (known === undefined) throw invalid('format', format, exportFormats.join(', '));
  const time = (name: string, value: unknown): string | undefined => {
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || parseTime(value) === undefined) throw invalid(name, value, TIME_FORM);
    return value;
  };
  // A name must not look like an option of the command line.
  const isName = (value: unknown): value is string =>
    typeof value === 'string' && /^[^-\0][^\0]*$/.test(value);
  if (robot !== undefined && !isName(robot)) throw invalid('robot', robot, 'a name');
  if (session !== undefined && (!isName(session) || known === 'rosbag2')) {
    throw invalid('session', session, 'the id of a session or latest, and not with rosbag2');
  }
  const isParquet = known === 'parquet';
  const codec = textOf(compression);
  const rows = textOf(rowGroup);
  if (compression !== undefined && !(isParquet && codec !== undefined && isParquetCodec(codec))) {
    throw invalid('compression', compression, `${parquetCodecs.join(', ')}, and only with parquet`);
  }
  if (rowGroup !== undefined && !(isParquet && rows !== undefined && parseRowGroup(rows) !== undefined)) {
    throw invalid('row_group', rowGroup, `${ROW_GROUP_FORM}, and only with parquet`);
  }
  if (!Array.isArray(topics) || topics.length > 1000 || !topics.every(isName)) {
    throw invalid('topics', topics, 'a list of at most 1000 names');
  }
  const from = time('after', after);
  const until = time('before', before);
  return {
    format: known,
    filter: {
      ...defined({ after: from, before: until, robot, session, compression: codec, rowGroup: rows }),
      topics,
    },
  };
}

function commandLine(format: Format, data: string, to: string, filter: Filter): string[] {
  const { after, before, robot, session, topics } = filter;
  const option = (name: string, ...values: (string | undefined)[]): string[] => {
    const given = values.filter((value) => value !== undefined);
    return given.length === 0 ? [] : [name, ...given];
  };
  if (format === 'rosbag2') {
    return [
      ...['replay', data, '--format', 'rosbag2', '--output', to],
      ...option('--after', after),
      ...option('--before', before),
      ...option('--only-robot', robot),
      ...option('--topic', ...topics),
    ];
  }
  return [
    ...['export', '--from', data, '--to', to, '--format', format],
    ...option('--from-time', after),
    ...option('--to-time', before),
    ...option('--robots', robot),
    ...option('--session', session),
    ...option('--compression', filter.compression),
    ...option('--row-group', filter.rowGroup),
    ...option('--topics', ...topics),
  ];
}

function invalid(name: string, value: unknown, allowed: string): HoldfastError {
  const shown = String(jsonText(value)).slice(0, 80);
  return new HoldfastError('REQUEST_INVALID', `${name} is ${shown}, allowed: ${allowed}`, {
    facts: { name, value },
  });
}

/** Does not create the data folder itself: without it, there is nothing to export. */
function makeExportsFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw refused(`exports/ cannot be made: ${describeError(error)}`);
  }
}

function refused(why: string): HoldfastError {
  return new HoldfastError('STATE_REFUSED', `no export now: ${why}`);
}
