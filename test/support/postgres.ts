import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { lacking } from '../../src/testing/lacking.js';
import { eventually } from '../../src/testing/waiting.js';
import { freePort } from './nats.js';

const DEBIAN = '/usr/lib/postgresql';
const NOBODY = 65_534;
const PASSWORD = 'a:b/c@d';

/** Skips if Debian's server is not there. */
export function requirePostgres(context: Mocha.Context): void {
  if (programFolder() === undefined) lacking(context, 'postgresql', `no PostgreSQL below ${DEBIAN}`);
}

function programFolder(): string | undefined {
  if (!existsSync(DEBIAN)) return undefined;
  const majors = readdirSync(DEBIAN)
    .map(Number)
    .sort((a, b) => b - a);
  return majors
    .map((major) => join(DEBIAN, String(major), 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')));
}

/** Debian's PostgreSQL on a free port of loopback, with a password; it can be killed and started again. */
export class PostgresServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #bin: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, bin: string, port: number) {
    this.#folder = folder;
    this.#bin = bin;
    this.#port = port;
  }

  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'));
    const server = new PostgresServer(folder, programFolder() ?? '', await freePort());
    const password = join(folder, 'password');
    writeFileSync(password, PASSWORD);
    mkdirSync(join(folder, 'data'));
    if (isRoot())
      for (const path of [folder, password, join(folder, 'data')]) chownSync(path, NOBODY, NOBODY);
    const login = ['-U', 'fleet', '--auth=scram-sha-256', `--pwfile=${password}`];
    execFileSync(join(server.#bin, 'initdb'), ['-D', join(folder, 'data'), ...login, '--no-sync'], {
      ...{ stdio: 'ignore', cwd: folder, ...identity() },
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
    ];
    const flags = settings.flatMap((one) => ['-c', one]);
    const child = spawn(join(this.#bin, 'postgres'), ['-D', join(this.#folder, 'data'), ...flags], {
      ...{ stdio: ['ignore', 'ignore', 'ignore'], cwd: this.#folder, ...identity() },
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

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function identity(): { readonly uid?: number; readonly gid?: number } {
  return isRoot() ? { uid: NOBODY, gid: NOBODY } : {};
}
