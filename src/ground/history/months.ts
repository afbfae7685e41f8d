import type { Database } from '../database/database.js';

/** Every table that has months. */
export const historyTables = ['samples', 'samples_1s', 'samples_1min', 'samples_1h'] as const;
export type HistoryTable = (typeof historyTables)[number];

/** Creating and dropping months of several processes wait for each other on it. */
const LOCK = 7_046_029_255;
const MONTH = /_(\d{4})_(\d\d)$/;

/** `2026_11`, in UTC. */
export function monthOf(timeNs: bigint): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 7).replace('-', '_');
}

/** The first moment of the month after, milliseconds since the Unix epoch. */
function endOf(year: number, month: number): number {
  return Date.UTC(year, month, 1);
}

/** Creates a month of every table. Idempotent, also if several processes do it at once. */
export async function createMonth(database: Database, month: string): Promise<void> {
  const [year, number] = month.split('_').map(Number) as [number, number];
  const from = new Date(Date.UTC(year, number - 1, 1)).toISOString();
  const to = new Date(endOf(year, number)).toISOString();
  await database.transaction(async ({ query }) => {
    await query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    for (const table of historyTables) {
      await query(
        `CREATE TABLE IF NOT EXISTS ${table}_${month} PARTITION OF ${table} FOR VALUES FROM ('${from}') TO ('${to}')`,
      );
    }
  });
}

/** Removes the months of a table that ended before a time. Returns their names. */
export async function dropMonths(
  database: Database,
  table: HistoryTable,
  beforeNs: bigint,
): Promise<readonly string[]> {
  return database.transaction(async ({ query }) => {
    await query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    const found = await query<{ name: string }>(
      'SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid ' +
        'WHERE i.inhparent = $1::regclass ORDER BY 1',
      [table],
    );
    const old = found.filter(({ name }) => {
      const match = MONTH.exec(name);
      return match !== null && endOf(Number(match[1]), Number(match[2])) <= Number(beforeNs / 1_000_000n);
    });
    for (const { name } of old) await query(`DROP TABLE ${name}`);
    return old.map(({ name }) => name);
  });
}
