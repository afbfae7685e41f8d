import { HoldfastError } from '../../core/errors.js';
import type { Database } from '../../ground/database/database.js';
import type { Store } from '../../core/store.js';
import type { Refill } from '../../ground/refill/refill.js';
import { timescaleChoices, type TimescaleChoice } from '../../ground/history/timescale-choice.js';
import type { HistoryWriter } from '../../ground/history/history-writer.js';
import type { Route } from '../../monitors/http/route.js';
import type { Invocation } from './command-definition.js';

/** A hundred years. */
const MAX_DAYS = 36_500;

/** Opens the database of a ground by its options; undefined: it runs without one. */
export async function openGroundDatabase(
  folder: string,
  { args, options, ports, logger }: Invocation,
): Promise<Database | undefined> {
  const choice = timescaleChoice(options['timescale']);
  const { openDatabase, parseDatabase } = await import('../../ground/database/open-database.js');
  const { migrations } = await import('../../ground/database/migrations.js');
  const where = parseDatabase(String(options['database']));
  const user = options['databaseUser'] as string | undefined;
  if (where !== 'embedded' && user !== undefined) {
    throw new HoldfastError('REQUEST_INVALID', '--database-user is only for --database embedded', {
      facts: { databaseUser: user },
    });
  }
  if (where === 'none') {
    logger.warn('there is no database: nothing is kept');
    return undefined;
  }
  if (where === 'embedded') return openDatabase({ kind: 'embedded', folder, user }, migrations, ports);
  const { prepareTimescale } = await import('../../ground/history/timescale.js');
  const database = await openDatabase({ kind: 'external', url: where.href }, migrations, ports);
  try {
    // Commands beside a ground need not know how it keeps its history.
    if (args[0] === undefined || args[0] === 'migrate') await prepareTimescale(database, choice, logger);
    return database;
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

function timescaleChoice(value: unknown): TimescaleChoice {
  const choice = timescaleChoices.find((one) => one === value);
  if (choice !== undefined) return choice;
  throw new HoldfastError(
    'REQUEST_INVALID',
    `--timescale is "${String(value)}", allowed: ${timescaleChoices.join(' or ')}`,
    { facts: { timescale: value } },
  );
}

/** Opens the history in the database of a ground; undefined: it runs without a database. */
export async function openHistory(
  database: Database | undefined,
  { options, ports }: Invocation,
): Promise<HistoryWriter | undefined> {
  const { HistoryWriter: Writer } = await import('../../ground/history/history-writer.js');
  const kept = { sampleDays: days(options, 'keepSamplesDays'), rollUpDays: days(options, 'keepRollUpsDays') };
  return database === undefined ? undefined : new Writer(database, kept, ports);
}

/** Fills in what outboxes of robots no longer had; undefined: the ground runs without a database. */
export async function openRefill(
  database: Database | undefined,
  open: { readonly stores: readonly Store[] } | undefined,
  isTurn: () => boolean,
  { options, ports, logger }: Invocation,
): Promise<Refill | undefined> {
  if (database === undefined) return undefined;
  const { Refill: Filler } = await import('../../ground/refill/refill.js');
  const sampleDays = days(options, 'keepSamplesDays');
  return new Filler(database, { stores: open?.stores ?? [], sampleDays, isTurn, clock: ports.clock, logger });
}

/** The operation that runs SQL of people; none without a database, or without a user of it who only reads. */
export async function openSql(
  database: Database | undefined,
  { options, ports }: Invocation,
): Promise<readonly Route[]> {
  const { ReadOnlySql } = await import('../../ground/sql/read-only-sql.js');
  const { sqlRoute } = await import('../../ground/sql/sql-route.js');
  if (database === undefined) return [];
  const sql = await ReadOnlySql.open(database, options['sqlDatabase'] as string | undefined, ports.clock);
  return sql === undefined ? [] : [sqlRoute(sql)];
}

function days(options: Invocation['options'], name: 'keepSamplesDays' | 'keepRollUpsDays'): number {
  const value = Number(options[name]);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_DAYS) return value;
  const flag = name === 'keepSamplesDays' ? '--keep-samples-days' : '--keep-roll-ups-days';
  throw new HoldfastError(
    'REQUEST_INVALID',
    `${flag} is "${String(options[name])}", allowed: a whole number from 1 to ${MAX_DAYS}`,
    { facts: { [name]: options[name] } },
  );
}
