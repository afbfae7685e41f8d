import assert from 'node:assert/strict';
import { NS_PER_S } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { HistoryWriter } from '../../../src/ground/history/history-writer.js';
import { createMonth, dropMonths, monthOf } from '../../../src/ground/history/months.js';
import { canCompress, hasHypertables, prepareTimescale } from '../../../src/ground/history/timescale.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';
import { startTimescale, type TestServer } from '../database/database-world.js';

const DAY_NS = 86_400n * NS_PER_S;
const TICKS = 100;

describe('Compression of TimescaleDB', () => {
  it('is used from the first version that loses no late sample, under the licence that has it', () => {
    const uses = (license: string | null, ...versions: readonly string[]): readonly boolean[] =>
      versions.map((version) => canCompress({ version, license }));
    assert.deepEqual(uses('timescale', '2.17.2', '2.18.0', '1.99.9', 'dev'), [false, false, false, false]);
    assert.deepEqual(uses('timescale', '2.18.1', '2.19.0', '2.30.0-dev', '3.0.0'), [true, true, true, true]);
    assert.deepEqual([...uses('apache', '2.28.0'), ...uses(null, '2.28.0')], [false, false]);
  });
});

describe('A history in TimescaleDB', function () {
  this.timeout(60_000);
  let server: TestServer | undefined;
  let database: Database;
  /** The beginning of a day, twenty days ago. */
  const longAgoNs = (systemClock.now() / DAY_NS - 20n) * DAY_NS;

  before(async function () {
    server = await startTimescale(this);
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    database = await present(server).connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
  });
  afterEach(async () => {
    await database[Symbol.asyncDispose]();
  });

  async function store(values: readonly number[], timeNs: bigint, firstTick = 0): Promise<void> {
    const options = { sampleDays: 30, rollUpDays: 60 };
    await using history = new HistoryWriter(database, options, { clock: systemClock, logger: silentLogger });
    const field = { topic: '/odom', path: 'v', unit: 'm/s', threshold: 0.5, quantum: 0.0625 };
    const fields = [{ ...field, everyTicks: 1, predictor: 'hold' as const }];
    let isDurable = false;
    history.store(
      {
        ...{ robot: 'car', run: 1n, fields, tickNs: 100_000_000, firstTick, ticks: values.length, timeNs },
        ...{ values, full: false },
      },
      () => (isDurable = true),
    );
    await eventually(() => isDurable, 'durable samples');
  }
  const zeros = Array.from({ length: TICKS }, () => 0);
  const count = async (from: string): Promise<number> =>
    (await database.query<{ n: number }>(`SELECT count(*) AS n FROM ${from}`))[0]?.n ?? 0;
  const compressed = () => count('timescaledb_information.chunks WHERE is_compressed');

  it('is in hypertables with a policy of compression for each', async () => {
    await prepareTimescale(database, 'auto', silentLogger);
    const tables = await database.query<{ name: string; compressed: boolean }>(
      'SELECT hypertable_name::text AS name, compression_enabled AS compressed ' +
        "FROM timescaledb_information.hypertables WHERE hypertable_schema = 'holdfast' ORDER BY 1",
    );
    assert.deepEqual(
      tables,
      ['samples', 'samples_1h', 'samples_1min', 'samples_1s'].map((name) => ({ name, compressed: true })),
    );
    const jobs = "timescaledb_information.jobs WHERE hypertable_schema = 'holdfast'";
    assert.equal(await count(jobs), 4);
    await prepareTimescale(database, 'auto', silentLogger);
    assert.equal(await count(jobs), 4);
  });

  it('stores a late sample once in a chunk that is compressed, and rolls it up', async () => {
    await prepareTimescale(database, 'auto', silentLogger);
    await store(zeros, longAgoNs);
    for (const table of ['samples', 'samples_1s'])
      await database.query(`SELECT public.compress_chunk(c) FROM public.show_chunks('${table}') c`);
    assert.ok((await compressed()) >= 2);
    // Half of them again, with other values, and as many new ones.
    const late = Array.from({ length: TICKS }, () => 7);
    await store(late, longAgoNs + BigInt(TICKS / 2) * 100_000_000n, TICKS / 2);
    const [row] = await database.query<{ n: number; sum: number; ticks: number }>(
      'SELECT count(*) AS n, sum(value) AS sum, count(DISTINCT tick) AS ticks FROM samples',
    );
    assert.deepEqual(row, { n: 150, sum: 350, ticks: 150 });
    for (const table of ['samples_1s', 'samples_1min', 'samples_1h']) {
      const [rolled] = await database.query<{ n: number; sum: number }>(
        `SELECT sum(count) AS n, sum(sum) AS sum FROM ${table}`,
      );
      assert.deepEqual(rolled, { n: 150, sum: 350 }, table);
    }
  });

  it('removes days that are too old, and no others', async () => {
    await prepareTimescale(database, 'auto', silentLogger);
    await store(zeros, longAgoNs);
    await store(zeros, longAgoNs + DAY_NS, 1_000);
    assert.deepEqual(await dropMonths(database, 'samples', longAgoNs + DAY_NS - 1_000n), []);
    assert.equal((await dropMonths(database, 'samples', longAgoNs + DAY_NS)).length, 1);
    assert.equal(await count('samples'), TICKS);
    // What was removed can come again.
    await store(zeros, longAgoNs, 2_000);
    assert.equal(await count('samples'), 2 * TICKS);
  });

  it('has hypertables without compression under the Apache licence', async () => {
    const isApache = async (): Promise<boolean> => {
      await using fresh = await present(server).connect();
      const [row] = await fresh.query<{ now: string }>(
        "SELECT current_setting('timescaledb.license') AS now",
      );
      return row?.now === 'apache';
    };
    await database.query("ALTER SYSTEM SET timescaledb.license = 'apache'");
    await database.query('SELECT pg_reload_conf()');
    try {
      await eventually(isApache, 'the Apache licence');
      await using fresh = await present(server).connect();
      await prepareTimescale(fresh, 'auto', silentLogger);
      assert.equal(await hasHypertables(fresh), true);
      await store(zeros, longAgoNs);
      assert.equal(await count('samples'), TICKS);
      assert.equal(await count("timescaledb_information.jobs WHERE hypertable_schema = 'holdfast'"), 0);
    } finally {
      await database.query('ALTER SYSTEM RESET timescaledb.license');
      await database.query('SELECT pg_reload_conf()');
      await eventually(async () => !(await isApache()), 'the community licence');
    }
  });

  it('leaves months as they are, and uses none of it when told so', async () => {
    await prepareTimescale(database, 'never', silentLogger);
    assert.equal(await hasHypertables(database), false);
    await createMonth(database, monthOf(longAgoNs));
    await prepareTimescale(database, 'auto', silentLogger);
    assert.equal(await hasHypertables(database), false);
    await store(zeros, longAgoNs);
    assert.equal(await count('samples'), TICKS);
  });
});
