import { formatTime, NS_PER_S } from '../../core/clock.js';
import type { FieldSpec } from '../../uplink/protocol/field-spec.js';
import type { RemovedSamples } from '../../uplink/protocol/outbox-codec.js';
import type { Database } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';

/** Consecutive ticks: from is included, to is not. */
export interface TickRange {
  readonly from: number;
  readonly to: number;
}

/** Samples of one run of a robot that its outbox no longer had. */
export interface Hole {
  readonly id: number;
  readonly robot: string;
  /** VIN of the vehicle that it was in; empty: unknown. */
  readonly vin: string;
  readonly run: bigint;
  readonly firstTick: number;
  /** Of the first tick, on the robot's clock. */
  readonly timeNs: bigint;
  readonly tickNs: number;
  readonly fields: readonly FieldSpec[];
  /** What is not settled, in the order of time. */
  readonly left: readonly TickRange[];
  readonly notedAt: bigint;
}

/** Open holes of one robot: a robot can make more only by a clock that jumps again and again. */
const MAX_OPEN = 2_000;
const MAX_TICK = 2 ** 31 - 1;
const MIN_WAIT_NS = 5n * NS_PER_S;
const MAX_WAIT_NS = 3_600n * NS_PER_S;

const NOTE = `
  INSERT INTO holes AS h (robot, vin, run, first_tick, ticks, at, tick_ns, fields, noted_at, look_at)
  SELECT $1::text, $10::text, $2::numeric, $3::integer, $4::integer, $5::timestamptz, $6::bigint, $7::jsonb,
    $8::timestamptz, $8::timestamptz
  WHERE (SELECT count(*) FROM holes WHERE robot = $1 AND state = 'open') < $9
  ON CONFLICT (robot, run, first_tick) DO UPDATE
    SET ticks = excluded.ticks, state = 'open', look_at = excluded.look_at
    WHERE excluded.ticks > h.ticks`;

const DUE = `
  SELECT id, robot, vin, run::text, first_tick, at, tick_ns, fields, noted_at, (
    SELECT coalesce(json_agg(json_build_object('from', lower(r), 'to', upper(r)) ORDER BY r), '[]')
    FROM unnest(int4multirange(int4range(first_tick, first_tick + ticks)) - settled) AS r) AS "left"
  FROM holes WHERE state = 'open' AND look_at <= $1 ORDER BY look_at, id LIMIT $2`;

const SETTLE = `
  UPDATE holes SET settled = settled + (
      SELECT coalesce(range_agg(int4range(f, t)), '{}') FROM unnest($2::integer[], $3::integer[]) AS s (f, t)),
    filled = filled + $4 WHERE id = $1`;

const PUT_OFF = `
  UPDATE holes SET look_at = $2,
    state = CASE WHEN settled @> int4range(first_tick, first_tick + ticks) THEN 'filled' ELSE $3 END
  WHERE id = $1`;

/** Holes of the history by their state, and what was filled in. */
export interface HoleCounts {
  readonly open: number;
  readonly filled: number;
  /** Their samples are older than samples are kept. */
  readonly lost: number;
  /** Values of single fields that came from segments. */
  readonly values: number;
}

/** A hole as people see it. */
export interface HoleView {
  /** ISO 8601, on the clock of the robot; `to` is not in it. */
  readonly from: string;
  readonly to: string;
  readonly state: 'open' | 'filled' | 'lost';
}

/** Holes that are shown of a robot, the newest. */
export const SHOWN_MAX = 200;

/** Before the first count. */
export const noHoles: HoleCounts = { open: 0, filled: 0, lost: 0, values: 0 };

const COUNTS = `
  SELECT count(*) FILTER (WHERE state = 'open')::integer AS open,
    count(*) FILTER (WHERE state = 'filled')::integer AS filled,
    count(*) FILTER (WHERE state = 'lost')::integer AS lost, coalesce(sum(filled), 0)::bigint AS "values"
  FROM holes`;

