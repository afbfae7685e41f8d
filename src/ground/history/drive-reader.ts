import { NS_PER_S } from '../../core/clock.js';
import type { Queries } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';
import { driveFieldsOf, isVehicle, type DriveFields, type DriveRole } from './drive-fields.js';
import type { HistoryTable } from './history-tables.js';

/** What a vehicle did in a time. Times are on its clock. */
export interface Drive {
  /** From which fields. */
  readonly fields: DriveFields;
  /** Null: the history does not have it. */
  readonly distance: DriveDistance | null;
  readonly speed: { readonly maxMps: number; readonly movingS: number } | null;
  readonly energy: DriveEnergy | null;
  /** Net energy per distance; null: less than {@link LEAST_METRES}. */
  readonly whPerKm: number | null;
  /** Percent: the first, the last and the lowest value. */
  readonly battery: { readonly first: number; readonly last: number; readonly least: number } | null;
  /** Of at most {@link MAX_STEPS} steps what is known, in the order of time. */
  readonly steps: readonly DriveStep[];
  readonly stepS: number;
}

export interface DriveDistance {
  readonly metres: number;
  /** The true distance is at most so far away from it. */
  readonly withinMetres: number;
  readonly by: 'odometer' | 'speed';
  /** Seconds of the time that are known. */
  readonly knownS: number;
}

export interface DriveEnergy {
  /** Taken from the battery, less what came back. */
  readonly netKwh: number;
  readonly regainedKwh: number;
  readonly knownS: number;
}

export interface DriveStep {
  readonly atNs: bigint;
  /** Driven since the beginning; null: the step knows no distance. */
  readonly metres: number | null;
  readonly netKwh: number | null;
}

export interface DriveQuestion {
  /** Its name, for all vehicles that it was in, or a VIN, for that vehicle alone. */
  readonly robot: string;
  /** From is included, to is not. */
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

/** A shorter distance says nothing about the efficiency. */
export const LEAST_METRES = 200;
export const MAX_STEPS = 300;
const DAY_NS = 86_400n * NS_PER_S;
/** Longer times are read from minutes and hours, so that a query reads at most about 100,000 rows of a field. */
const tableUpTo: readonly (readonly [bigint, HistoryTable, number])[] = [
  [DAY_NS, 'samples_1s', 1],
  [60n * DAY_NS, 'samples_1min', 60],
];
const hours = ['samples_1h', 3_600] as const;

/**
 * Sums of the roll-ups by step. The sums of all roll-ups are those of the samples, so a sum times the period is the
 * integral, whatever the resolution. A speed within its threshold of zero counts as standing.
 */
const SUMS = (table: HistoryTable): string => `
  SELECT f.topic, f.path, f.unit, f.threshold, f.period_ns AS "periodNs",
    date_bin(make_interval(secs => $2), r.at, $3::timestamptz) AS at,
    sum(r.count)::float8 AS count,
    sum(CASE WHEN greatest(abs(r.min), abs(r.max)) <= f.threshold THEN 0 ELSE r.count END)::float8 AS moving,
    sum(CASE WHEN greatest(abs(r.min), abs(r.max)) <= f.threshold THEN 0 ELSE abs(r.sum) END) AS moved,
    sum(r.sum) AS sum, sum(least(r.sum, 0)) AS negative,
    min(r.min) AS min, max(greatest(abs(r.min), abs(r.max))) AS furthest,
    (array_agg(r.last ORDER BY r.at))[1] AS first, (array_agg(r.last ORDER BY r.at DESC))[1] AS last
  FROM fields f JOIN ${table} r ON r.field = f.id
  WHERE f.id = ANY($1) AND r.at >= $3 AND r.at < $4
  GROUP BY f.id, 6 ORDER BY 6, f.id`;

interface SumRow {
  readonly topic: string;
  readonly path: string;
  readonly unit: string;
  readonly threshold: number;
  readonly periodNs: number;
  readonly at: bigint;
  readonly count: number;
  readonly moving: number;
  readonly moved: number;
  readonly sum: number;
  readonly negative: number;
  readonly min: number;
  readonly furthest: number;
  readonly first: number;
  readonly last: number;
}

/** Reads what a vehicle did. Undefined: the history has no fields of a vehicle. Rejects as {@link Queries}. */
export async function readDrive(queries: Queries, question: DriveQuestion): Promise<Drive | undefined> {
  const { robot, fromNs, toNs } = question;
  const known = await queries.query<{ id: number; topic: string; path: string; unit: string }>(
    'SELECT id, topic, path, unit FROM fields_named($1) ORDER BY topic, path, id',
    [robot],
  );
  const fields = driveFieldsOf(known);
  if (!isVehicle(fields)) return undefined;
  const wanted = known.filter((one) => roleOf(fields, one) !== undefined).map(({ id }) => id);
  const lengthNs = toNs - fromNs;
  const [table, leastS] = tableUpTo.find(([most]) => lengthNs <= most)?.slice(1) ?? hours;
  const stepS = Math.max(Number(leastS), Math.ceil(Number(lengthNs / NS_PER_S) / MAX_STEPS));
  const rows = await queries.query<SumRow>(SUMS(table as HistoryTable), [
    ...[wanted, stepS, writeTimestamp(fromNs), writeTimestamp(toNs)],
  ]);
  return driveOf(fields, rows, stepS);
}

function roleOf(fields: DriveFields, { topic, path, unit }: Pick<SumRow, 'topic' | 'path' | 'unit'>) {
  const found = Object.entries(fields).find(
    ([, one]) => one.topic === topic && one.path === path && one.unit === unit,
  );
  return found?.[0] as DriveRole | undefined;
}

function driveOf(fields: DriveFields, rows: readonly SumRow[], stepS: number): Drive {
  const of = (role: DriveRole): readonly SumRow[] => rows.filter((row) => roleOf(fields, row) === role);
  const [speed, power, battery] = [of('speed'), of('power'), of('battery')];
  const distance = byOdometer(of('odometer'), fields) ?? bySpeed(speed, fields);
  const energy = energyOf(power, fields);
  const isFar = distance !== null && distance.metres >= LEAST_METRES;
  return {
    ...{ fields, distance, energy, stepS },
    speed: speedOf(speed, fields),
    whPerKm: isFar && energy !== null ? (energy.netKwh * 1e6) / distance.metres : null,
    battery: batteryOf(battery),
    steps: stepsOf(fields, rows),
  };
}

const seconds = ({ periodNs }: SumRow, samples: number): number => (samples * periodNs) / 1e9;
const total = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);

