import { NS_PER_S, type Clock, type Timer } from '../core/clock.js';
import { defined } from '../core/defined.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { ConnectionEvents, GroundReception, UplinkConnection } from '../uplink/link/uplink-transport.js';
import type { FetchRequest } from '../core/fetch-request.js';
import type { FetchUpdate } from '../uplink/protocol/fetch-update.js';
import type { RemovedSamples } from '../uplink/protocol/outbox-codec.js';
import type { RobotCommand } from '../uplink/protocol/robot-command.js';
import type { HistorySink } from './history/sample-batch.js';
import type { RobotReport } from '../uplink/protocol/robot-report.js';
import { vinOf, type BoundVins } from './bound-vins.js';
import type { RobotRegistry } from './robot-registry.js';
import type { CommandOutcome } from './commands.js';
import type { DeletedTimes } from './deleted-times.js';
import type { FleetRow } from './fleet-row.js';
import type { FleetView } from './fleet-view.js';
import type { KnownRobot } from './known-robot.js';
import { robotOfVin } from './robot-of-vin.js';
import { RobotSession } from './robot-session.js';
import { RobotState, type RobotDetail, type RobotView } from './robot-state.js';

/** Connections of one robot in a time: each costs a durable write, and a broken robot must not slow the others. */
const MAX_RECENT = 5;
const RECENT_NS = 10n * NS_PER_S;
/** A token that was revoked ends its connections within this time. */
const REVOCATION_MS = 5_000;

export interface FleetPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined: nothing is kept. */
  readonly history?: HistorySink | undefined;
  /** Undefined: nothing was deleted. */
  readonly deletedTimes?: Pick<DeletedTimes, 'of'> | undefined;
  /** Reports of the robots, as they come. */
  readonly onReport?: (robot: string, report: RobotReport) => void;
  /** What robots say about requests for segments. */
  readonly onFetch?: (robot: string, update: FetchUpdate) => void;
  /** Samples that a robot no longer has; resolves when this is durable. */
  readonly onRemoved?: (robot: string, removed: RemovedSamples) => Promise<void>;
}

interface Live {
  readonly session: RobotSession;
  readonly token: string;
}

/** Of a connection that was not taken. */
const ignored: ConnectionEvents = { message: () => undefined, closed: () => undefined };

/** Every robot that has connected since the ground started, or that it remembers from before. */
export class Fleet implements GroundReception, FleetView, Disposable {
  readonly #registry: RobotRegistry;
  readonly #ports: FleetPorts;
  readonly #states = new Map<string, RobotState>();
  /** The newest connection of each robot. */
  readonly #live = new Map<string, Live>();
  /** The token with which a robot was admitted last, and the VIN that is bound to it; its connection follows at once. */
  readonly #admitted = new Map<string, { readonly token: string; readonly vin: string }>();
  /** When each robot connected, within the last seconds. */
  readonly #recent = new Map<string, readonly bigint[]>();
  readonly #timer: Timer;
  /** Undefined: they could not be read yet. */
  #boundVins: BoundVins | undefined;
  #areVinsUnreadable = false;

