import type { Queries } from '../database/database.js';

/** Rows for the database, by column. */
export interface SampleColumns {
  readonly field: number[];
  readonly at: string[];
  readonly run: number[];
  readonly tick: number[];
  readonly value: (number | null)[];
}

const rollUp = (table: string, unit: string): string => `
  INSERT INTO ${table} AS r (field, at, count, min, max, sum, sum_sin, sum_cos, last, last_at)
  SELECT field, date_trunc('${unit}', at), count(*), min(value), max(value), sum(value),
    sum(CASE WHEN turn > 0 THEN sind(value / turn * 360) ELSE 0 END),
    sum(CASE WHEN turn > 0 THEN cosd(value / turn * 360) ELSE 0 END),
    (array_agg(value ORDER BY at DESC))[1], max(at)
  FROM known GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (field, at) DO UPDATE SET
    count = r.count + excluded.count,
    min = least(r.min, excluded.min),
    max = greatest(r.max, excluded.max),
    sum = r.sum + excluded.sum,
    sum_sin = r.sum_sin + excluded.sum_sin,
    sum_cos = r.sum_cos + excluded.sum_cos,
    last = CASE WHEN excluded.last_at >= r.last_at THEN excluded.last ELSE r.last END,
    last_at = greatest(r.last_at, excluded.last_at)`;

/** Only a row that is new counts in the roll-ups, so a batch that comes twice changes nothing. */
const INSERT = `
WITH new AS (
  INSERT INTO samples (field, at, run, tick, value)
  SELECT * FROM unnest($1::integer[], $2::timestamptz[], $3::integer[], $4::integer[], $5::double precision[])
  ON CONFLICT DO NOTHING RETURNING field, at, value
), known AS (
  SELECT n.field, n.at, n.value, f.turn FROM new n JOIN fields f ON f.id = n.field WHERE n.value IS NOT NULL
), seconds AS (${rollUp('samples_1s', 'second')}
), minutes AS (${rollUp('samples_1min', 'minute')}
), hours AS (${rollUp('samples_1h', 'hour')}
) SELECT count(*) AS stored FROM new`;

/** Stores rows and rolls them up, in one statement. Returns how many were new. */
export async function insertSamples(queries: Queries, rows: SampleColumns): Promise<number> {
  const { field, at, run, tick } = rows;
  const value = rows.value.map((one) => one ?? 'NULL');
  const values = [field, at, run, tick, value].map(arrayOf);
  const [row] = await queries.query<{ stored: number }>(INSERT, values);
  return row?.stored ?? 0;
}

/** An array as PostgreSQL reads it. Numbers, times and NULL need no quotes, which would cost more than the rest. */
function arrayOf(elements: readonly (number | string)[]): string {
  return `{${elements.join(',')}}`;
}
