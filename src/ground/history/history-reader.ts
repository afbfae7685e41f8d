import type { Queries } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';
import type { HistoryTable } from './history-tables.js';

/** Every sample, or what a time rolls up to. */
export type Resolution = 'samples' | '1s' | '1min' | '1h';

export const resolutions: readonly Resolution[] = ['samples', '1s', '1min', '1h'];

export interface HistoryQuestion {
  /** Its name, for all vehicles that it was in, or a VIN, for that vehicle alone. */
  readonly robot: string;
  readonly topic: string;
  readonly path: string;
  /** On the robot's clock; from is included, to is not. */
  readonly fromNs: bigint;
  readonly toNs: bigint;
  /** Undefined: the finest one that fits. */
  readonly resolution: Resolution | undefined;
  /** Without `resolution`: roll-ups are put together until a series has about so many points at most. */
  readonly points?: number;
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
  /** One turn of a circular field; 0: it is not circular. */
  readonly turn: number;
  /** Time between two samples; where they are further apart, nothing is known. */
  readonly periodNs: number;
  /** In the order of time. */
  readonly points: readonly HistoryPoint[];
}

export interface HistoryAnswer {
  readonly resolution: Resolution;
  /** Time that a point stands for; 0: a sample. */
  readonly stepNs: number;
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
const lengthsNs: Readonly<Record<Resolution, number>> = {
  samples: 0,
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
  const { robot, topic, path } = question;
  const fields = await queries.query<FieldRow>(
    'SELECT id, unit, threshold, period_ns, turn, lowest FROM fields_named($1) WHERE topic = $2 AND path = $3 ORDER BY id',
    [robot, topic, path],
  );
  const plan = planOf(question, fields);
  const { resolution, stepNs } = plan;
  const series: HistorySeries[] = [];
  let left = MAX_POINTS;
  for (const field of fields) {
    const points = await readPoints(queries, field, question, plan, left + 1);
    if (points.length === 0) continue;
    const { unit, threshold, turn, period_ns: periodNs } = field;
    series.push({ unit, threshold, turn, periodNs, points: points.slice(0, left) });
    left -= points.length;
    if (left < 0) return { resolution, stepNs, series, truncated: true };
  }
  return { resolution, stepNs, series, truncated: false };
}

interface Plan {
  readonly resolution: Resolution;
  readonly stepNs: number;
}

function planOf({ resolution, points, fromNs, toNs }: HistoryQuestion, fields: readonly FieldRow[]): Plan {
  if (resolution !== undefined) return { resolution, stepNs: lengthsNs[resolution] };
  const lengthNs = Number(toNs - fromNs);
  const periodNs = Math.min(...fields.map((one) => one.period_ns));
  if (lengthNs / periodNs <= (points ?? MAX_POINTS)) return { resolution: 'samples', stepNs: 0 };
  const wantedNs = lengthNs / (points ?? MAX_POINTS);
  const rollUps = points === undefined ? coarserThan(wantedNs) : finerThan(wantedNs);
  const ownNs = lengthsNs[rollUps];
  return { resolution: rollUps, stepNs: points === undefined ? ownNs : Math.ceil(wantedNs / ownNs) * ownNs };
}

/** The roll-ups with at most the wanted points. */
function coarserThan(wantedNs: number): Resolution {
  return resolutions.find((one) => one !== 'samples' && lengthsNs[one] >= wantedNs) ?? '1h';
}

/** The roll-ups of which several make a wanted point. */
function finerThan(wantedNs: number): Resolution {
  const finer = resolutions.filter((one) => one !== 'samples' && lengthsNs[one] <= wantedNs);
  return finer.at(-1) ?? '1s';
}

async function readPoints(
  queries: Queries,
  field: FieldRow,
  { fromNs, toNs }: HistoryQuestion,
  { resolution, stepNs }: Plan,
  limit: number,
): Promise<readonly HistoryPoint[]> {
  const values = [field.id, writeTimestamp(fromNs), writeTimestamp(toNs), limit];
  const part = `FROM ${tables[resolution]} samples WHERE field = $1 AND samples.at >= $2 AND samples.at < $3`;
  if (resolution === 'samples') {
    const rows = await queries.query<{ at: bigint; value: number | null }>(
      `SELECT at, value ${part} ORDER BY at, run, tick LIMIT $4`,
      values,
    );
    return rows.map(({ at, value }) => ({ atNs: at, value }));
  }
  const columns =
    stepNs === lengthsNs[resolution]
      ? `at, count, min, max, sum, sum_sin, sum_cos, last ${part} ORDER BY at`
      : `${together(stepNs)} ${part} GROUP BY 1 ORDER BY 1`;
  const rows = await queries.query<RollUpRow>(`SELECT ${columns} LIMIT $4`, values);
  return rows.map((row) => ({
    ...{ atNs: row.at, value: row.last, min: row.min, max: row.max, count: row.count },
    mean: meanOf(row, field),
  }));
}

/** Several roll-ups as one. They begin at round times, so that the next question has the same ones. */
function together(stepNs: number): string {
  return `date_bin('${stepNs / 1e9} s', samples.at, 'epoch') AS at, sum(count) AS count, min(min) AS min,
    max(max) AS max, sum(sum) AS sum, sum(sum_sin) AS sum_sin, sum(sum_cos) AS sum_cos,
    (array_agg(last ORDER BY samples.at DESC))[1] AS last`;
}

function meanOf({ sum, sum_sin, sum_cos, count }: RollUpRow, { turn, lowest }: FieldRow): number {
  if (turn === 0) return sum / count;
  const angle = (Math.atan2(sum_sin, sum_cos) / (2 * Math.PI)) * turn;
  return angle - Math.floor((angle - lowest) / turn) * turn;
}
