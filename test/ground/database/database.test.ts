import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrate, type Migration } from '../../../src/ground/database/migrate.js';
import { writeTimestamp } from '../../../src/ground/database/postgres-values.js';
import { eventually } from '../../../src/testing/waiting.js';
import { onEveryPostgres } from './database-world.js';

const steps: readonly Migration[] = [
  { number: 1, name: 'first', sql: 'CREATE TABLE one (id integer PRIMARY KEY); INSERT INTO one VALUES (1)' },
  { number: 2, name: 'second', sql: 'ALTER TABLE one ADD name text' },
];

onEveryPostgres('The database', (server) => {
  let database: Database;
  beforeEach(async () => {
    database = await server().connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await database.query('CREATE SCHEMA holdfast');
  });
  afterEach(() => database[Symbol.asyncDispose]());

  it('applies every step of the schema once, also if several processes start at once', async () => {
    const others = await Promise.all([1, 2, 3].map(() => server().connect()));
    try {
      await Promise.all(others.map((one) => migrate(one, steps, silentLogger)));
      assert.deepEqual(await database.query('SELECT number, name FROM migrations ORDER BY 1'), [
        { number: 1, name: 'first' },
        { number: 2, name: 'second' },
      ]);
      assert.deepEqual(await database.query('SELECT * FROM one'), [{ id: 1, name: null }]);
    } finally {
      for (const one of others) await one[Symbol.asyncDispose]();
    }
  });

  it('leaves nothing of a step that fails, and continues there the next time', async () => {
    const bad = { number: 2, name: 'bad', sql: 'ALTER TABLE one ADD name text; SELECT 1/0' };
    await assert.rejects(
      migrate(database, [steps[0]!, bad], silentLogger),
      (error) => isHoldfastError(error, 'GROUND_DATABASE_FAILED') && error.facts['sqlState'] === '22012',
    );
    await migrate(database, steps, silentLogger);
    assert.deepEqual(await database.query('SELECT * FROM one'), [{ id: 1, name: null }]);
  });

  it('refuses the schema of a newer version', async () => {
    await migrate(database, steps, silentLogger);
    await assert.rejects(
      migrate(database, steps.slice(0, 1), silentLogger),
      /has step 2, and this version of Holdfast knows 1/,
    );
  });

  it('reads times in nanoseconds and large numbers exactly, or not at all', async () => {
    const atNs = 1_796_000_000_123_456_000n;
    const [row] = await database.query<{ at: bigint; n: number }>(
      'SELECT $1::timestamptz AS at, 9007199254740991::bigint AS n',
      [writeTimestamp(atNs)],
    );
    assert.deepEqual(row, { at: atNs, n: Number.MAX_SAFE_INTEGER });
    await assert.rejects(database.query('SELECT 9007199254740993::bigint AS n'), /no exact number/);
  });

  it('rolls back a transaction whose work fails, and keeps the connection usable', async () => {
    await database.query('CREATE TABLE kept (id integer)');
    const work = database.transaction(async ({ query }) => {
      await query('INSERT INTO kept VALUES (1)');
      throw new Error('no more');
    });
    await assert.rejects(work, /no more/);
    assert.deepEqual(await database.query('SELECT * FROM kept'), []);
  });

  it('loses its connections when the server is killed, keeps what was committed, and works again', async () => {
    await database.query('CREATE TABLE kept (id integer)');
    await database.query('INSERT INTO kept VALUES (7)');
    const open = database.transaction(async ({ query }) => {
      await query('INSERT INTO kept VALUES (8)');
      await server().kill();
      await query('SELECT pg_sleep(20)');
    });
    await assert.rejects(open, (error) => isHoldfastError(error, 'GROUND_DATABASE_UNREACHABLE'));
    const rows = await eventually(
      () => database.query('SELECT id FROM kept').catch(() => undefined),
      'the database after its death',
    );
    assert.deepEqual(rows, [{ id: 7 }]);
  });
});
