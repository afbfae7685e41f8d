import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defined } from '../../src/core/defined.js';
import { silentLogger } from '../../src/core/logger.js';
import type { Channel, Message } from '../../src/core/message.js';
import { present } from '../../src/core/present.js';
import { CdrWriter } from '../../src/core/ros/cdr-writer.js';
import { AuditFile } from '../../src/ground/audit-log.js';
import { accessRoutes } from '../../src/ground/access-routes.js';
import { commandRoutes } from '../../src/ground/command-routes.js';
import { Commands, type CommandSender } from '../../src/ground/commands.js';
import { Fleet } from '../../src/ground/fleet.js';
import type { FleetRow } from '../../src/ground/fleet-row.js';
import { FleetFeed } from '../../src/ground/fleet-feed.js';
import { GroundAccess } from '../../src/ground/ground-access.js';
import { GroundServer } from '../../src/ground/ground-server.js';
import type { HistorySink } from '../../src/ground/history/sample-batch.js';
import type { MapSource } from '../../src/ground/map-source.js';
import { PeopleRegistry } from '../../src/ground/people-registry.js';
import { RobotRegistry } from '../../src/ground/robot-registry.js';
import type { RobotView } from '../../src/ground/robot-state.js';
import type { Clock } from '../../src/core/clock.js';
import { systemClock } from '../../src/host/system-clock.js';
import { packageRoot } from '../../src/host/version.js';
import type { Route } from '../../src/monitors/http/route.js';
import type { FetchUpdate } from '../../src/uplink/protocol/fetch-update.js';
import type { RobotCommand } from '../../src/uplink/protocol/robot-command.js';
import type { TlsFiles } from '../../src/monitors/http/listener.js';
import { parseFieldRule } from '../../src/settings/field-rule.js';
import { eventually } from '../../src/testing/waiting.js';
import type { Obey } from '../../src/uplink/robot/command-answerer.js';
import { WebSocketTransport } from '../../src/uplink/link/websocket-transport.js';
import type { Outbox } from '../../src/uplink/robot/outbox.js';
import type { FetchDesk } from '../../src/uplink/robot/fetch-relay.js';
import type { RobotFacts } from '../../src/uplink/robot/report-sender.js';
import { UplinkClient } from '../../src/uplink/robot/uplink-client.js';

export const THRESHOLD = 0.5;

/** A ground on a free port, with its folder; it can be killed and started again on the same port. */
export class GroundWorld implements AsyncDisposable {
  readonly folder: string;
  readonly registry: RobotRegistry;
  fleet!: Fleet;
  port = 0;
  /** Pretends that it listens to others than this machine, if false. */
  isLoopback = true;
  moreRoutes: readonly Route[] = [];
  /** Routes that need the fleet and its commands. */
  routesOf: ((fleet: Fleet, commands: Commands) => readonly Route[]) | undefined;
  onFetch: ((robot: string, update: FetchUpdate) => void) | undefined;
  tls: TlsFiles | undefined;
  map: MapSource | undefined;
  /** Rows that the pages get instead of those of the real fleet. */
  rows: (() => readonly FleetRow[]) | undefined;
  /** Where samples go. */
  history: HistorySink | undefined;
  readonly people: PeopleRegistry;
  #feed: FleetFeed | undefined;
  #access: GroundAccess | undefined;
  #server: GroundServer | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    const ports = { fs, clock: systemClock, random: randomBytes };
    this.registry = new RobotRegistry(folder, ports);
    this.people = new PeopleRegistry(folder, ports);
  }

  static async start(history?: HistorySink): Promise<GroundWorld> {
    const world = new GroundWorld(await fs.mkdtemp(join(tmpdir(), 'holdfast-ground-')));
    world.history = history;
    await world.startServer();
    return world;
  }

  get server(): GroundServer {
    return present(this.#server);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** Nothing of the earlier server is left but its folder. */
  async startServer(): Promise<void> {
    const ports = { clock: systemClock, logger: silentLogger };
    const fleet = new Fleet(this.registry, {
      ...{ ...ports, history: this.history },
      onFetch: (robot, update) => this.onFetch?.(robot, update),
    });
    this.fleet = fleet;
    this.#feed = new FleetFeed(() => this.rows?.() ?? fleet.rows(), systemClock);
    this.#access = await GroundAccess.open(this.people, this.isLoopback, ports);
    const names = {
      hostname: 'ground',
      version: '0.1.0',
      pageFolder: join(packageRoot, 'dist', 'web-ground'),
    };
    const place = { address: '127.0.0.1', port: this.port };
    this.#server = await GroundServer.listen(
      { ...place, ...names, ...defined({ tls: this.tls, map: this.map }) },
      { fleet, feed: this.#feed, access: this.#access, routes: this.#routes(fleet), ...ports },
    );
    this.port = this.#server.port;
  }

  get audit(): AuditFile {
    return new AuditFile(this.folder, fs);
  }

  #routes(fleet: Fleet): readonly Route[] {
    const { audit } = this;
    const ports = { audit, clock: systemClock, random: randomBytes };
    const ask: CommandSender = (robot, command) => fleet.give(robot, command);
    const commands = new Commands(ask, ports);
    const nameOf = (robot: string): string | undefined => fleet.nameOf(robot);
    const more = this.routesOf?.(fleet, commands) ?? [];
    const { people, registry } = this;
    const own = [
      ...commandRoutes({ commands, audit, ask, nameOf }),
      ...accessRoutes({ people, registry, commands }),
    ];
    return [...own, ...this.moreRoutes, ...more];
  }

  /** Ends at once: robots hear no reason. */
  async kill(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#feed?.[Symbol.dispose]();
    this.#access?.[Symbol.dispose]();
    this.fleet[Symbol.dispose]();
  }

  async seen(name: string, what: string, test: (robot: RobotView) => boolean): Promise<RobotView> {
    const find = (): RobotView | undefined => this.fleet.robot(name);
    await eventually(() => {
      const robot = find();
      return robot !== undefined && test(robot);
    }, what);
    return present(find());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await fs.rm(this.folder, { recursive: true, force: true });
  }
}

