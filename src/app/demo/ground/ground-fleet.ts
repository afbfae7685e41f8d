import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NS_PER_MS } from '../../../core/clock.js';
import { HoldfastError } from '../../../core/errors.js';
import type { SystemPorts } from '../../../host/ports.js';
import { mainScript } from '../../setup/main-script.js';
import { DemoChild } from '../demo-child.js';
import { LinkTunnel, unusedPort } from './link-tunnel.js';
import { refreshCatalogue } from './refresh-catalogue.js';

/** One life of a robot's recorder, nanoseconds since the Unix epoch on the clock of the robot. */
export interface Life {
  readonly fromNs: bigint;
  /** When its process was gone; undefined: it runs. */
  readonly toNs?: bigint;
  /** It was ended by SIGKILL. */
  readonly isKilled?: boolean;
}

/** One vehicle with its own recorder, data folder and link. */
export interface FleetRobot {
  readonly name: string;
  readonly data: string;
  readonly lives: readonly Life[];
}

export interface GroundFleetOptions {
  /** Age at which recorders seal, milliseconds. */
  readonly segmentMaxAgeMs: number;
  /** More flags of the recorders. */
  readonly recorderFlags?: readonly string[];
  /** Clocks of robots that differ from that of the ground. Default: none does. */
  readonly clocks?: {
    /** Nanoseconds by which the clock of a robot is ahead. */
    readonly aheadNs: (index: number) => bigint;
    /** Flags of Node.js that make its recorder believe so. */
    readonly nodeFlags: (index: number) => readonly string[];
  };
  /** More flags of sync. */
  readonly syncFlags?: readonly string[];
  /** The ground has several processes that share a database and a bus; absent: one with a database of its own. */
  readonly shared?: {
    readonly processes: number;
    /** `postgres://...` */
    readonly database: string;
    /** Port of a NATS server on loopback. */
    readonly busPort: number;
  };
}

interface Driver extends FleetRobot {
  readonly index: number;
  readonly source: string;
  readonly tokenFile: string;
  readonly webPort: number;
  readonly tunnel: LinkTunnel;
  readonly lives: Life[];
  recorder?: DemoChild;
}

/** Kinds of vehicles, one for each robot. */
const KINDS = ['car', 'small_car', 'suv', 'sports_car', 'van'] as const;
/** A machine that is busy starts all processes in this time. */
const START_MS = 180_000;
const POLL_MS = 50;
/** Fewer unconfirmed samples than this are only those that are on their way. */
const ON_THEIR_WAY = 60;
/** A robot may need so long to notice that its process of the ground is dead. Until then its link looks open. */
const NOTICED_MS = 3_000;
/** The database may just have been killed. */
const CATALOGUE_TRIES = 10;
const CATALOGUE_WAIT_MS = 1_000;

/** Five vehicles, sync and a ground, each a process of its own that can be killed; links that can be cut. */
export class GroundFleet implements AsyncDisposable {
  readonly #folder: string;
  readonly #ports: SystemPorts;
  readonly #options: GroundFleetOptions;
  #groundPorts: readonly number[] = [];
  readonly #grounds: (DemoChild | undefined)[] = [];
  #sync: DemoChild | undefined;
  #robots: readonly Driver[] = [];

  constructor(folder: string, options: GroundFleetOptions, ports: SystemPorts) {
    this.#folder = folder;
    this.#options = options;
    this.#ports = ports;
  }

  get robots(): readonly FleetRobot[] {
    return this.#robots;
  }

  get url(): string {
    return this.#urlOf(0);
  }

  get storePath(): string {
    return join(this.#folder, 'store');
  }

  get #groundPath(): string {
    return join(this.#folder, 'ground');
  }

  /** Processes of the ground. */
  get processes(): number {
    return this.#options.shared?.processes ?? 1;
  }

  #urlOf(process: number): string {
    return `http://127.0.0.1:${this.#groundPorts[process] ?? 0}`;
  }

