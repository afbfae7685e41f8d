import assert from 'node:assert/strict';
import { silentLogger } from '../../src/core/logger.js';
import { NS_PER_S } from '../../src/core/clock.js';
import { present } from '../../src/core/present.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { countRecords, deleteRecords } from '../../src/ground/delete-records.js';
import type { HistoryDeletion } from '../../src/ground/history/delete-history.js';
import { HistoryWriter } from '../../src/ground/history/history-writer.js';
import type { SampleBatch } from '../../src/ground/history/sample-batch.js';
import { systemClock } from '../../src/host/system-clock.js';
import { eventually } from '../../src/testing/waiting.js';
import type { FieldSpec } from '../../src/uplink/protocol/field-spec.js';
import { onEveryPostgres } from './database/database-world.js';

const HOUR_NS = 3_600n * NS_PER_S;
const speed: FieldSpec = {
  ...{ topic: '/odom', path: 'v', unit: 'm/s', threshold: 0.5, quantum: 0.0625 },
  ...{ everyTicks: 1, predictor: 'linear' },
};
const battery: FieldSpec = { ...speed, topic: '/battery', path: 'percentage' };
const TICKS = 240;
const TICK_NS = 500_000_000;
/** Ticks 61 to 180: it begins and ends within a second and within a minute. */
const [FIRST, LAST] = [61, 180];

onEveryPostgres('The deletion of records of a ground', (server) => {
  let database: Database;
  let history: HistoryWriter;
  const startNs = (systemClock.now() / HOUR_NS - 3n) * HOUR_NS;
  const timeOf = (tick: number): bigint => startNs + BigInt(tick) * BigInt(TICK_NS);
  const deletion: HistoryDeletion = {
    ...{
      robot: 'r1',
      from: timeOf(FIRST),
      to: timeOf(LAST),
      plan: '0123456789abcdef',
      who: 'ada',
      reason: 'request 12',
    },
  };

  beforeEach(async () => {
    database = await server().connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    history = new HistoryWriter(
      database,
      { sampleDays: 30, rollUpDays: 60 },
      { clock: systemClock, logger: silentLogger },
    );
  });
  afterEach(async () => {
    await history[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  const batch = (robot: string, over: Partial<SampleBatch> = {}): SampleBatch => ({
    ...{
      robot,
      run: 7n,
      fields: [speed, battery],
      tickNs: TICK_NS,
      firstTick: 0,
      ticks: TICKS,
      timeNs: startNs,
    },
    ...{ values: Array.from({ length: 2 * TICKS }, (_, i) => (i * 37) % 101), full: false, ...over },
  });
  const store = async (...all: readonly SampleBatch[]): Promise<void> => {
    let durable = 0;
    for (const one of all) history.store(one, () => durable++);
    await eventually(() => durable === all.length, 'durable samples');
  };
  const tables = ['samples', 'samples_1s', 'samples_1min', 'samples_1h'];
  /** Every row of the history, with the names of robot and topic. */
  async function rows(): Promise<string[]> {
    const found: string[] = [];
    for (const table of tables) {
      const own = table === 'samples' ? 'tick, value' : 'count, min, max, sum, last, last_at';
      const some = await database.query<{ row: string }>(
        `SELECT concat_ws(' ', '${table}', robot, topic, extract(epoch FROM at), ${own}) AS row
         FROM ${table} t JOIN fields f ON f.id = t.field`,
      );
      found.push(...some.map(({ row }) => row));
    }
    return found.sort();
  }
  /** What a history has that never got the samples of the time. */
  async function without(topics: readonly FieldSpec[]): Promise<string[]> {
    const values = Array.from(batch('r1').values);
    const cut = (from: number, to: number): SampleBatch =>
      batch('r1', {
        ...{
          firstTick: from,
          ticks: to - from,
          timeNs: timeOf(from),
          values: values.slice(2 * from, 2 * to),
        },
      });
    await store(cut(0, FIRST), cut(LAST + 1, TICKS), batch('r2'));
    const kept = [speed, battery].filter((one) => !topics.includes(one));
    const index = [speed, battery].indexOf(present(kept[0] ?? speed));
    if (kept.length > 0) {
      const part = values.filter((_, i) => i % 2 === index).slice(FIRST, LAST + 1);
      await store(
        batch('r1', {
          fields: kept,
          firstTick: FIRST,
          ticks: LAST + 1 - FIRST,
          timeNs: timeOf(FIRST),
          values: part,
        }),
      );
    }
    const wanted = await rows();
    for (const table of tables) await database.query(`DELETE FROM ${table}`);
    return wanted;
  }

  it('leaves samples and roll-ups as if the time had never been stored', async () => {
    const wanted = await without([speed, battery]);
    await store(batch('r1'), batch('r2'));
    const count = 2 * (LAST - FIRST + 1);
    assert.deepEqual(await countRecords(database, deletion), { samples: count, events: 0, recordings: 0 });
    const { samples } = await deleteRecords(database, deletion, systemClock.now());
    assert.equal(samples, count);
    assert.deepEqual(await rows(), wanted);
    assert.equal(
      (await deleteRecords(database, deletion, systemClock.now())).samples,
      count,
      'of all attempts',
    );
    assert.deepEqual(await rows(), wanted);
  });

  it('does not store the time again, from an outbox or from segments', async () => {
    const wanted = await without([speed, battery]);
    await store(batch('r1'), batch('r2'));
    await deleteRecords(database, deletion, systemClock.now());
    await store(batch('r1'), batch('r2'));
    await store(batch('r1', { run: 8n, firstTick: FIRST, ticks: 60, timeNs: timeOf(FIRST) }));
    assert.deepEqual(await rows(), wanted);
  });

  it('removes the topics that are named, and no others', async () => {
    const wanted = await without([battery]);
    await store(batch('r1'), batch('r2'));
    await deleteRecords(database, { ...deletion, topics: ['/bat*'] }, systemClock.now());
    await store(batch('r1'));
    assert.deepEqual(await rows(), wanted);
  });

  it('takes _ and % in names of topics as they are', async () => {
    const other: FieldSpec = { ...speed, topic: '/a_b' };
    const similar: FieldSpec = { ...speed, topic: '/axb' };
    await store(batch('r1', { fields: [other, similar] }));
    await deleteRecords(database, { ...deletion, topics: ['/a_b'] }, systemClock.now());
    const left = (await rows()).filter((row) => row.startsWith('samples '));
    assert.equal(left.filter((row) => row.includes('/axb')).length, TICKS);
    assert.equal(left.filter((row) => row.includes('/a_b')).length, TICKS - (LAST - FIRST + 1));
  });
});
