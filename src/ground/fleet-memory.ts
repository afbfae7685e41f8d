import type { Clock, Timer } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { SerialQueue } from '../core/serial-queue.js';
import type { FleetTable } from './fleet-table.js';
import type { FleetView } from './fleet-view.js';
import type { Fleet } from './fleet.js';
import type { RobotRegistry } from './robot-registry.js';

/** A kill of the ground makes the time at which a robot was heard older by this, at most. */
const SAVE_MS = 10_000;
/** A robot that was revoked leaves the fleet within this time. */
const REVOKED_TICKS = 6;

export interface FleetMemoryParts {
  readonly table: FleetTable;
  /** Of this process. */
  readonly fleet: Pick<Fleet, 'known' | 'remember'>;
  /** Of all processes. */
  readonly view: Pick<FleetView, 'rows' | 'forget'>;
  readonly registry: Pick<RobotRegistry, 'list'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keeps the robots of a fleet in the database, so that a restarted ground knows them and when they were heard. */
export class FleetMemory implements AsyncDisposable {
  readonly #parts: FleetMemoryParts;
  readonly #turns = new SerialQueue();
  /** By robot, what the database has, as JSON. */
  readonly #saved = new Map<string, string>();
  readonly #timer: Timer;
  #ticks = 0;
  #isFailing = false;

  private constructor(parts: FleetMemoryParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(SAVE_MS, () => this.#tick(), { background: true });
  }

  /** Gives the fleet what the database knows. Rejects with the errors of the database. */
  static async open(parts: FleetMemoryParts): Promise<FleetMemory> {
    const known = await parts.table.load();
    const memory = new FleetMemory(parts);
    parts.fleet.remember(known);
    for (const robot of known) memory.#saved.set(robot.robot, textOf(robot));
    return memory;
  }

  /** Saves what has changed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    await this.#turns.run(() => this.#save());
  }

  #tick(): void {
    // A database that does not answer has its turn already.
    if (this.#turns.length > 0) return;
    void this.#turns.run(() => this.#save());
    if (++this.#ticks % REVOKED_TICKS === 0) void this.#turns.run(() => this.#forgetRevoked());
  }

  async #save(): Promise<void> {
    const changed = this.#parts.fleet
      .known()
      .map((robot) => ({ robot, text: textOf(robot) }))
      .filter(({ robot, text }) => this.#saved.get(robot.robot) !== text);
    if (changed.length === 0) return;
    await this.#try(async () => {
      await this.#parts.table.save(changed.map(({ robot }) => robot));
      for (const { robot, text } of changed) this.#saved.set(robot.robot, text);
    });
  }

  async #forgetRevoked(): Promise<void> {
    const { registry, table, view } = this.#parts;
    await this.#try(async () => {
      const enrolled = new Set(await registry.list());
      const gone = view
        .rows()
        .filter(({ robot, connected }) => !connected && !enrolled.has(robot))
        .map(({ robot }) => robot);
      if (gone.length === 0) return;
      await table.forget(gone);
      for (const robot of gone) {
        view.forget(robot);
        this.#saved.delete(robot);
      }
    });
  }

  /** What fails is done at the next turn. */
  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#isFailing = false;
    } catch (error) {
      const reason = describeError(error);
      if (!this.#isFailing)
        this.#parts.logger.warn('the state of the fleet cannot be kept', { error: reason });
      this.#isFailing = true;
    }
  }
}

function textOf(robot: object): string {
  return JSON.stringify(robot, (_name, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}