  constructor(registry: RobotRegistry, ports: FleetPorts) {
    this.#registry = registry;
    this.#ports = ports;
    const check = (): void =>
      void this.#endRevoked().then(async () => {
        await this.#endReplaced();
        await this.#readBoundVins();
      });
    this.#timer = ports.clock.every(REVOCATION_MS, check, { background: true });
  }

  /** Takes the robots that were known before the ground started. */
  remember(robots: readonly KnownRobot[]): void {
    for (const known of robots)
      if (!this.#states.has(known.robot))
        this.#states.set(known.robot, RobotState.of(known, this.#deletedOf(known.robot)));
  }

  /** What a restart must not forget. */
  known(): readonly KnownRobot[] {
    return [...this.#states.values()].map((state) => state.known());
  }

  /** Forgets a robot that is not connected. */
  forget(robot: string): void {
    if (this.#live.has(robot)) return;
    this.#states.delete(robot);
    this.#recent.delete(robot);
    this.#admitted.delete(robot);
  }

  /** Robots in the order of their names. */
  robots(): readonly RobotView[] {
    return [...this.#states.values()]
      .map((state) => state.view())
      .sort((a, b) => (a.robot < b.robot ? -1 : 1));
  }

  /** The robots in one line each, in the order of their names. */
  rows(): readonly FleetRow[] {
    return [...this.#states.values()]
      .map((state) => state.row())
      .sort((a, b) => (a.robot < b.robot ? -1 : 1));
  }

  /** By its name, or by its vehicle identification number. */
  robot(name: string): RobotDetail | undefined {
    return (this.#states.get(name) ?? this.#byVin(name))?.detail();
  }

  nameOf(name: string): string | undefined {
    return (this.#states.get(name) ?? this.#byVin(name))?.robot;
  }

  /** Sends a command to a robot; resolves with how it ended. */
  async give(robot: string, command: RobotCommand): Promise<CommandOutcome> {
    const live = this.#live.get(robot);
    if (live !== undefined) return await live.session.give(command);
    return { state: 'offline', message: 'the robot is not connected' };
  }

  /** Robots that are connected to this process. */
  connected(): readonly string[] {
    return [...this.#live.keys()];
  }

  /** Tells a robot its open requests for segments, if it is connected here. False: it takes none. */
  tellRequests(robot: string, requests: readonly FetchRequest[]): boolean {
    return this.#live.get(robot)?.session.tellRequests(requests) ?? true;
  }

  /** The one that it is bound to, or the one that was heard last: a vehicle may have been enrolled under several names. */
  #byVin(vin: string): RobotState | undefined {
    const bound = this.boundRobotOf(vin);
    if (bound !== undefined) return this.#states.get(bound);
    return robotOfVin([...this.#states.values()], vin, ({ heardAtNs }) => heardAtNs);
  }

  /** Undefined: the VIN is bound to none. */
  boundRobotOf(vin: string): string | undefined {
    return this.#boundVins?.robotOf(vin);
  }

  #deletedOf(robot: string): () => ReturnType<DeletedTimes['of']> {
    return () => this.#ports.deletedTimes?.of(robot) ?? [];
  }

  async admit(token: string): Promise<string | undefined> {
    const found = await this.#registry.find(token);
    if (found === undefined) return undefined;
    if (this.#boundVins === undefined) await this.#readBoundVins();
    const { robot, vin = '' } = found;
    this.#admitted.set(robot, { token, vin });
    return robot;
  }

  accept(robot: string, connection: UplinkConnection): ConnectionEvents {
    const { clock, logger, history, onRemoved } = this.#ports;
    if (this.#isTooOften(robot)) {
      connection.close('too many connections, wait 10 s');
      return ignored;
    }
    let state = this.#states.get(robot);
    if (state === undefined) this.#states.set(robot, (state = new RobotState(robot, this.#deletedOf(robot))));
    state.refusedVin = '';
    // A robot that reconnects may be gone from its old connection without a word.
    this.#live.get(robot)?.session.end('the robot has connected again');
    const known = state;
    const { token, vin } = this.#admitted.get(robot) ?? { token: '', vin: '' };
    const session: RobotSession = new RobotSession({
      ...{ state, connection, clock, logger, history, nextEpoch: () => this.#registry.nextEpoch(robot) },
      vinOf: (said) => vinOf(said, vin, this.#boundVins),
      onReport: (report) => this.#ports.onReport?.(robot, report),
      onFetch: (update) => this.#ports.onFetch?.(robot, update),
      ...defined({ onRemoved: onRemoved && ((removed: RemovedSamples) => onRemoved(robot, removed)) }),
      onEnd: () => {
        if (this.#live.get(robot)?.session !== session) return;
        this.#live.delete(robot);
        known.isConnected = false;
      },
    });
    this.#live.set(robot, { session, token });
    this.#admitted.delete(robot);
    state.isConnected = true;
    state.heardAtNs = clock.now();
    logger.info('a robot has connected', { robot });
    return session;
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    for (const { session } of [...this.#live.values()]) session.end('the ground stops');
  }

  #isTooOften(robot: string): boolean {
    const now = this.#ports.clock.monotonic();
    const recent = (this.#recent.get(robot) ?? []).filter((at) => now - at < RECENT_NS);
    const isTooOften = recent.length >= MAX_RECENT;
    this.#recent.set(robot, isTooOften ? recent : [...recent, now]);
    return isTooOften;
  }

  /** A robot that has connected at another process of this ground is gone here, perhaps without a word. */
  async #endReplaced(): Promise<void> {
    if (this.#live.size === 0) return;
    try {
      const newest = await this.#registry.newestEpochs([...this.#live.keys()]);
      for (const [robot, { session }] of [...this.#live]) {
        if (session.epoch > 0 && (newest.get(robot) ?? 0) > session.epoch)
          session.end('the robot has connected again');
      }
    } catch (error) {
      this.#ports.logger.warn('the epochs cannot be checked', { error: describeError(error) });
    }
  }

  async #readBoundVins(): Promise<void> {
    try {
      this.#boundVins = await this.#registry.boundVins();
      this.#areVinsUnreadable = false;
    } catch (error) {
      if (!this.#areVinsUnreadable)
        this.#ports.logger.warn('the bound VINs cannot be read; those read last hold', {
          error: describeError(error),
        });
      this.#areVinsUnreadable = true;
    }
  }

  async #endRevoked(): Promise<void> {
    for (const [robot, { session, token }] of [...this.#live]) {
      try {
        if ((await this.#registry.admit(token)) !== robot) session.end('the token was revoked');
      } catch (error) {
        const reason = describeError(error);
        this.#ports.logger.warn('a token cannot be checked', { robot, error: reason });
      }
    }
  }
}