function metresOf(row: SumRow, factor: number): number {
  return seconds(row, row.moved) * factor;
}

function bySpeed(rows: readonly SumRow[], { speed }: DriveFields): DriveDistance | null {
  if (rows.length === 0 || speed === undefined) return null;
  return {
    metres: total(rows.map((row) => metresOf(row, speed.factor))),
    // What counts as standing may have gone at twice the threshold.
    withinMetres: total(
      rows.map((row) => seconds(row, 2 * row.count - row.moving) * row.threshold * speed.factor),
    ),
    by: 'speed',
    knownS: total(rows.map((row) => seconds(row, row.count))),
  };
}

/** Null: the robot sends no odometer, or it was set back. */
function byOdometer(rows: readonly SumRow[], { odometer }: DriveFields): DriveDistance | null {
  const [first, last] = [rows[0], rows.at(-1)];
  if (odometer === undefined || first === undefined || last === undefined) return null;
  if (rows.some((row, index) => row.min < (rows[index - 1]?.min ?? -Infinity) - row.threshold)) return null;
  return {
    metres: Math.max(0, last.last - first.min) * odometer.factor,
    withinMetres: (last.threshold + first.threshold) * odometer.factor,
    by: 'odometer',
    knownS: total(rows.map((row) => seconds(row, row.count))),
  };
}

function speedOf(rows: readonly SumRow[], { speed }: DriveFields): Drive['speed'] {
  if (rows.length === 0 || speed === undefined) return null;
  return {
    maxMps: Math.max(...rows.map(({ furthest }) => furthest)) * speed.factor,
    movingS: total(rows.map((row) => seconds(row, row.moving))),
  };
}

function kwhOf(row: SumRow, samples: number, factor: number): number {
  return (seconds(row, samples) * factor) / 3_600;
}

function energyOf(rows: readonly SumRow[], { power }: DriveFields): DriveEnergy | null {
  if (rows.length === 0 || power === undefined) return null;
  return {
    netKwh: total(rows.map((row) => kwhOf(row, row.sum, power.factor))),
    regainedKwh: -total(rows.map((row) => kwhOf(row, row.negative, power.factor))),
    knownS: total(rows.map((row) => seconds(row, row.count))),
  };
}

function batteryOf(rows: readonly SumRow[]): Drive['battery'] {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return null;
  return { first: first.first, last: last.last, least: Math.min(...rows.map(({ min }) => min)) };
}

/** The distance of the steps is always that of the speed: an odometer may count whole kilometres. */
function stepsOf(fields: DriveFields, rows: readonly SumRow[]): readonly DriveStep[] {
  const { speed, power } = fields;
  const steps = new Map<bigint, { metres: number | null; netKwh: number | null }>();
  let metres = 0;
  for (const row of rows) {
    const role = roleOf(fields, row);
    if (role !== 'speed' && role !== 'power') continue;
    const step = steps.get(row.at) ?? { metres: null, netKwh: null };
    if (role === 'speed') step.metres = metres += metresOf(row, speed?.factor ?? 1);
    else step.netKwh = (step.netKwh ?? 0) + kwhOf(row, row.sum, power?.factor ?? 1);
    steps.set(row.at, step);
  }
  return [...steps].map(([atNs, step]) => ({ atNs, ...step }));
}
