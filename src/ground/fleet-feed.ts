import { isDeepStrictEqual } from 'node:util';
import { NS_PER_MS, type Clock, type Timer } from '../core/clock.js';
import { FeedMembers, type FeedClient } from '../monitors/live/feed-members.js';
import type { FleetRow } from './fleet-row.js';

/** The whole fleet, for a page that is new or was too slow. */
export interface FleetHello {
  readonly type: 'hello';
  /** The ground's clock, milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly robots: readonly FleetRow[];
}

/** The members of each row that have changed, and the robots that are no longer there. */
export interface FleetUpdate {
  readonly type: 'update';
  readonly atMs: number;
  readonly robots: readonly (Pick<FleetRow, 'robot'> & Partial<FleetRow>)[];
  /** Names of robots that were revoked; absent: none. */
  readonly gone?: readonly string[];
}

/** A sample waits half of this on average: it is the largest part of the time from a sample to a page. */
const INTERVAL_MS = 500;

/** The state of the fleet for any number of pages: the changes twice per second, made once for all. */
export class FleetFeed implements Disposable {
  readonly #rows: () => readonly FleetRow[];
  readonly #clock: Clock;
  readonly #members = new FeedMembers();
  /** By robot, what was sent. */
  readonly #sent = new Map<string, FleetRow>();
  #timer: Timer | undefined;

  constructor(rows: () => readonly FleetRow[], clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  join(client: FeedClient): () => void {
    // Later changes are relative to its hello: all earlier ones are sent first.
    this.#tick();
    const leave = this.#members.add(client, this.#hello());
    this.#timer ??= this.#clock.every(INTERVAL_MS, () => this.#tick(), { background: true });
    return () => {
      leave();
      if (this.#members.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#members.clear();
  }

  #tick(): void {
    const rows = this.#rows();
    const robots = rows.flatMap((row) => this.#changes(row));
    const gone = this.#gone(rows);
    const update: FleetUpdate = {
      ...{ type: 'update', atMs: this.#nowMs(), robots },
      ...(gone.length > 0 ? { gone } : {}),
    };
    this.#members.send(JSON.stringify(update), () => this.#hello());
  }

  #changes(row: FleetRow): FleetUpdate['robots'] {
    const before = this.#sent.get(row.robot);
    this.#sent.set(row.robot, row);
    if (before === undefined) return [row];
    // A status is the same object until the next report, and is not compared until then.
    const changed = Object.entries(row).filter(
      ([name, value]) => !isDeepStrictEqual(before[name as keyof FleetRow], value),
    );
    return changed.length === 0 ? [] : [{ ...Object.fromEntries(changed), robot: row.robot }];
  }

  /** Each once. */
  #gone(rows: readonly FleetRow[]): readonly string[] {
    if (this.#sent.size === rows.length) return [];
    const names = new Set(rows.map(({ robot }) => robot));
    const gone = [...this.#sent.keys()].filter((robot) => !names.has(robot));
    for (const robot of gone) this.#sent.delete(robot);
    return gone;
  }

  #hello(): string {
    const hello: FleetHello = { type: 'hello', atMs: this.#nowMs(), robots: this.#rows() };
    return JSON.stringify(hello);
  }

  #nowMs(): number {
    return Number(this.#clock.now() / NS_PER_MS);
  }
}
