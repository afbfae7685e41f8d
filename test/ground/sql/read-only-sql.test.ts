import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { openDatabase } from '../../../src/ground/database/open-database.js';
import { ReadOnlySql } from '../../../src/ground/sql/read-only-sql.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { PostgresServer, requirePostgres } from '../../support/postgres.js';

const ports = { fs, clock: systemClock, random: randomBytes, logger: silentLogger };
const LIMIT = 100;

describe('SQL of people', function () {
  this.timeout(120_000);
  let folder: string;
  let database: Database;
  let sql: ReadOnlySql;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-sql-'));
    database = await openDatabase({ kind: 'embedded', folder, user: undefined }, migrations, ports);
    sql = present(await ReadOnlySql.open(database, undefined, systemClock));
    await database.query("INSERT INTO runs (robot, run) SELECT 'car', n FROM generate_series(1, 2000) AS n");
  });
  after(async () => {
    await database[Symbol.asyncDispose]();
    await fs.rm(folder, { recursive: true, force: true });
  });

  it('answers a query with its columns and rows', async () => {
    const { columns, rows, truncated } = await sql.run(
      'SELECT robot, count(*) AS runs, max(run) AS last FROM runs GROUP BY 1 -- of each robot',
      LIMIT,
    );
    assert.deepEqual(columns, ['robot', 'runs', 'last']);
    assert.deepEqual(rows, [{ robot: 'car', runs: 2_000, last: 2_000 }]);
    assert.equal(truncated, false);
  });

  it('gives no more rows and bytes than an answer has, and says so', async () => {
    const many = await sql.run('SELECT run FROM runs ORDER BY run', 1_500);
    assert.equal(many.rows.length, 1_500);
    assert.deepEqual(many.rows.at(-1), { run: 1_500 });
    assert.equal(many.truncated, true);
    assert.equal((await sql.run('SELECT run FROM runs', 2_000)).truncated, false);
    const wide = await sql.run("SELECT repeat('x', 1000000) AS text", LIMIT);
    assert.deepEqual([wide.rows, wide.truncated], [[], true]);
  });

  for (const [statement, said] of [
    ["INSERT INTO runs (robot, run) VALUES ('van', 1) RETURNING id", /syntax error/],
    ['WITH made AS (DELETE FROM runs RETURNING id) SELECT * FROM made', /WITH clause/],
    ['SELECT 1) AS a; DROP TABLE runs; --', /multiple commands|syntax error/],
    ['SELECT * FROM audit', /permission denied/],
    ["SELECT pg_read_file('/etc/passwd')", /permission denied/],
    ["SELECT set_config('role', 'holdfast', false)", /permission denied/],
    ['SELECT nothing FROM runs', /"nothing" does not exist/],
  ] as const) {
    it(`refuses ${statement}`, async () => {
      await assert.rejects(sql.run(statement, LIMIT), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'REQUEST_INVALID');
        assert.match(error.message, said);
        return true;
      });
      const [row] = await database.query<{ count: number }>('SELECT count(*) AS count FROM runs');
      assert.equal(row?.count, 2_000);
    });
  }

  it('ends a statement that takes too long, and keeps no lock of it', async () => {
    await assert.rejects(sql.run('SELECT pg_sleep(60), pg_advisory_lock(7)', LIMIT), /longer than 10 s/);
    await sql.run('SELECT pg_advisory_lock(8)', LIMIT);
    const [row] = await database.query<{ free: boolean }>('SELECT pg_try_advisory_lock(8) AS free');
    assert.equal(row?.free, true);
  });

  it('runs two statements at a time, and refuses the third', async () => {
    const slow = [1, 2].map(() => sql.run('SELECT pg_sleep(1)', LIMIT));
    await assert.rejects(sql.run('SELECT 1', LIMIT), /run already/);
    await Promise.all(slow);
    await sql.run('SELECT 1', LIMIT);
  });

  it('uses the reading user of an external database', async function () {
    requirePostgres(this);
    await using server = await PostgresServer.start();
    const url = await server.createDatabase('fleet');
    await using external = await openDatabase({ kind: 'external', url }, migrations, ports);
    assert.equal(await ReadOnlySql.open(external, undefined, systemClock), undefined);
    await external.query("CREATE ROLE reader LOGIN PASSWORD 'secret'");
    const reading = new URL(url);
    [reading.username, reading.password] = ['reader', 'secret'];
    const own = present(await ReadOnlySql.open(external, reading.href, systemClock));
    assert.deepEqual((await own.run('SELECT count(*) AS n FROM samples', LIMIT)).rows, [{ n: 0 }]);
    await assert.rejects(own.run('SELECT * FROM audit', LIMIT), /permission denied/);
  });
});
