import type { Database, Queries } from './database/database.js';
import {
  countSamples,
  deleteSamples,
  noteDeletion,
  valuesOf,
  type HistoryDeletion,
} from './history/delete-history.js';

/** Rows of the database of a ground. */
export interface DeletedRecords {
  /** Of the history; their roll-ups go with them. */
  readonly samples: number;
  /** Marked events in the catalogue. */
  readonly events: number;
  /** Recordings of which only the robot told, and recordings whose tags were removed. */
  readonly recordings: number;
}

/** Recordings of the robot that lie in the time as a whole; with topics, none: they have others too. */
const INSIDE = `
  robot = $1::text AND $2::text[] IS NULL AND first_at >= $3::timestamptz AND last_at <= $4::timestamptz`;
const EVENTS = `
  recording IN (SELECT recording FROM recordings WHERE robot = $1::text)
  AND $2::text[] IS NULL AND at >= $3::timestamptz AND at <= $4::timestamptz`;
/** Those that lie on the robot only, and those with tags. */
const TOLD = `${INSIDE} AND (state = 'local' OR tags <> '{}'::jsonb)`;

/** What the fleet's row has of the time. A position that an earlier version kept has no time: the last word counts. */
const POSITION_AT = `coalesce((position->>'at')::timestamptz, heard_at)`;
const REPORTED = `$2::text[] IS NULL AND reported_at >= $3::timestamptz AND reported_at <= $4::timestamptz`;
const CLEAR_FLEET = `
  UPDATE fleet SET
    position = CASE WHEN ${POSITION_AT} >= $3::timestamptz AND ${POSITION_AT} <= $4::timestamptz
      AND ($2::text[] IS NULL OR position->>'topic' LIKE ANY ($2::text[])) THEN NULL ELSE position END,
    status = CASE WHEN ${REPORTED} THEN NULL ELSE status END,
    alerts = CASE WHEN $2::text[] IS NOT NULL THEN alerts WHEN ${REPORTED} THEN '[]'::jsonb ELSE coalesce((
      SELECT jsonb_agg(one) FROM jsonb_array_elements(alerts) AS one
      WHERE to_timestamp((one->>'sinceMs')::float8 / 1000) NOT BETWEEN $3::timestamptz AND $4::timestamptz
    ), '[]'::jsonb) END
  WHERE robot = $1::text`;

/** The tables from which rows are removed. */
const CHANGED = 'fleet, samples, samples_1s, samples_1min, samples_1h, recording_events, recordings';

/**
 * Why no robot has this name: it is the VIN of robots. Undefined: it may be the name of a robot, also of one that the
 * ground does not know.
 */
export async function whyNoRobot(queries: Queries, given: string): Promise<string | undefined> {
  const [row] = await queries.query<{ robots: readonly string[] }>(
    `SELECT ARRAY(SELECT DISTINCT robot FROM vehicles WHERE vin = $1 AND robot <> $1 ORDER BY 1) AS robots
     WHERE NOT EXISTS (SELECT FROM fields WHERE robot = $1) AND NOT EXISTS (SELECT FROM recordings WHERE robot = $1)`,
    [given],
  );
  const robots = row?.robots ?? [];
  if (robots.length === 0) return undefined;
  return `${given} is the VIN of ${robots.join(' and ')}; give the name of one`;
}

/** What a deletion would remove. Changes nothing. */
export async function countRecords(queries: Queries, deletion: HistoryDeletion): Promise<DeletedRecords> {
  const values = valuesOf(deletion);
  const [events] = await queries.query<{ count: number }>(
    `SELECT count(*) AS count FROM recording_events WHERE ${EVENTS}`,
    values,
  );
  const [recordings] = await queries.query<{ count: number }>(
    `SELECT count(*) AS count FROM recordings WHERE ${TOLD}`,
    values,
  );
  return {
    samples: await countSamples(queries, deletion),
    events: events?.count ?? 0,
    recordings: recordings?.count ?? 0,
  };
}

/**
 * Removes what the ground keeps of a time of a robot: samples and their roll-ups, and without topics also marked events,
 * tags, and recordings that lie on the robot only. What lies in stores stays in the catalogue: it lists the tombstones.
 * From the first step on no sample of the time is stored again, wherever it comes from, and no event and recording that
 * the robot tells again. May be repeated: it returns what went in all attempts with this plan.
 *
 * @param onNoted - Called when the time is written down, before anything goes: what is in memory must go then.
 */
export async function deleteRecords(
  database: Database,
  deletion: HistoryDeletion,
  nowNs: bigint,
  onNoted?: () => Promise<void>,
): Promise<DeletedRecords> {
  await noteDeletion(database, deletion, nowNs);
  await onNoted?.();
  const values = valuesOf(deletion);
  const records = await database.transaction(async ({ query }) => {
    const samples = await deleteSamples({ query }, deletion);
    const count = async (text: string): Promise<number> =>
      (
        await query<{ count: number }>(
          `WITH gone AS (${text} RETURNING 1) SELECT count(*) AS count FROM gone`,
          values,
        )
      )[0]?.count ?? 0;
    const events = await count(`DELETE FROM recording_events WHERE ${EVENTS}`);
    const local = await count(`DELETE FROM recordings WHERE ${INSIDE} AND state = 'local'`);
    const tagged = await count(
      `UPDATE recordings SET tags = '{}'::jsonb WHERE ${INSIDE} AND tags <> '{}'::jsonb`,
    );
    await query(CLEAR_FLEET, values);
    const [all] = await query<DeletedRecords>(
      `UPDATE deleted_times SET samples = samples + $3, events = events + $4, recordings = recordings + $5
       WHERE plan = $1 AND first_at = $2::timestamptz RETURNING samples, events, recordings`,
      [deletion.plan, values[2], samples, events, local + tagged],
    );
    return all ?? { samples, events, recordings: local + tagged };
  });
  // The statistics of the planner have values of rows, also of removed ones.
  await database.query(`ANALYZE ${CHANGED}`);
  return records;
}
