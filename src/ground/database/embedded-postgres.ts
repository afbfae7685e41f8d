import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import type { Clock, Timer } from '../../core/clock.js';
import { describeError, HoldfastError } from '../../core/errors.js';
import { isAborted } from '../../core/is-aborted.js';
import type { FileHandle, FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import { present } from '../../core/present.js';
import { afterDeath, neverDied, type RestartPolicy } from '../../host/restart-policy.js';
import { DATABASE_USER, identityOf, type Cluster } from './cluster-folder.js';
import { endEarlier } from './earlier-postgres.js';
import { GIVEN_FOLDER } from './postgres-programs.js';
import type { PostgresPlace } from './database.js';
import { poolPlace } from './postgres-database.js';

export interface EmbeddedPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * PostgreSQL takes the place of this shell. A shell beside it reads a pipe of the ground, and ends PostgreSQL when
 * the pipe closes: a ground that is killed leaves no server behind. A line on the pipe ends only that shell.
 */
const LAUNCHER =
  'exec 4<&0 </dev/null; { exec >/dev/null 2>&1; read -r _ <&4 || kill -INT "$$"; } & exec 4<&- "$0" "$@"';

/** For one ground beside other programs of a small machine. Every commit is fsynced. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  max_connections: '16',
  shared_buffers: '64MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  temp_buffers: '1MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  // A checkpoint makes the log repeat every page that changes after it.
  max_wal_size: '1GB',
  max_worker_processes: '2',
  max_parallel_workers_per_gather: '0',
  autovacuum_max_workers: '1',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '',
  // Statements may contain what robots sent.
  log_min_error_statement: 'panic',
};
/** 18 and newer: reads without further processes. */
const SETTINGS_18: Readonly<Record<string, string>> = { io_method: 'sync' };

const POLICY: RestartPolicy = { firstDelayMs: 250, maxDelayMs: 10_000, healthyAfterMs: 30_000 };
const READY_WITHIN_MS = 120_000;
const READY_POLL_MS = 50;
/** Deaths before it was ever ready, after which the start fails. */
const MAX_EARLY_DEATHS = 4;
const FAST_STOP_MS = 15_000;
const IMMEDIATE_STOP_MS = 5_000;
const KEPT_LINES = 8;
const LINE_MAX = 500;

/** A PostgreSQL server as a child of this process, on a Unix socket, started again when it dies. */
export class EmbeddedPostgres implements AsyncDisposable {
  readonly place: PostgresPlace;
  readonly #cluster: Cluster;
  readonly #ports: EmbeddedPorts;
  /** The folder of the database, open as long as the server may start. */
  readonly #folder: FileHandle;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #child: ChildProcess | undefined;
  #deaths = 0;
  #closing: Promise<void> | undefined;
  /** What it wrote last. */
  #lines: string[] = [];

  private constructor(cluster: Cluster, folder: FileHandle, ports: EmbeddedPorts) {
    this.#cluster = cluster;
    this.#ports = ports;
    this.#folder = folder;
    this.place = {
      ...{ address: cluster.socketFolder, socketFolder: `/proc/self/fd/${folder.fd}/socket` },
      ...{ user: DATABASE_USER, database: 'postgres' },
    };
    this.#running = this.#keepRunning();
  }

  /**
   * Starts the server and waits until it answers. The caller holds the lock of the ground's folder. Rejects with
   * `GROUND_DATABASE_UNUSABLE` and the last lines of the server.
   */
  static async start(cluster: Cluster, ports: EmbeddedPorts): Promise<EmbeddedPostgres> {
    await endEarlier(cluster, ports);
    const server = new EmbeddedPostgres(cluster, await ports.fs.open(cluster.root, 'r'), ports);
    try {
      await server.#ready();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Process number of the server; undefined while it is not running. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How often it died since the start. */
  get deaths(): number {
    return this.#deaths;
  }

  /** Ends the server. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock } = this.#ports;
    this.#stop.abort();
    const timers: Timer[] = [
      clock.after(FAST_STOP_MS, () => this.#child?.kill('SIGQUIT')),
      clock.after(FAST_STOP_MS + IMMEDIATE_STOP_MS, () => this.#child?.kill('SIGKILL')),
    ];
    // Fast: ends sessions, and writes a checkpoint.
    this.#child?.kill('SIGINT');
    await this.#running;
    for (const timer of timers) timer.cancel();
    await (this.#closing ??= this.#folder.close());
  }

  async #keepRunning(): Promise<void> {
    const { clock, logger } = this.#ports;
    const { signal } = this.#stop;
    let state = neverDied;
    while (!isAborted(signal)) {
      const startedAt = clock.monotonic();
      const end = await this.#runOnce();
      if (isAborted(signal)) return;
      this.#deaths++;
      const next = afterDeath(state, Number((clock.monotonic() - startedAt) / 1_000_000n), POLICY);
      state = next.state;
      logger.warn('the database died, starting it again', { end, inMs: next.delayMs });
      await clock.sleep(next.delayMs, signal).catch(() => undefined);
      if (!isAborted(signal)) await this.#endEarlier();
    }
  }

  async #endEarlier(): Promise<void> {
    try {
      await endEarlier(this.#cluster, this.#ports);
    } catch (error) {
      this.#ports.logger.warn('the files of the database cannot be checked', { error: describeError(error) });
    }
  }

  /** One run of the server. Returns how it ended. */
  async #runOnce(): Promise<string> {
    const { programs, user } = this.#cluster;
    const settings = {
      ...SETTINGS,
      ...(programs.major >= 18 ? SETTINGS_18 : {}),
      unix_socket_directories: join(GIVEN_FOLDER, 'socket'),
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = spawn(
      '/bin/sh',
      ['-c', LAUNCHER, programs.postgres, '-D', join(GIVEN_FOLDER, 'cluster'), ...flags],
      {
        // Its own session: Ctrl-C reaches it through the ground, after the last commit.
        ...{ cwd: '/', env: programs.env, detached: true, ...identityOf(user) },
        stdio: ['pipe', 'ignore', 'pipe', this.#folder.fd],
      },
    );
    this.#child = child;
    const [stdin, stderr] = [present(child.stdin), present(child.stderr)];
    stdin.on('error', () => undefined);
    stderr.setEncoding('utf8').on('data', (text: string) => this.#log(text));
    try {
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      return signal ?? `exit code ${code}`;
    } catch (error) {
      return describeError(error);
    } finally {
      this.#child = undefined;
      stdin.end('\n');
      stderr.destroy();
    }
  }

  async #ready(): Promise<void> {
    const { clock } = this.#ports;
    let reason = '';
    for (
      let waitedMs = 0;
      waitedMs < READY_WITHIN_MS && this.#deaths < MAX_EARLY_DEATHS;
      waitedMs += READY_POLL_MS
    ) {
      const client = new pg.Client({ ...poolPlace(this.place), connectionTimeoutMillis: 5_000 });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return;
      } catch (error) {
        reason = describeError(error);
      } finally {
        await client.end().catch(() => undefined);
      }
      await clock.sleep(READY_POLL_MS);
    }
    const said = this.#lines.length > 0 ? this.#lines.join(' ') : reason;
    throw new HoldfastError(
      'GROUND_DATABASE_UNUSABLE',
      `PostgreSQL does not start in ${this.#cluster.data}: ${said}`,
      {
        facts: { folder: this.#cluster.data, major: this.#cluster.programs.major },
      },
    );
  }

  #log(text: string): void {
    for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
      const short = line.slice(0, LINE_MAX);
      this.#lines = [...this.#lines, short].slice(-KEPT_LINES);
      if (short.startsWith('PANIC:')) this.#ports.logger.warn('the database says', { line: short });
      else this.#ports.logger.debug('the database says', { line: short });
    }
  }
}
