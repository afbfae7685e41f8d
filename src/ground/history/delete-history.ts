import type { Database, Queries } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';
import { coarser, secondsOf } from './insert-samples.js';

/** What is deleted: what a robot said in a time. */
export interface HistoryDeletion {
  readonly robot: string;
  /** Inclusive, nanoseconds since the Unix epoch, on the clock of the robot. Times are kept in microseconds. */
  readonly from: bigint;
  readonly to: bigint;
  /** `*` stands for any text; absent: all topics. */
  readonly topics?: readonly string[];
  /** Id of the plan. */
  readonly plan: string;
  readonly who: string;
  readonly reason: string;
}

/** Patterns of LIKE for names in which `*` stands for any text. */
export function likePatterns(topics: readonly string[] | undefined): string[] | null {
  return (
    topics?.map((topic) => topic.replace(/[\\%_]/g, (special) => `\\${special}`).replaceAll('*', '%')) ?? null
  );
}

const NS_PER_US = 1_000n;

/** Robot, patterns of topics and the times, rounded outwards to microseconds: the values of statements. */
export function valuesOf({ robot, from, to, topics }: HistoryDeletion): readonly unknown[] {
  const [first, last] = [from - (from % NS_PER_US), to + ((NS_PER_US - (to % NS_PER_US)) % NS_PER_US)];
  return [robot, likePatterns(topics), writeTimestamp(first), writeTimestamp(last)];
}

const FIELDS =
  'SELECT id FROM fields WHERE robot = $1::text AND ($2::text[] IS NULL OR topic LIKE ANY ($2::text[]))';

/** Samples that the request names. */
export async function countSamples(queries: Queries, deletion: HistoryDeletion): Promise<number> {
  const [row] = await queries.query<{ count: number }>(
    `SELECT count(*) AS count FROM samples
     WHERE field IN (${FIELDS}) AND at >= $3::timestamptz AND at <= $4::timestamptz`,
    valuesOf(deletion),
  );
  return row?.count ?? 0;
}

/**
 * Writes down that the time is deleted. From then on no process stores a sample of it: one that was being stored is
 * durable when this resolves. Idempotent.
 */
export async function noteDeletion(
  database: Database,
  deletion: HistoryDeletion,
  nowNs: bigint,
): Promise<void> {
  const { plan, who, reason } = deletion;
  await database.transaction(async ({ query }) => {
    // Statements that store samples read the table, so this waits for them.
    await query('LOCK TABLE deleted_times IN ACCESS EXCLUSIVE MODE');
    await query(
      `INSERT INTO deleted_times (robot, topics, first_at, last_at, plan, who, reason, deleted_at)
       VALUES ($1::text, $2::text[], $3::timestamptz, $4::timestamptz, $5, $6, $7, $8::timestamptz)
       ON CONFLICT DO NOTHING`,
      [...valuesOf(deletion), plan, who, reason, writeTimestamp(nowNs)],
    );
  });
}

/**
 * Removes the samples, and makes the roll-ups at both ends again from what is left; if samples of that age are no longer
 * kept, the roll-ups at the ends go too. The caller makes it one transaction. Returns the number of samples.
 */
export async function deleteSamples({ query }: Queries, deletion: HistoryDeletion): Promise<number> {
  const values = valuesOf(deletion);
  const [row] = await query<{ count: number }>(
    `WITH gone AS (DELETE FROM samples WHERE field IN (${FIELDS})
         AND at >= $3::timestamptz AND at <= $4::timestamptz RETURNING 1)
       SELECT count(*) AS count FROM gone`,
    values,
  );
  await rollUpAgain({ query }, values, 'samples_1s', 'second', secondsOf);
  await rollUpAgain({ query }, values, 'samples_1min', 'minute', (_samples, where) =>
    coarser('samples_1s', 'minute', `WHERE true ${where}`),
  );
  await rollUpAgain({ query }, values, 'samples_1h', 'hour', (_samples, where) =>
    coarser('samples_1min', 'hour', `WHERE true ${where}`),
  );
  return row?.count ?? 0;
}

async function rollUpAgain(
  { query }: Queries,
  values: readonly unknown[],
  table: string,
  unit: string,
  groups: (samples: string, where: string) => string,
): Promise<void> {
  const begin = `date_trunc('${unit}', $3::timestamptz)`;
  const end = `date_trunc('${unit}', $4::timestamptz) + interval '1 ${unit}'`;
  const inside = `AND field IN (${FIELDS}) AND at >= ${begin} AND at < ${end}`;
  await query(`DELETE FROM ${table} WHERE true ${inside}`, values);
  await query(
    `INSERT INTO ${table} (field, at, count, min, max, sum, sum_sin, sum_cos, last, last_at) ${groups('samples', inside)}`,
    values,
  );
}
