import type { Database } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';
import { historyTables, PARTS_LOCK, type HistoryTable } from './history-tables.js';
import { dropChunks, hasHypertables } from './timescale.js';

const MONTH = /_(\d{4})_(\d\d)$/;

/** `2026_11`, in UTC. */
export function monthOf(timeNs: bigint): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 7).replace('-', '_');
}

/** The first moment of the month after, milliseconds since the Unix epoch. */
function endOf(year: number, month: number): number {
  return Date.UTC(year, month, 1);
}

/**
 * How full the pages of a table become, percent. A roll-up changes with every batch that has samples of its time: where
 * its page has room for the next form of the row, the index stays as it is.
 */
const fillFactors: Readonly<Record<HistoryTable, number>> = {
  samples: 100,
  samples_1s: 70,
  samples_1min: 50,
  samples_1h: 50,
};

/** Creates a month of every table, unless TimescaleDB makes chunks. Idempotent, also if several processes do it at once. */
export async function createMonth(database: Database, month: string): Promise<void> {
  const [year, number] = month.split('_').map(Number) as [number, number];
  const from = new Date(Date.UTC(year, number - 1, 1)).toISOString();
  const to = new Date(endOf(year, number)).toISOString();
  await database.transaction(async ({ query }) => {
    await query('SELECT pg_advisory_xact_lock($1)', [PARTS_LOCK]);
    if (await hasHypertables({ query })) return;
    for (const table of historyTables) {
      await query(
        `CREATE TABLE IF NOT EXISTS ${table}_${month} PARTITION OF ${table} FOR VALUES FROM ('${from}') TO ('${to}') ` +
          `WITH (fillfactor = ${fillFactors[table]})`,
      );
    }
  });
}

/** Removes the months or chunks of a table that ended before a time. Returns their names. */
export async function dropMonths(
  database: Database,
  table: HistoryTable,
  beforeNs: bigint,
): Promise<readonly string[]> {
  return database.transaction(async ({ query }) => {
    await query('SELECT pg_advisory_xact_lock($1)', [PARTS_LOCK]);
    if (await hasHypertables({ query })) return dropChunks({ query }, table, writeTimestamp(beforeNs));
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
