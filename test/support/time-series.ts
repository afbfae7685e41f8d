import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lacking } from '../../src/testing/lacking.js';
import { eventually } from '../../src/testing/waiting.js';
import { freePort } from './free-port.js';
import { endChild } from './end-child.js';

/** One value of a field, as a server gives it back. */
export interface StoredPoint {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly field: string;
  /** Nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
  readonly value: number;
}

function isThere(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}

/** A program of Debian that listens on loopback; it can be killed and started again with its data. */
abstract class Server implements AsyncDisposable {
  protected readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-series-'));
  #child: ChildProcess | undefined;

  protected constructor(readonly port: number) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  protected abstract command(): {
    readonly program: string;
    readonly args: string[];
    readonly env: NodeJS.ProcessEnv;
  };

  async run(): Promise<void> {
    const { program, args, env } = this.command();
    const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...env } });
    this.#child = child;
    process.once('exit', () => child.kill('SIGKILL'));
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`${program} ended with exit code ${child.exitCode}`);
      const answer = await fetch(`${this.url}/ping`).catch(() => undefined);
      return answer !== undefined;
    }, program);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await endChild(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Debian's InfluxDB 1 with a user and a password. */
export class Influxdb extends Server {
  static readonly user = 'fleet';
  static readonly password = 'hunter2-of-influx';
  /** As a token for the sink. */
  static readonly token = `Basic ${Buffer.from(`${Influxdb.user}:${Influxdb.password}`).toString('base64')}`;
  readonly #rpcPort: number;

  private constructor(port: number, rpcPort: number) {
    super(port);
    this.#rpcPort = rpcPort;
  }

  /** Skips if Debian's package is not there. */
  static async start(context: Mocha.Context): Promise<Influxdb> {
    if (!isThere('influxd')) lacking(context, 'influxdb', 'no influxd (apt-get install influxdb)');
    const server = new Influxdb(await freePort(), await freePort());
    await server.run();
    await server.ask(`CREATE USER ${Influxdb.user} WITH PASSWORD '${Influxdb.password}' WITH ALL PRIVILEGES`);
    return server;
  }

  /** The answer to a query, as its first series. */
  async ask(query: string, database = ''): Promise<InfluxSeries[]> {
    const parameters = new URLSearchParams({ q: query, db: database, epoch: 'ns' });
    const answer = await fetch(`${this.url}/query?${String(parameters)}`, {
      method: 'POST',
      headers: { authorization: Influxdb.token },
    });
    const text = await answer.text();
    // The times have more digits than a double.
    const exact = text.replace(/(?<=\[)\d{16,}(?=,)/g, '"$&"');
    const { results, error } = JSON.parse(exact) as {
      results?: { series?: InfluxSeries[]; error?: string }[];
      error?: string;
    };
    assert.equal(error ?? results?.[0]?.error, undefined, `${query}: ${text}`);
    return results?.[0]?.series ?? [];
  }

  /** All points of a database, in the order of measurement, series, field and time. */
  async points(database: string): Promise<StoredPoint[]> {
    const found = await this.ask('SELECT * FROM /.*/ GROUP BY *', database);
    return found
      .flatMap(({ name, tags, columns, values }) =>
        columns.slice(1).flatMap((field, index) =>
          values.flatMap(([time, ...rest]) => {
            const value = rest[index];
            if (typeof value !== 'number') return [];
            return [{ measurement: name, tags: given(tags), field, timeNs: BigInt(String(time)), value }];
          }),
        ),
      )
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  protected override command(): ReturnType<Server['command']> {
    const at = (name: string): string => join(this.folder, name);
    return {
      program: 'influxd',
      args: ['run', '-config', '/dev/null'],
      env: {
        INFLUXDB_REPORTING_DISABLED: 'true',
        INFLUXDB_BIND_ADDRESS: `127.0.0.1:${this.#rpcPort}`,
        INFLUXDB_HTTP_BIND_ADDRESS: `127.0.0.1:${this.port}`,
        INFLUXDB_HTTP_AUTH_ENABLED: 'true',
        INFLUXDB_META_DIR: at('meta'),
        INFLUXDB_DATA_DIR: at('data'),
        INFLUXDB_DATA_WAL_DIR: at('wal'),
        INFLUXDB_MONITOR_STORE_ENABLED: 'false',
      },
    };
  }
}

interface InfluxSeries {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly unknown[])[];
}

/** InfluxDB gives every tag of the measurement, with an empty value where a series has none. */
function given(tags: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).filter(([, value]) => value !== ''));
}

function keyOf({ measurement, tags, field, timeNs }: StoredPoint): string {
  return [measurement, JSON.stringify(tags), field, String(timeNs).padStart(20, '0')].join('\n');
}

/** Debian's VictoriaMetrics, which takes both ways of writing lines. */
export class VictoriaMetrics extends Server {
  static async start(context: Mocha.Context): Promise<VictoriaMetrics> {
    const program = 'victoria-metrics';
    if (!isThere(program)) lacking(context, 'victoriametrics', `no ${program} (apt-get install ${program})`);
    const server = new VictoriaMetrics(await freePort());
    await server.run();
    return server;
  }

  /** The values of a series by its name, with milliseconds since the Unix epoch. */
  async values(name: string): Promise<readonly (readonly [timeMs: number, value: number])[]> {
    await fetch(`${this.url}/internal/force_flush`);
    const parameters = new URLSearchParams({ 'match[]': `{__name__="${name}"}` });
    const answer = await fetch(`${this.url}/api/v1/export?${String(parameters)}`);
    const lines = (await answer.text()).split('\n').filter((line) => line !== '');
    return lines.flatMap((line) => {
      const { values, timestamps } = JSON.parse(line) as { values: number[]; timestamps: number[] };
      return values.map((value, index) => [timestamps[index]!, value] as const);
    });
  }

  protected override command(): ReturnType<Server['command']> {
    return {
      program: 'victoria-metrics',
      args: [
        `-storageDataPath=${join(this.folder, 'data')}`,
        `-httpListenAddr=127.0.0.1:${this.port}`,
        ...['-retentionPeriod=100y', '-loggerLevel=ERROR'],
      ],
      env: {},
    };
  }
}
