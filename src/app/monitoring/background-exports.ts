import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { HoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { MonitoredExports } from '../../core/monitoring.js';
import type { RecorderStatus } from '../../core/status.js';
import { parseTime, TIME_FORM } from '../cli/parse-time.js';
import { mainScript } from '../system/main-script.js';

const formats = ['mcap', 'rosbag2', 'parquet', 'csv', 'jsonl', 'numpy', 'tfrecord'] as const;
type Format = (typeof formats)[number];

/** Kept of what the process says, for the reason when it fails. */
const SAID_MAX_BYTES = 4096;

export interface BackgroundExportPorts {
  readonly data: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly status: () => RecorderStatus;
}

/**
 * Exports of a data folder into `exports/` inside it, asked for from a page: a process of its own at the
 * lowest priority, one at a time, and only where the disk has room for as much again as is sealed. It ends
 * with the recorder; the recording neither waits for it nor notices it.
 */
export class BackgroundExports implements MonitoredExports, AsyncDisposable {
  #running: { readonly child: ChildProcess; readonly to: string } | undefined;

  constructor(private readonly ports: BackgroundExportPorts) {}

  /**
   * @param request - `format` (default mcap), `after` and `before` (times), `robot`, `topics` (names, `*`
   *   stands for any text); each may be absent.
   * @returns where it goes. Throws `REQUEST_INVALID`, `STATE_REFUSED`.
   */
  async start(request: Readonly<Record<string, unknown>>): Promise<{ readonly to: string }> {
    const { data, clock, logger, status } = this.ports;
    const { format, filter } = parseRequest(request);
    if (this.#running) throw refused(`an export to ${this.#running.to} is under way`);
    const { disk, sealed } = status();
    if (sealed.segments === 0) throw refused('nothing is sealed yet; split ends the open segment');
    if (disk.freeBytes < sealed.bytes) {
      throw refused(
        `${disk.freeBytes} bytes are free on the disk, allowed from ${sealed.bytes} (what is sealed)`,
      );
    }
    const stamp = new Date(Number(clock.now() / 1_000_000n)).toISOString().replaceAll(/[:.]/g, '-');
    const to = join(data, 'exports', `${stamp}-${format}`);
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
      else logger.warn('an export did not end well', { to, format, exitCode, signal, said: said.trim() });
    });
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    logger.info('exporting', { to, ...request });
    return { to };
  }

  /** Ends the export under way; the same command given by hand continues it. */
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
  readonly topics: readonly string[];
}

function parseRequest(request: Readonly<Record<string, unknown>>): { format: Format; filter: Filter } {
  const { format = 'mcap', after, before, robot, topics = [], ...rest } = request;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw invalid(unknown, rest[unknown], 'nothing; known: format, after, before, robot, topics');
  }
  const known = formats.find((one) => one === format);
  if (known === undefined) throw invalid('format', format, formats.join(', '));
  const time = (name: string, value: unknown): string | undefined => {
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || parseTime(value) === undefined) throw invalid(name, value, TIME_FORM);
    return value;
  };
  // A name must not be taken for an option of the command line.
  const isName = (value: unknown): value is string =>
    typeof value === 'string' && /^[^-\0][^\0]*$/.test(value);
  if (robot !== undefined && !isName(robot)) throw invalid('robot', robot, 'a name');
  if (!Array.isArray(topics) || topics.length > 1000 || !topics.every(isName)) {
    throw invalid('topics', topics, 'a list of at most 1000 names');
  }
  const from = time('after', after);
  const until = time('before', before);
  return {
    format: known,
    filter: {
      ...(from === undefined ? {} : { after: from }),
      ...(until === undefined ? {} : { before: until }),
      ...(robot === undefined ? {} : { robot }),
      topics,
    },
  };
}

function commandLine(format: Format, data: string, to: string, filter: Filter): string[] {
  const { after, before, robot, topics } = filter;
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
    ...option('--topics', ...topics),
  ];
}

function invalid(name: string, value: unknown, allowed: string): HoldfastError {
  const shown = String(JSON.stringify(value)).slice(0, 80);
  return new HoldfastError('REQUEST_INVALID', `${name} is ${shown}, allowed: ${allowed}`, {
    facts: { name, value },
  });
}

function refused(why: string): HoldfastError {
  return new HoldfastError('STATE_REFUSED', `no export now: ${why}`);
}
