import type { Logger } from '../../core/logger.js';
import type { Database, Queries } from '../database/database.js';
import { historyTables, PARTS_LOCK, type HistoryTable } from './history-tables.js';
import type { TimescaleChoice } from './timescale-choice.js';

/** How a table is kept by TimescaleDB. */
interface HypertablePlan {
  /** Time that a chunk covers: what is removed at once. */
  readonly chunk: string;
  /** Chunks that are so old are compressed. Outages of a few days are over by then. */
  readonly compressAfter: string;
  /** Order within a compressed field. */
  readonly orderBy: string;
}

const rollUp = { orderBy: 'at' } as const;
const plans: Readonly<Record<HistoryTable, HypertablePlan>> = {
  samples: { chunk: '1 day', compressAfter: '7 days', orderBy: 'at, run, tick' },
  samples_1s: { ...rollUp, chunk: '7 days', compressAfter: '14 days' },
  samples_1min: { ...rollUp, chunk: '30 days', compressAfter: '60 days' },
  samples_1h: { ...rollUp, chunk: '365 days', compressAfter: '730 days' },
};

/** The extension in a database. */
interface Extension {
  readonly version: string;
  /** Where its functions are, as an SQL identifier. */
  readonly schema: string;
  /** `timescale`: the community licence, with compression. `apache`: without. */
  readonly license: string | null;
}

/**
 * The first version that stores every new row of `INSERT ... ON CONFLICT DO NOTHING` in a compressed chunk. Earlier ones
 * leave out all rows of the statement after the first that is there already, and report no error.
 */
const COMPRESSION_FROM = [2, 18, 1] as const;

/** Whether chunks of this extension may be compressed: its licence has it, and no late sample is lost. */
export function canCompress({ version, license }: Omit<Extension, 'schema'>): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  const differs = COMPRESSION_FROM.findIndex((part, index) => (parts[index] ?? 0) !== part);
  const isNew = differs < 0 || (parts[differs] ?? 0) > (COMPRESSION_FROM[differs] ?? 0);
  return license === 'timescale' && isNew;
}

/**
 * Makes hypertables of the tables of the history, if the database has TimescaleDB and has no month yet. Tables that
 * have months stay as they are. Idempotent, also if several processes do it at once. Rejects as {@link Queries}.
 */
export async function prepareTimescale(
  database: Database,
  choice: TimescaleChoice,
  logger: Logger,
): Promise<void> {
  if (choice === 'never') return;
  const extension = await findExtension(database);
  if (extension === undefined) return;
  const { version, license } = extension;
  const isCompressed = canCompress(extension);
  if (await hasHypertables(database)) {
    if (!canCompress({ version, license: 'timescale' }) && (await hasCompression(database)))
      logger.warn(
        `TimescaleDB before ${COMPRESSION_FROM.join('.')} loses late samples of compressed chunks: update it`,
        { version },
      );
    return;
  }
  const isMade = await database.transaction(async (queries) => {
    await queries.query('SELECT pg_advisory_xact_lock($1)', [PARTS_LOCK]);
    if ((await hasHypertables(queries)) || (await hasMonths(queries))) return false;
    for (const table of historyTables) await makeHypertable(queries, table, extension, isCompressed);
    return true;
  });
  if (isMade) logger.info('the history is in hypertables of TimescaleDB', { version, license, isCompressed });
  else logger.info('the history has months already, and does not use TimescaleDB', { version });
}

/** Whether the tables of the history are hypertables, and not partitioned by month. */
export async function hasHypertables(queries: Queries): Promise<boolean> {
  const [table] = await queries.query<{ kind: string }>(
    "SELECT relkind::text AS kind FROM pg_class WHERE oid = 'samples'::regclass",
  );
  return table?.kind === 'r';
}

/** Removes the chunks of a table that ended before a time. Returns their names. */
export async function dropChunks(
  queries: Queries,
  table: HistoryTable,
  before: string,
): Promise<readonly string[]> {
  const extension = await findExtension(queries);
  if (extension === undefined) return [];
  const rows = await queries.query<{ name: string }>(
    `SELECT ${extension.schema}.drop_chunks($1::regclass, older_than => $2::timestamptz) AS name`,
    [table, before],
  );
  return rows.map(({ name }) => name);
}

async function findExtension(queries: Queries): Promise<Extension | undefined> {
  const [found] = await queries.query<Extension>(
    'SELECT extversion AS version, quote_ident(nspname) AS schema, ' +
      "current_setting('timescaledb.license', true) AS license " +
      "FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'timescaledb'",
  );
  return found;
}

/** Whether chunks of a history that exists are compressed, or will be. */
async function hasCompression(queries: Queries): Promise<boolean> {
  const [found] = await queries.query<{ is: boolean }>(
    'SELECT coalesce(bool_or(compression_enabled), false) AS is FROM timescaledb_information.hypertables ' +
      'WHERE hypertable_schema = current_schema()',
  );
  return found?.is === true;
}

async function hasMonths(queries: Queries): Promise<boolean> {
  const rows = await queries.query('SELECT FROM pg_inherits WHERE inhparent = ANY($1::regclass[]) LIMIT 1', [
    `{${historyTables.join(',')}}`,
  ]);
  return rows.length > 0;
}

/** A partitioned table cannot become a hypertable. Without a month it has no rows. */
async function makeHypertable(
  { query }: Queries,
  table: HistoryTable,
  { schema }: Extension,
  isCompressed: boolean,
): Promise<void> {
  const { chunk, compressAfter, orderBy } = plans[table];
  await query(`CREATE TABLE ${table}_plain (LIKE ${table} INCLUDING ALL)`);
  await query(`DROP TABLE ${table}`);
  await query(`ALTER TABLE ${table}_plain RENAME TO ${table}`);
  await query(`ALTER INDEX ${table}_plain_pkey RENAME TO ${table}_pkey`);
  await query(
    `SELECT ${schema}.create_hypertable($1::regclass, 'at', chunk_time_interval => $2::interval, ` +
      'create_default_indexes => false)',
    [table, chunk],
  );
  if (!isCompressed) return;
  await query(
    `ALTER TABLE ${table} SET (timescaledb.compress, timescaledb.compress_segmentby = 'field', ` +
      `timescaledb.compress_orderby = '${orderBy}')`,
  );
  await query(`SELECT ${schema}.add_compression_policy($1::regclass, $2::interval)`, [table, compressAfter]);
}