/** As `fields_named`: of a robot in all vehicles, or of a vehicle on all robots. */
const NAMED = `(robot = $1 OR ($1 <> '' AND (vin = $1 OR (vin = '' AND robot = ANY(robots_only_in($1))))))`;

/** The holes of the history that robots told, in the database. */
export class HoleBook {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Notes a hole, or that one has grown. Idempotent. Of a robot with too many it notes no more. */
  async note(robot: string, removed: RemovedSamples, nowNs: bigint): Promise<void> {
    const { run, catalogue, firstTick, timeNs } = removed;
    const ticks = Math.min(removed.ticks, MAX_TICK - firstTick);
    if (ticks < 1) return;
    const what = [robot, String(run), firstTick, ticks, writeTimestamp(timeNs), String(catalogue.tickNs)];
    const { fields, vin = '' } = catalogue;
    const values = [...what, JSON.stringify(fields), writeTimestamp(nowNs), MAX_OPEN, vin];
    await this.#database.query(NOTE, values);
  }

  /** Open holes that are to be looked at now, those that waited longest first. */
  async due(nowNs: bigint, limit: number): Promise<readonly Hole[]> {
    const rows = await this.#database.query<HoleRow>(DUE, [writeTimestamp(nowNs), limit]);
    return rows.map(({ run, first_tick, at, tick_ns, noted_at, ...rest }) => ({
      ...{ ...rest, run: BigInt(run), firstTick: first_tick, timeNs: at, tickNs: tick_ns, notedAt: noted_at },
    }));
  }

  /** Of all robots, or of one by its name, or of one vehicle by its VIN. */
  async counts(robot?: string): Promise<HoleCounts> {
    const [row] =
      robot === undefined
        ? await this.#database.query<HoleCounts>(COUNTS)
        : await this.#database.query<HoleCounts>(`${COUNTS} WHERE ${NAMED}`, [robot]);
    return row ?? noHoles;
  }

  /** The newest of a robot, or of a vehicle by its VIN, the oldest first. */
  async shown(robot: string): Promise<readonly HoleView[]> {
    const rows = await this.#database.query<{
      readonly at: bigint;
      readonly ticks: number;
      readonly tick_ns: number;
      readonly state: HoleView['state'];
    }>(`SELECT at, ticks, tick_ns, state FROM holes WHERE ${NAMED} ORDER BY at DESC LIMIT $2`, [
      ...[robot, SHOWN_MAX],
    ]);
    return [...rows].reverse().map(({ at, ticks, tick_ns: tickNs, state }) => ({
      ...{ from: formatTime(at), to: formatTime(at + BigInt(ticks) * BigInt(tickNs)), state },
    }));
  }

  /** These ticks are done: a second run leaves them out. */
  async settle(hole: Hole, ranges: readonly TickRange[], filled: number): Promise<void> {
    const [from, to] = [ranges.map((one) => one.from), ranges.map((one) => one.to)];
    await this.#database.query(SETTLE, [hole.id, from, to, filled]);
  }

  /** Ends a look: the hole is filled, or looked at again later, and less often as it grows old. */
  async lookedAt(hole: Hole, nowNs: bigint, isTooOld: boolean): Promise<void> {
    const age = (nowNs - hole.notedAt) / 4n;
    const wait = age < MIN_WAIT_NS ? MIN_WAIT_NS : age > MAX_WAIT_NS ? MAX_WAIT_NS : age;
    const values = [hole.id, writeTimestamp(nowNs + wait), isTooOld ? 'lost' : 'open'];
    await this.#database.query(PUT_OFF, values);
  }
}

interface HoleRow {
  readonly id: number;
  readonly robot: string;
  readonly vin: string;
  readonly run: string;
  readonly first_tick: number;
  readonly at: bigint;
  readonly tick_ns: number;
  readonly fields: readonly FieldSpec[];
  readonly left: readonly TickRange[];
  readonly noted_at: bigint;
}
