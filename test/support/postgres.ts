import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { findPrograms, GIVEN_FOLDER } from '../../src/ground/database/postgres-programs.js';
import { lacking } from '../../src/testing/lacking.js';
import { eventually } from '../../src/testing/waiting.js';
import { freePort } from './free-port.js';
import { endChild } from './end-child.js';

const DEBIAN = '/usr/lib/postgresql';
const NOBODY = 65_534;
const PASSWORD = 'a:b/c@d';

/** Skips if Debian's server is not there. */
export function requirePostgres(context: Mocha.Context): void {
  if (debianPrograms() === undefined) lacking(context, 'postgresql', `no PostgreSQL below ${DEBIAN}`);
}

/** Where the programs of Debian's newest server are; undefined: it is not installed. */
function debianPrograms(): string | undefined {
  if (!existsSync(DEBIAN)) return undefined;
  const majors = readdirSync(DEBIAN)
    .map(Number)
    .sort((a, b) => b - a);
  return majors
    .map((major) => join(DEBIAN, String(major), 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')));
}

/** Programs of a PostgreSQL, and the environment in which they run. */
export interface ServerPrograms {
  /** The folder of `initdb` and `postgres`. */
  readonly bin: string;
  /** Where libraries are linked; undefined: the system has them. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further settings of the server, as `name=value`. */
  readonly settings?: readonly string[];
}

/** Debian's server with TimescaleDB loaded, or what is missing. */
export function timescalePrograms(): ServerPrograms | { readonly missing: string } {
  const bin = debianPrograms();
  if (bin === undefined) return { missing: `no PostgreSQL below ${DEBIAN}` };
  const library = join(dirname(bin), 'lib', 'timescaledb.so');
  if (!existsSync(library)) return { missing: `no ${library}` };
  const settings = ['shared_preload_libraries=timescaledb', 'timescaledb.telemetry_level=off'];
  return { bin, settings };
}

/**
 * The programs of the npm package, to run as an external server; undefined: it is not installed, or does not run.
 *
 * @param root - An empty folder for links to libraries, which the server's user may enter.
 */
export async function packagedPrograms(root: string): Promise<ServerPrograms | undefined> {
  const { programs } = await findPrograms({ fs, user: undefined, root, machineFolders: [] });
  const [found] = programs;
  if (found === undefined) return undefined;
  const env = Object.entries(found.env).map(([name, text]) => [name, text.replaceAll(GIVEN_FOLDER, root)]);
  return { bin: dirname(found.postgres), env: Object.fromEntries(env) as Record<string, string> };
}

/** A PostgreSQL, by default Debian's, on a free port of loopback, with a password; it can be killed and started again. */
export class PostgresServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #programs: ServerPrograms;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, programs: ServerPrograms, port: number) {
    this.#folder = folder;
    this.#programs = programs;
    this.#port = port;
  }

  static async start(programs: ServerPrograms = { bin: debianPrograms() ?? '' }): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'));
    const server = new PostgresServer(folder, programs, await freePort());
    const password = join(folder, 'password');
    writeFileSync(password, PASSWORD);
    mkdirSync(join(folder, 'data'));
    if (isRoot())
      for (const path of [folder, password, join(folder, 'data')]) chownSync(path, NOBODY, NOBODY);
    const login = ['-U', 'fleet', '--auth=scram-sha-256', `--pwfile=${password}`];
    execFileSync(join(programs.bin, 'initdb'), ['-D', join(folder, 'data'), ...login, '--no-sync'], {
      ...{ stdio: 'ignore', cwd: folder, ...server.#identity() },
    });
    await server.run();
    return server;
  }

  /** A new, empty database on this server. */
  async createDatabase(name: string): Promise<string> {
    const client = new pg.Client(this.urlOf('postgres'));
    await client.connect();
    await client.query(`CREATE DATABASE ${name}`);
    await client.end();
    return this.urlOf(name);
  }

  urlOf(database: string): string {
    return `postgres://fleet:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.#port}/${database}`;
  }

  async run(): Promise<void> {
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${this.#port}`,
      `unix_socket_directories=${this.#folder}`,
      ...(this.#programs.settings ?? []),
    ];
    const flags = settings.flatMap((one) => ['-c', one]);
    const child = spawn(join(this.#programs.bin, 'postgres'), ['-D', join(this.#folder, 'data'), ...flags], {
      ...{ stdio: ['ignore', 'ignore', 'ignore'], cwd: this.#folder, ...this.#identity() },
    });
    this.#child = child;
    process.once('exit', () => child.kill('SIGKILL'));
    await eventually(async () => {
      const client = new pg.Client(this.urlOf('postgres'));
      client.on('error', () => undefined);
      try {
        await client.connect();
        return true;
      } catch {
        if (child.exitCode !== null) throw new Error(`PostgreSQL ended with exit code ${child.exitCode}`);
        return false;
      } finally {
        await client.end().catch(() => undefined);
      }
    }, 'PostgreSQL');
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGQUIT');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** PostgreSQL refuses to run as root. */
  #identity(): { readonly uid?: number; readonly gid?: number; readonly env?: Record<string, string> } {
    const { env } = this.#programs;
    return {
      ...(isRoot() ? { uid: NOBODY, gid: NOBODY } : {}),
      ...(env === undefined ? {} : { env: { ...process.env, ...env } as Record<string, string> }),
    };
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await endChild(child, signal);
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
