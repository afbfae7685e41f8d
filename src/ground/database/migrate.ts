import { HoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { Database } from './database.js';
import { SCHEMA } from './postgres-database.js';

/** One step of the schema. What has landed is never changed: a later step corrects it. */
export interface Migration {
  /** From 1, without holes. */
  readonly number: number;
  readonly name: string;
  /** Statements, without those that begin or end a transaction. */
  readonly sql: string;
}

/** Any number that nobody else takes: processes that start at once wait for each other on it. */
const LOCK = 7_046_029_254;

/**
 * Brings the schema to the newest step: each step in a transaction of its own, once, also if several processes
 * start at once. Rejects with `GROUND_DATABASE_UNUSABLE` if a newer version of Holdfast has changed the schema.
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
  logger: Logger,
): Promise<void> {
  const { address } = database;
  for (;;) {
    const applied = await database.transaction(async ({ query }) => {
      // A step on large tables takes its time, and so does waiting for another process.
      await query('SET LOCAL statement_timeout = 0');
      await query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
      await query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
      await query(
        'CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL, ' +
          'applied_at timestamptz NOT NULL DEFAULT now())',
      );
      const [row] = await query<{ last: number }>('SELECT coalesce(max(number), 0) AS last FROM migrations');
      const last = row?.last ?? 0;
      if (last > migrations.length) {
        throw new HoldfastError(
          'GROUND_DATABASE_UNUSABLE',
          `the schema in ${address} has step ${last}, and this version of Holdfast knows ${migrations.length}`,
          { facts: { address, last, known: migrations.length } },
        );
      }
      const next = migrations[last];
      if (next === undefined) return undefined;
      await query(next.sql);
      await query('INSERT INTO migrations (number, name) VALUES ($1, $2)', [next.number, next.name]);
      return next;
    });
    if (applied === undefined) return;
    logger.info('the database schema has a new step', { number: applied.number, name: applied.name });
  }
}
