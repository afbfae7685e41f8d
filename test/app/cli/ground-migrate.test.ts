import assert from 'node:assert/strict';
import pg from 'pg';
import { migrations } from '../../../src/ground/database/migrations.js';
import { jsonOf, runCli } from '../../support/cli.js';
import { PostgresServer, requirePostgres } from '../../support/postgres.js';

describe('holdfast ground migrate', function () {
  this.timeout(60_000);

  it('brings the schema to the newest step and exits, also a second time', async function () {
    requirePostgres(this);
    await using server = await PostgresServer.start();
    const url = await server.createDatabase('fleet');
    for (const round of [1, 2]) {
      const ran = await runCli(['ground', 'migrate', '--database', url, '--json']);
      assert.equal(ran.exitCode, 0, `${round}: ${ran.stderr}`);
      assert.equal(jsonOf(ran)['ok'], true);
      assert.doesNotMatch(ran.stdout + ran.stderr, /b%2Fc|a:b/, 'the output has the password');
    }
    const client = new pg.Client(url);
    await client.connect();
    const { rows } = await client.query('SELECT max(number) AS last FROM holdfast.migrations');
    await client.end();
    assert.deepEqual(rows, [{ last: migrations.length }]);
  });

  it('refuses to migrate no database', async () => {
    const ran = await runCli(['ground', 'migrate', '--database', 'none']);
    assert.equal(ran.exitCode, 1, ran.stderr);
    assert.match(ran.stderr, /ground migrate has no database, allowed: postgres:\/\/\.\.\. or embedded/);
  });
});
