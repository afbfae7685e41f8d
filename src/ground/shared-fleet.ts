import type { Clock, Timer } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { RobotCommand } from '../uplink/protocol/robot-command.js';
import type { CommandOutcome } from './commands.js';
import type { Fleet } from './fleet.js';
import type { FleetRow } from './fleet-row.js';
import type { FleetView } from './fleet-view.js';
import type { GroundBus } from './ground-bus.js';
import type { RobotDetail, RobotView } from './robot-state.js';
import { robotOfVin } from './robot-of-vin.js';
import { WorkerWatch } from './worker-watch.js';

export interface SharedFleetPorts {
  readonly bus: GroundBus;
  readonly clock: Clock;
  readonly logger: Logger;
}

const TELL_MS = 1_000;
/** A message may get lost on its way to a process that is slow, so each process tells all its rows again now and then. */
const TELL_ALL_TICKS = 30;
/** Rows or robots of one message; NATS takes 1 MiB by default. */
const PAGE = 100;
const ASK_TIMEOUT_MS = 5_000;
/** The process that has the robot answers after 30 s at the latest. */
const COMMAND_TIMEOUT_MS = 35_000;

interface OtherRow {
  readonly row: FleetRow;
  /** The process that has the robot; undefined: it is gone. */
  readonly worker: string | undefined;
}

/** The fleet of all processes of a ground, as each of them shows it. */
export class SharedFleet implements FleetView, Disposable {
  readonly #own: Fleet;
  readonly #ports: SharedFleetPorts;
  readonly #watch: WorkerWatch;
  readonly #timer: Timer;
  /** By robot, the JSON of the row that the others have. */
  readonly #told = new Map<string, string>();
  readonly #others = new Map<string, OtherRow>();
  #ticks = 0;

  constructor(own: Fleet, ports: SharedFleetPorts) {
    this.#own = own;
    this.#ports = ports;
    this.#watch = new WorkerWatch((worker) => this.#lose(worker), ports);
    const { bus, clock } = ports;
    bus.listen('rows', (worker, message) => this.#take(worker, message as readonly FleetRow[]));
    bus.listen('hello', () => this.#told.clear());
    bus.answer('robot', (message) => own.robot((message as { robot: string }).robot));
    bus.answer('robots', (message) => this.#page((message as { after: string }).after));
    bus.answer('command', (message) => {
      const { robot, command } = message as { robot: string; command: RobotCommand };
      return own.give(robot, command);
    });
    const begin = (): void => {
      this.#told.clear();
      bus.tell('hello', {});
    };
    bus.onReconnect(begin);
    begin();
    this.#timer = clock.every(TELL_MS, () => this.#tell(), { background: true });
  }

  /** Of all processes, one does what must be done once. */
  get isFirst(): boolean {
    return this.#watch.isFirst;
  }

  rows(): readonly FleetRow[] {
    const rows = new Map<string, FleetRow>();
    for (const [robot, { row }] of this.#others) rows.set(robot, row);
    for (const row of this.#own.rows()) {
      const other = rows.get(row.robot);
      if (other === undefined || isNewer(row, other)) rows.set(row.robot, row);
    }
    return [...rows.values()].sort((a, b) => (a.robot < b.robot ? -1 : 1));
  }

  async robot(name: string): Promise<RobotDetail | undefined> {
    const { robot, worker } = this.#find(name);
    if (worker === undefined) return this.#own.robot(robot);
    const found = await this.#ports.bus.ask('robot', worker, { robot }, ASK_TIMEOUT_MS);
    return (found ?? undefined) as RobotDetail | undefined;
  }

  async robots(): Promise<readonly RobotView[]> {
    const found = new Map<string, RobotView>();
    for (const worker of this.#watch.others)
      for (const view of await this.#viewsOf(worker)) found.set(view.robot, view);
    for (const view of this.#own.robots())
      if (view.connected || !found.has(view.robot)) found.set(view.robot, view);
    return [...found.values()].sort((a, b) => (a.robot < b.robot ? -1 : 1));
  }

  nameOf(name: string): string | undefined {
    return this.#row(name)?.robot;
  }

  forget(robot: string): void {
    this.#others.delete(robot);
    this.#told.delete(robot);
    this.#own.forget(robot);
  }

  async give(name: string, command: RobotCommand): Promise<CommandOutcome> {
    const { robot, worker } = this.#find(name);
    if (worker === undefined) return await this.#own.give(robot, command);
    try {
      const message = { robot, command };
      return (await this.#ports.bus.ask('command', worker, message, COMMAND_TIMEOUT_MS)) as CommandOutcome;
    } catch (error) {
      const message = `the process of the ground with this robot did not answer: ${describeError(error)}`;
      return { state: 'timed_out', message };
    }
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#watch[Symbol.dispose]();
  }

  /** Where a robot is; `worker` is undefined for this process. */
  #find(name: string): { readonly robot: string; readonly worker: string | undefined } {
    const row = this.#row(name);
    const robot = row?.robot ?? name;
    const other = this.#others.get(robot);
    return { robot, worker: other?.row === row ? other?.worker : undefined };
  }

  #row(name: string): FleetRow | undefined {
    const rows = this.rows();
    const bound = this.#own.boundRobotOf(name);
    if (bound !== undefined) return rows.find(({ robot }) => robot === bound);
    return rows.find(({ robot }) => robot === name) ?? robotOfVin(rows, name, ({ heardMs }) => heardMs);
  }

  /** A process that ends meanwhile is left out: its robots are on their way to another one. */
  async #viewsOf(worker: string): Promise<readonly RobotView[]> {
    const views: RobotView[] = [];
    try {
      for (;;) {
        const after = views.at(-1)?.robot ?? '';
        const found = await this.#ports.bus.ask('robots', worker, { after }, ASK_TIMEOUT_MS);
        const page = found as readonly RobotView[];
        views.push(...page);
        if (page.length < PAGE) return views;
      }
    } catch (error) {
      this.#ports.logger.warn('another process of the ground does not answer', {
        ...{ worker, error: describeError(error) },
      });
      return views;
    }
  }

  #page(after: string): readonly RobotView[] {
    const views = this.#own.robots();
    return views.filter(({ robot }) => robot > after).slice(0, PAGE);
  }

  #tell(): void {
    if (++this.#ticks % TELL_ALL_TICKS === 0) this.#told.clear();
    const changed = this.#own.rows().filter((row) => {
      const text = JSON.stringify(row);
      if (this.#told.get(row.robot) === text) return false;
      this.#told.set(row.robot, text);
      return true;
    });
    for (let from = 0; from < changed.length; from += PAGE)
      this.#ports.bus.tell('rows', changed.slice(from, from + PAGE));
  }

  #take(worker: string, rows: readonly FleetRow[]): void {
    for (const row of rows) {
      const before = this.#others.get(row.robot);
      if (before === undefined || before.worker === worker || isNewer(row, before.row))
        this.#others.set(row.robot, { row, worker });
    }
  }

  #lose(worker: string): void {
    for (const [robot, other] of this.#others)
      if (other.worker === worker)
        this.#others.set(robot, { row: { ...other.row, connected: false }, worker: undefined });
  }
}

/** Of two processes, the one to which the robot is connected knows more. */
function isNewer(row: FleetRow, other: FleetRow): boolean {
  if (row.connected !== other.connected) return row.connected;
  return row.heardMs >= other.heardMs;
}