  get #databaseFlags(): readonly string[] {
    const { shared } = this.#options;
    return shared === undefined ? [] : ['--database', shared.database];
  }

  /** Starts the ground, then every vehicle and sync. */
  async start(robots: number, signal: AbortSignal): Promise<void> {
    await mkdir(this.storePath, { recursive: true });
    this.#groundPorts = await Promise.all(Array.from({ length: this.processes }, () => unusedPort()));
    // Those that share a database must not change its schema at the same time as others enrol.
    for (let i = 0; i < robots; i++) this.#robots = [...this.#robots, await this.#addRobot(i)];
    for (let i = 0; i < this.processes; i++) await this.startGround(signal, i);
    for (let i = 0; i < robots; i++) this.startRobot(i);
    this.startSync();
    await this.#until(signal, 'all robots are connected', async () => {
      const states = await Promise.all(this.#robots.map((robot) => this.#uplinkOf(robot)));
      return states.every((state) => state?.state === 'open');
    });
  }

  /** Rejects with the output of a process that ended without being killed. */
  assertRunning(): void {
    for (const child of [...this.#grounds, this.#sync, ...this.#robots.map(({ recorder }) => recorder)]) {
      if (child !== undefined && !child.running && !child.isKilled)
        throw new HoldfastError('INTERNAL', `the ${child.name} ended by itself: ${child.errorOutput}`);
    }
  }

  startRobot(index: number): void {
    const robot = this.#robot(index);
    robot.lives.push({ fromNs: this.#timeOn(robot) });
    const scheme = this.#options.shared === undefined ? 'ws' : 'nats';
    const flags = [
      ...['record', '--json', '--source', robot.source, '--data', robot.data, '--log-level', 'warn'],
      ...['--segment-max-age-ms', `${this.#options.segmentMaxAgeMs}ms`, '--tag', 'mission=demo'],
      ...['--ground-url', `${scheme}://127.0.0.1:${robot.tunnel.port}`],
      ...['--ground-token-file', robot.tokenFile, '--web-port', String(robot.webPort), '--no-foxglove'],
      ...(this.#options.recorderFlags ?? []),
    ];
    const nodeFlags = this.#options.clocks?.nodeFlags(index);
    robot.recorder = new DemoChild(robot.name, mainScript, flags, nodeFlags);
  }

  async killRobot(index: number): Promise<void> {
    const robot = this.#robot(index);
    await robot.recorder?.kill();
    this.#endLife(robot, true);
  }

  tunnel(index: number): LinkTunnel {
    return this.#robot(index).tunnel;
  }

  /** Resolves when it serves robots and people. */
  async startGround(signal: AbortSignal, process = 0): Promise<void> {
    const { shared } = this.#options;
    const listen = `127.0.0.1:${this.#groundPorts[process] ?? 0}`;
    this.#grounds[process] = new DemoChild('ground', mainScript, [
      ...['ground', '--json', '--data', this.#groundPath, '--listen', listen, ...this.#databaseFlags],
      ...(shared === undefined ? [] : ['--bus', `nats://127.0.0.1:${shared.busPort}`]),
      ...['--store', `dir:${this.storePath}`, '--log-level', 'warn'],
    ]);
    await this.#until(signal, 'the ground serves', async () => {
      const answer = await fetch(`${this.#urlOf(process)}/readyz`).catch(() => undefined);
      return answer?.ok === true;
    });
  }

  /** With it ends the database that is its own. */
  async killGround(process = 0): Promise<void> {
    await this.#grounds[process]?.kill();
  }

  /** Kills the PostgreSQL server of the ground, if it runs. Returns whether it did. */
  async killDatabase(): Promise<boolean> {
    const file = join(this.#groundPath, 'database', 'cluster', 'postmaster.pid');
    const text = await readFile(file, 'utf8').catch(() => '');
    const pid = Number.parseInt(text, 10);
    if (!(pid > 1)) return false;
    try {
      process.kill(pid, 'SIGKILL');
      return true;
    } catch {
      return false;
    }
  }

  startSync(): void {
    this.#sync = new DemoChild('sync', mainScript, this.#syncArguments());
  }

  async killSync(): Promise<void> {
    await this.#sync?.kill();
  }

  /** Waits until the ground has confirmed what the robots kept for it. */
  async drained(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    let since: bigint | undefined;
    await this.#until(signal, 'the outboxes are empty', async () => {
      const states = await Promise.all(this.#robots.map((robot) => this.#uplinkOf(robot)));
      const isEmpty = states.every((one) => one?.state === 'open' && one.waitingSamples < ON_THEIR_WAY);
      since = isEmpty ? (since ?? clock.monotonic()) : undefined;
      return since !== undefined && clock.monotonic() - since > BigInt(NOTICED_MS) * NS_PER_MS;
    });
  }

  /** Ends the recorders as they should end, uploads the rest, and lets the catalogue look once more. */
  async stop(): Promise<void> {
    for (const { recorder } of this.#robots) recorder?.terminate();
    for (const robot of this.#robots) {
      await robot.recorder?.result();
      this.#endLife(robot, false);
    }
    this.#sync?.terminate();
    await this.#sync?.exited;
    await new DemoChild('sync', mainScript, [...this.#syncArguments(), '--drain']).result();
    for (let tries = CATALOGUE_TRIES; ; tries--) {
      const fault = await refreshCatalogue(this.url);
      if (fault === undefined) return;
      if (tries === 1) throw new HoldfastError('INTERNAL', fault);
      await this.#ports.clock.sleep(CATALOGUE_WAIT_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      ...this.#robots.map(({ recorder }) => recorder?.kill()),
      ...[this.#sync?.kill(), this.#endGround()],
    ]);
    for (const { tunnel } of this.#robots) await tunnel[Symbol.asyncDispose]();
  }

  /** As it should end: otherwise its database would end a moment later, while its folder is removed. */
  async #endGround(): Promise<void> {
    for (const ground of this.#grounds) {
      ground?.terminate();
      await ground?.exited;
    }
  }

  #robot(index: number): Driver {
    const robot = this.#robots[index];
    if (robot === undefined) throw new HoldfastError('INTERNAL', `there is no robot ${index}`);
    return robot;
  }

  #timeOn({ index }: Driver): bigint {
    return this.#ports.clock.now() + (this.#options.clocks?.aheadNs(index) ?? 0n);
  }

  #endLife(robot: Driver, isKilled: boolean): void {
    const life = robot.lives.pop();
    // A process that is gone has stamped nothing later.
    if (life !== undefined) robot.lives.push({ toNs: this.#timeOn(robot), isKilled, ...life });
  }

  async #addRobot(index: number): Promise<Driver> {
    const kind = KINDS[index % KINDS.length] ?? 'car';
    const prefix = index < KINDS.length ? kind : `${kind}_${Math.floor(index / KINDS.length) + 1}_`;
    const name = `${prefix}1`;
    const tokenFile = join(this.#folder, `${name}.token`);
    const token = await this.#enrol(name);
    await writeFile(tokenFile, token, { mode: 0o600 });
    return {
      ...{ index, name, tokenFile, lives: [], data: join(this.#folder, name) },
      source: `csv:electric?vehicles=1&name=${prefix}&profiles=${kind}&seed=${index + 1}&loop=true`,
      webPort: await unusedPort(),
      tunnel: await LinkTunnel.open(() => this.#options.shared?.busPort ?? this.#groundPorts[0] ?? 0),
    };
  }

  async #enrol(name: string): Promise<string> {
    const child = new DemoChild('ground enrol', mainScript, [
      ...['ground', 'enrol', name, '--json', '--data', this.#groundPath, ...this.#databaseFlags],
    ]);
    return String((await child.result())['token']);
  }

  async #uplinkOf({ webPort }: Driver): Promise<{ state: string; waitingSamples: number } | undefined> {
    const answer = await fetch(`http://127.0.0.1:${webPort}/status`).catch(() => undefined);
    if (answer?.ok !== true) return undefined;
    const status = (await answer.json()) as {
      services?: { uplink?: { robots?: readonly { state: string; waitingSamples: number }[] } };
    };
    return status.services?.uplink?.robots?.[0];
  }

  async #until(signal: AbortSignal, what: string, test: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#ports;
    const deadline = clock.monotonic() + BigInt(START_MS) * NS_PER_MS;
    while (!(await test())) {
      signal.throwIfAborted();
      this.assertRunning();
      if (clock.monotonic() > deadline)
        throw new HoldfastError('INTERNAL', `within ${START_MS / 1000} s it did not happen that ${what}`);
      await clock.sleep(POLL_MS, signal);
    }
  }

  #syncArguments(): string[] {
    return [
      ...['sync', '--json', '--store', `dir:${this.storePath}`, '--log-level', 'warn'],
      ...this.#robots.flatMap(({ data }) => ['--data', data]),
      ...['--backoff-first', '500ms', '--backoff-max', '2s', ...(this.#options.syncFlags ?? [])],
    ];
  }
}
