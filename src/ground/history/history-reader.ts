import type { Queries } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';
import type { HistoryTable } from './months.js';

/** Every sample, or what a time rolls up to. */
export type Resolution = 'samples' | '1s' | '1min' | '1h';

export const resolutions: readonly Resolution[] = ['samples', '1s', '1min', '1h'];

export interface HistoryQuestion {
  /** Its name or VIN. */
  readonly robot: string;
  readonly topic: string;
  readonly path: string;
  /** On the robot's clock; from is included, to is not. */
  readonly fromNs: bigint;
  readonly toNs: bigint;
  /** Undefined: the finest one with at most {@link MAX_POINTS} points. */
  readonly resolution: Resolution | undefined;
}

/** A sample, or several of them. */
export interface HistoryPoint {
  /** Of the sample, or the beginning of the second, minute or hour. */
  readonly atNs: bigint;
  /** The sample, or the last one; null: the robot had no value. */
  readonly value: number | null;
  /** Only of roll-ups. */
  readonly min?: number;
  readonly max?: number;
  /** Of circular fields the mean direction. */
  readonly mean?: number;
  readonly count?: number;
}

/** One field as it was sent with one threshold. */
export interface HistorySeries {
  readonly unit: string;
  readonly threshold: number;
  /** Time between two samples; where they are further apart, nothing is known. */
  readonly periodNs: number;
  /** In the order of time. */
  readonly points: readonly HistoryPoint[];
}

export interface HistoryAnswer {
  readonly resolution: Resolution;
  /** One for each threshold that was in use. */
  readonly series: readonly HistorySeries[];
  /** There are more points than an answer has. */
  readonly truncated: boolean;
}

export const MAX_POINTS = 10_000;

const tables: Readonly<Record<Resolution, HistoryTable>> = {
  samples: 'samples',
  '1s': 'samples_1s',
  '1min': 'samples_1min',
  '1h': 'samples_1h',
};
const lengthsNs: Readonly<Record<Exclude<Resolution, 'samples'>, number>> = {
  '1s': 1e9,
  '1min': 60e9,
  '1h': 3_600e9,
};

interface FieldRow {
  readonly id: number;
  readonly unit: string;
  readonly threshold: number;
  readonly period_ns: number;
  readonly turn: number;
  readonly lowest: number;
}

interface RollUpRow {
  readonly at: bigint;
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly sum_sin: number;
  readonly sum_cos: number;
  readonly last: number;
}

/** Reads the history of one field. Rejects with the errors of {@link Queries}. */
export async function readHistory(queries: Queries, question: HistoryQuestion): Promise<HistoryAnswer> {
  const { robot, topic, path, fromNs, toNs } = question;
  const fields = await queries.query<FieldRow>(
    'SELECT id, unit, threshold, period_ns, turn, lowest FROM fields WHERE robot = ANY(robots_named($1)) AND topic = $2 AND path = $3 ORDER BY id',
    [robot, topic, path],
  );
  const resolution = question.resolution ?? finestFor(Number(toNs - fromNs), fields);
  const series: HistorySeries[] = [];
  let left = MAX_POINTS;
  for (const field of fields) {
    const points = await readPoints(queries, field, question, resolution, left + 1);
    if (points.length === 0) continue;
    const { unit, threshold, period_ns: periodNs } = field;
    series.push({ unit, threshold, periodNs, points: points.slice(0, left) });
    left -= points.length;
    if (left < 0) return { resolution, series, truncated: true };
  }
  return { resolution, series, truncated: false };
}

function finestFor(lengthNs: number, fields: readonly FieldRow[]): Resolution {
  const periodNs = Math.min(...fields.map((one) => one.period_ns));
  if (lengthNs / periodNs <= MAX_POINTS) return 'samples';
  if (lengthNs / lengthsNs['1s'] <= MAX_POINTS) return '1s';
  return lengthNs / lengthsNs['1min'] <= MAX_POINTS ? '1min' : '1h';
}

async function readPoints(
  queries: Queries,
  field: FieldRow,
  { fromNs, toNs }: HistoryQuestion,
  resolution: Resolution,
  limit: number,
): Promise<readonly HistoryPoint[]> {
  const columns = resolution === 'samples' ? 'at, value' : 'at, count, min, max, sum, sum_sin, sum_cos, last';
  const order = resolution === 'samples' ? 'at, run, tick' : 'at';
  const text =
    `SELECT ${columns} FROM ${tables[resolution]} WHERE field = $1 AND at >= $2 AND at < $3 ` +
    `ORDER BY ${order} LIMIT $4`;
  const values = [field.id, writeTimestamp(fromNs), writeTimestamp(toNs), limit];
  if (resolution === 'samples') {
    const rows = await queries.query<{ at: bigint; value: number | null }>(text, values);
    return rows.map(({ at, value }) => ({ atNs: at, value }));
  }
  const rows = await queries.query<RollUpRow>(text, values);
  return rows.map((row) => ({
    ...{ atNs: row.at, value: row.last, min: row.min, max: row.max, count: row.count },
    mean: meanOf(row, field),
  }));
}

function meanOf({ sum, sum_sin, sum_cos, count }: RollUpRow, { turn, lowest }: FieldRow): number {
  if (turn === 0) return sum / count;
  const angle = (Math.atan2(sum_sin, sum_cos) / (2 * Math.PI)) * turn;
  return angle - Math.floor((angle - lowest) / turn) * turn;
}
