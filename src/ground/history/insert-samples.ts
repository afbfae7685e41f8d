import type { Queries } from '../database/database.js';
import { isUniqueViolation } from '../database/unique-violation.js';
import type { SampleRows } from './sample-rows.js';

/** Adds the groups of a batch to those of a table. */
const merge = (table: string, groups: string): string => `
  INSERT INTO ${table} AS r (field, at, count, min, max, sum, sum_sin, sum_cos, last, last_at)
  SELECT field, at, count, min, max, sum, sum_sin, sum_cos, last, last_at FROM ${groups}
  ON CONFLICT (field, at) DO UPDATE SET
    count = r.count + excluded.count,
    min = least(r.min, excluded.min),
    max = greatest(r.max, excluded.max),
    sum = r.sum + excluded.sum,
    sum_sin = r.sum_sin + excluded.sum_sin,
    sum_cos = r.sum_cos + excluded.sum_cos,
    last = CASE WHEN excluded.last_at >= r.last_at THEN excluded.last ELSE r.last END,
    last_at = greatest(r.last_at, excluded.last_at)`;

/** The value with the latest time. Sorting the values of each group would take longer than adding them up. */
const lastOf = (value: string, at: string): string => `(max(ARRAY[date_part('epoch', ${at}), ${value}]))[2]`;

/** Seconds of samples with their fields. */
export const secondsOf = (samples: string, where = ''): string => `
  SELECT n.field, date_trunc('second', n.at) AS at, count(*)::integer AS count, min(value) AS min,
    max(value) AS max, sum(value) AS sum,
    sum(CASE WHEN turn > 0 THEN sind(value / turn * 360) ELSE 0 END) AS sum_sin,
    sum(CASE WHEN turn > 0 THEN cosd(value / turn * 360) ELSE 0 END) AS sum_cos,
    ${lastOf('value', 'n.at')} AS last, max(n.at) AS last_at
  FROM ${samples} n JOIN fields f ON f.id = n.field WHERE value IS NOT NULL ${where} GROUP BY 1, 2 ORDER BY 1, 2`;

/** Minutes follow from seconds, and hours from minutes: far fewer rows than the samples. */
export const coarser = (groups: string, unit: string, where = ''): string => `
  SELECT field, date_trunc('${unit}', at) AS at, sum(count)::integer AS count, min(min) AS min, max(max) AS max,
    sum(sum) AS sum, sum(sum_sin) AS sum_sin, sum(sum_cos) AS sum_cos,
    ${lastOf('last', 'last_at')} AS last, max(last_at) AS last_at
  FROM ${groups} ${where} GROUP BY 1, 2 ORDER BY 1, 2`;

/**
 * Only a row that is new counts in the roll-ups, so a batch that comes twice changes nothing. The ground does not store
 * again what a request deleted. Rows are in the order of the index: a batch of a large fleet has several ticks of each
 * field, and would otherwise visit each page of the index several times, more pages than the server keeps in memory.
 */
const insertion = (onConflict: string): string => `
WITH come AS MATERIALIZED (
  SELECT * FROM unnest($1::integer[], $2::timestamptz[], $3::integer[], $4::integer[], $5::double precision[])
    AS u (field, at, run, tick, value)
), deleted AS MATERIALIZED (
  SELECT f.id AS field, d.first_at, d.last_at FROM deleted_times d JOIN fields f ON f.robot = d.robot
  WHERE d.last_at >= (SELECT min(at) FROM come) AND (d.topics IS NULL OR f.topic LIKE ANY (d.topics))
), new AS (
  INSERT INTO samples (field, at, run, tick, value)
  SELECT * FROM come c WHERE NOT EXISTS (
    SELECT FROM deleted d WHERE d.field = c.field AND c.at >= d.first_at AND c.at <= d.last_at)
  ORDER BY 1, 2
  ${onConflict} RETURNING field, at, value
), seconds AS (${secondsOf('new')}
), minutes AS (${coarser('seconds', 'minute')}
), hours AS (${coarser('minutes', 'hour')}
), merged_seconds AS (${merge('samples_1s', 'seconds')}
), merged_minutes AS (${merge('samples_1min', 'minutes')}
), merged_hours AS (${merge('samples_1h', 'hours')}
) SELECT count(*) AS stored FROM new`;

const INSERT_NEW = insertion('');
const INSERT_OR_SKIP = insertion('ON CONFLICT DO NOTHING');

/** Stores rows and rolls them up, in one statement. Returns how many were new. */
export async function insertSamples(queries: Queries, rows: SampleRows): Promise<number> {
  return insert(queries, rows, INSERT_OR_SKIP);
}

/**
 * As {@link insertSamples}, for rows that are probably all new. To look for each row first takes a third of the time
 * of the database, so this looks only if a row is not new: then it stores the batch a second time. Not for a
 * transaction, which a failed statement ends.
 */
export async function insertNewSamples(queries: Queries, rows: SampleRows): Promise<number> {
  try {
    return await insert(queries, rows, INSERT_NEW);
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    return insertSamples(queries, rows);
  }
}

async function insert(queries: Queries, rows: SampleRows, statement: string): Promise<number> {
  if (rows.count === 0) return 0;
  const [row] = await queries.query<{ stored: number }>(statement, rows.columns());
  return row?.stored ?? 0;
}
