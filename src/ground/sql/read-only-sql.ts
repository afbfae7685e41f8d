import pg from 'pg';
import type { Clock } from '../../core/clock.js';
import { HoldfastError } from '../../core/errors.js';
import type { Database, PostgresPlace } from '../database/database.js';
import { poolPlace, SCHEMA } from '../database/postgres-database.js';

/** The answer of a statement. */
export interface SqlAnswer {
  readonly columns: readonly string[];
  /** By the names of the columns, as JSON has them. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** There are more rows, or more bytes, than an answer has. */
  readonly truncated: boolean;
}

/** The role of the embedded database that may only read. */
export const READER = 'holdfast_reader';

export const MAX_ROWS = 10_000;
/** Rows as JSON. */
const MAX_BYTES = 16 * 1024 * 1024;
/** A longer row is left out, and the answer is truncated. */
const MAX_ROW_BYTES = 256 * 1024;
export const TIMEOUT_MS = 10_000;
/** A server that does not keep the timeout loses its connection after so long. */
const PATIENCE_MS = 2_000;
/** Statements at the same time: the ground itself needs the database, too. */
const MAX_AT_ONCE = 2;
const FETCH_ROWS = 500;
/** Any number that nobody else takes. */
const LOCK = 7_046_029_258;

/** What people may read: telemetry and catalogue. Not: tokens, users and the audit log. */
const TABLES = [
  ...['fields', 'runs', 'samples', 'samples_1s', 'samples_1min', 'samples_1h', 'holes', 'fleet', 'vehicles'],
  ...['catalogue_stores', 'catalogue_channels', 'recordings', 'robot_vins'],
  ...['recording_topics', 'recording_events', 'recording_gaps'],
] as const;

/** Statements of people, run by a role of the database that can only read. */
export class ReadOnlySql {
  readonly #place: PostgresPlace;
  readonly #clock: Clock;
  #running = 0;

  private constructor(place: PostgresPlace, clock: Clock) {
    this.#place = place;
    this.#clock = clock;
  }

  /**
   * Gives the reader its rights.
   *
   * @param url - Of an external database, with the user who reads; undefined: the database is embedded, and gets one.
   */
  static async open(
    database: Database,
    url: string | undefined,
    clock: Clock,
  ): Promise<ReadOnlySql | undefined> {
    const { place } = database;
    if (url !== undefined) {
      await allowReading(database, userOf(url));
      return new ReadOnlySql({ url }, clock);
    }
    if (place === undefined || 'url' in place) return undefined;
    const [known] = await database.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [READER]);
    if (known === undefined) await database.query(`CREATE ROLE ${READER} LOGIN`);
    await allowReading(database, READER);
    return new ReadOnlySql({ ...place, user: READER }, clock);
  }

  /**
   * Runs one query. Rejects with `REQUEST_INVALID` and what the database says about it, or with
   * `GROUND_DATABASE_UNREACHABLE`.
   *
   * @param limit - Rows of the answer, 1 to {@link MAX_ROWS}.
   */
  async run(sql: string, limit: number): Promise<SqlAnswer> {
    if (this.#running >= MAX_AT_ONCE) {
      const message = `${MAX_AT_ONCE} statements run already: try again when one has ended`;
      throw new HoldfastError('REQUEST_INVALID', message, { facts: { running: this.#running } });
    }
    this.#running++;
    // A session of its own: no setting and no lock of one statement outlives it.
    const client = new pg.Client({ ...poolPlace(this.#place), application_name: 'holdfast ground sql' });
    client.on('error', () => undefined);
    const patience = this.#clock.after(TIMEOUT_MS + PATIENCE_MS, () => void client.end());
    try {
      await client.connect();
      return await read(client, sql, limit);
    } catch (cause) {
      throw translated(cause);
    } finally {
      patience.cancel();
      this.#running--;
      await client.end().catch(() => undefined);
    }
  }
}

async function read(client: pg.Client, sql: string, limit: number): Promise<SqlAnswer> {
  await client.query(
    `BEGIN READ ONLY; SET LOCAL search_path = ${SCHEMA}; SET LOCAL timezone = UTC; ` +
      `SET LOCAL statement_timeout = ${TIMEOUT_MS}; SET LOCAL idle_in_transaction_session_timeout = ${TIMEOUT_MS}`,
  );
  // The extended protocol takes one statement only. A line end closes a comment at its end.
  const ask = (text: string): Promise<pg.QueryResult> =>
    client.query({ text, queryMode: 'extended' } as pg.QueryConfig);
  const { fields } = await ask(`SELECT * FROM (\n${sql}\n) AS asked LIMIT 0`);
  const columns = fields.map(({ name }) => name);
  await ask(
    'DECLARE answer NO SCROLL CURSOR FOR ' +
      `SELECT CASE WHEN octet_length(line) <= ${MAX_ROW_BYTES} THEN line END AS line ` +
      `FROM (SELECT row_to_json(asked)::text AS line FROM (\n${sql}\n) AS asked) AS lines`,
  );
  const rows: Record<string, unknown>[] = [];
  let bytes = 0;
  let truncated = false;
  while (!truncated) {
    const wanted = Math.min(FETCH_ROWS, limit + 1 - rows.length);
    const { rows: found } = (await ask(`FETCH ${wanted} FROM answer`)) as pg.QueryResult<{
      line: string | null;
    }>;
    for (const { line } of found) {
      bytes += line?.length ?? MAX_BYTES;
      truncated ||= rows.length >= limit || line === null || bytes > MAX_BYTES;
      if (!truncated && line !== null) rows.push(JSON.parse(line) as Record<string, unknown>);
    }
    if (found.length < wanted) break;
  }
  return { columns, rows, truncated };
}

async function allowReading(database: Database, user: string): Promise<void> {
  const name = pg.escapeIdentifier(user);
  await database.transaction(async ({ query }) => {
    // Two processes that grant at once would fail.
    await query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    await query(`GRANT USAGE ON SCHEMA ${SCHEMA} TO ${name}`);
    await query(`GRANT SELECT ON ${TABLES.join(', ')} TO ${name}`);
  });
}

function userOf(url: string): string {
  const user = URL.canParse(url) ? decodeURIComponent(new URL(url).username) : '';
  if (user !== '') return user;
  // The value may contain a password.
  throw new HoldfastError('REQUEST_INVALID', '--sql-database is not valid, allowed: postgres://USER...');
}

function translated(cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  if (!(cause instanceof pg.DatabaseError)) {
    return new HoldfastError('GROUND_DATABASE_UNREACHABLE', 'the database is out of reach', { cause });
  }
  const facts = { sqlState: cause.code ?? '' };
  const message = cause.code === '57014' ? `it takes longer than ${TIMEOUT_MS / 1_000} s` : cause.message;
  return new HoldfastError('REQUEST_INVALID', `the statement was not run: ${message}`, { cause, facts });
}
