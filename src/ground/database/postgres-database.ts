import pg from 'pg';
import { describeError, HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { Database, PostgresPlace, Queries } from './database.js';
import { valueTypes } from './postgres-values.js';

/** The schema of every table of a ground. */
export const SCHEMA = 'holdfast';

const MIN_VERSION = 150_000;
const MAX_CONNECTIONS = 8;
const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 60_000;
/** Of TimescaleDB: late samples may reach any part of a compressed chunk. Servers without it ignore the setting. */
const TIMESCALE_SETTINGS = '-c timescaledb.max_tuples_decompressed_per_dml_transaction=0';
const SETTINGS = `-c search_path=${SCHEMA} -c timezone=UTC -c datestyle=ISO -c statement_timeout=${STATEMENT_TIMEOUT_MS} ${TIMESCALE_SETTINGS}`;
/** States in which the server is there and not ready, or ends the connection. */
const UNREADY = /^(08|57P0[1235]|53300)/;
/** The login is not accepted, or there is no such database. */
const NO_ENTRY = /^(28|3D)/;
/** The same transaction may succeed: a deadlock, a conflict of serializable transactions. */
const CONFLICT = /^40/;

/** A pool of connections to one PostgreSQL database. */
export class PostgresDatabase implements Database {
  readonly address: string;
  readonly major: number;
  readonly place: PostgresPlace;
  readonly #pool: pg.Pool;

  private constructor(pool: pg.Pool, place: PostgresPlace, major: number) {
    this.#pool = pool;
    this.place = place;
    this.address = addressOf(place);
    this.major = major;
  }

  /**
   * Connects, and creates the schema if it is missing. Rejects with `GROUND_DATABASE_UNREACHABLE`, or with
   * `GROUND_DATABASE_UNUSABLE` if the server is too old.
   */
  static async connect(place: PostgresPlace, logger: Logger): Promise<PostgresDatabase> {
    const pool = new pg.Pool({
      ...poolPlace(place),
      ...{ max: MAX_CONNECTIONS, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, allowExitOnIdle: true },
      ...{ application_name: 'holdfast ground', options: SETTINGS, types: valueTypes },
    });
    // An idle connection has ended; the next query opens another one.
    pool.on('error', (error) => logger.debug('a database connection ended', { error: describeError(error) }));
    // A server that is killed can end a connection in the same packet that opens it. Nobody else listens yet, and
    // without a listener the error would end the process. The first statement fails in any case.
    pool.on('connect', (client) => void client.on('error', () => undefined));
    const address = addressOf(place);
    try {
      const ask = "SELECT current_setting('server_version_num') AS version";
      const { rows } = await guarded(() => pool.query<{ version: string }>(ask), address);
      const version = Number(rows[0]?.version);
      const major = Math.floor(version / 10_000);
      if (!(version >= MIN_VERSION)) {
        throw new HoldfastError(
          'GROUND_DATABASE_UNUSABLE',
          `the server at ${address} is PostgreSQL ${major}, allowed: 15 and newer`,
          { facts: { address, major } },
        );
      }
      return new PostgresDatabase(pool, place, major);
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const { rows } = await guarded(() => this.#pool.query<Row>(text, [...values]), this.address);
    return rows;
  }

  async transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    const client = await guarded(() => this.#pool.connect(), this.address);
    let broken: Error | undefined;
    const onError = (error: Error): void => void (broken = error);
    // Without a listener the end of a connection between two statements would end the process.
    client.on('error', onError);
    const run = <Row extends object>(
      text: string,
      values: readonly unknown[] = [],
    ): Promise<readonly Row[]> =>
      guarded(() => client.query<Row>(text, [...values]), this.address).then(({ rows }) => rows);
    try {
      await run('BEGIN');
      const result = await work({ query: run });
      await run('COMMIT');
      return result;
    } catch (error) {
      if (isHoldfastError(error, 'GROUND_DATABASE_UNREACHABLE')) broken ??= error;
      else await run('ROLLBACK').catch((reason: unknown) => void (broken ??= reason as Error));
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  /** Ends every connection. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }
}

/** How the driver names the place. */
export function poolPlace(place: PostgresPlace): pg.PoolConfig {
  if ('url' in place) return { connectionString: place.url };
  return { host: place.socketFolder, user: place.user, database: place.database };
}

function addressOf(place: PostgresPlace): string {
  if (!('url' in place)) return place.address;
  try {
    const { host, pathname } = new URL(place.url);
    return `${host}${pathname}`;
  } catch {
    return 'the given address';
  }
}

/** Translates the errors of the driver. Values of statements are in no message. */
async function guarded<T>(run: () => Promise<T>, address: string): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    // A value that cannot be read.
    if (cause instanceof RangeError) throw cause;
    const state = cause instanceof pg.DatabaseError ? (cause.code ?? '') : undefined;
    if (state === undefined || UNREADY.test(state)) {
      throw new HoldfastError('GROUND_DATABASE_UNREACHABLE', `the database at ${address} is out of reach`, {
        ...{ cause, facts: { address } },
      });
    }
    if (NO_ENTRY.test(state)) {
      throw new HoldfastError(
        'GROUND_DATABASE_UNUSABLE',
        `the database at ${address} refuses the connection`,
        {
          ...{ cause, facts: { address, sqlState: state } },
        },
      );
    }
    throw new HoldfastError('GROUND_DATABASE_FAILED', 'the database refused a statement', {
      ...{ cause, facts: { address, sqlState: state }, retryable: CONFLICT.test(state) },
    });
  }
}