/** A robot that drives: its speed at every message, by the time of the message. */
export class DrivingRobot implements AsyncDisposable {
  readonly client: UplinkClient;
  /** What it says about itself. */
  facts: RobotFacts = {
    ...{ figures: { state: 'recording', pendingBytes: 5e9, link: 'offline' }, alerts: [] },
    ...{ segments: [], events: [] },
  };
  /** What the ground asked, and how it is done. */
  readonly asked: RobotCommand[] = [];
  obey: Obey = () => Promise.resolve('done as asked');
  readonly #channel: Channel;
  readonly #speeds: { readonly atNs: bigint; readonly speed: number }[] = [];
  readonly #clockOffNs: bigint;
  readonly #timer: NodeJS.Timeout;

  constructor(
    name: string,
    url: string,
    token: string,
    clockOffNs = 0n,
    { vin, ...kept }: { outbox?: Outbox; run?: bigint; requests?: FetchDesk; vin?: () => string } = {},
  ) {
    const transport = new WebSocketTransport(url, token, systemClock);
    const rules = [present(parseFieldRule(`*.v threshold=${THRESHOLD} predictor=linear unit=m/s`))];
    const obey: Obey = (command) => {
      this.asked.push(command);
      return this.obey(command);
    };
    const facts = (): RobotFacts => this.facts;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + clockOffNs };
    const ports = { transport, clock, logger: silentLogger, randomBytes, facts, obey, ...kept };
    this.client = new UplinkClient({ robot: name, version: '0.1.0', rules, ...defined({ vin }) }, ports);
    this.#channel = {
      ...{ robot: name, topic: '/speed', encoding: 'cdr', metadata: {}, latched: false },
      schema: {
        name: 'demo_msgs/msg/Speed',
        encoding: 'ros2msg',
        data: new TextEncoder().encode('float64 v\n'),
      },
    };
    this.#clockOffNs = clockOffNs;
    this.#timer = setInterval(() => this.client.take(this.#message()), 20);
  }

  /** What the last message at or before a time said. */
  speedAt(atNs: bigint): number {
    return present(this.#speeds.findLast((one) => one.atNs <= atNs)).speed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.client[Symbol.asyncDispose]();
  }

  #message(): Message {
    const atNs = systemClock.now() + this.#clockOffNs;
    const speed = 10 * Math.sin(this.#speeds.length / 25);
    this.#speeds.push({ atNs, speed });
    const data = new CdrWriter().begin().f64(speed).finish();
    return { kind: 'message', channel: this.#channel, data, receivedAt: atNs, publishedAt: atNs };
  }
}
