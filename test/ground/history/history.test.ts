import assert from 'node:assert/strict';
import { NS_PER_S } from '../../../src/core/clock.js';
import { HoldfastError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import {
  MAX_POINTS,
  readHistory,
  type HistoryAnswer,
  type Resolution,
} from '../../../src/ground/history/history-reader.js';
import { FleetTable } from '../../../src/ground/fleet-table.js';
import { HistoryWriter } from '../../../src/ground/history/history-writer.js';
import { prepareTimescale } from '../../../src/ground/history/timescale.js';
import { createMonth, dropMonths } from '../../../src/ground/history/months.js';
import type { SampleBatch } from '../../../src/ground/history/sample-batch.js';
import { present } from '../../../src/core/present.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';
import type { FieldSpec } from '../../../src/uplink/protocol/field-spec.js';
import { TestClock } from '../../support/test-clock.js';
import { onEveryHistory, TIMESCALE } from '../database/database-world.js';

const VIN = '1ZZZ5A3T0RF000001';
const OTHER = '1ZZZ5A3T0RF000002';
const HOUR_NS = 3_600n * NS_PER_S;
const speed: FieldSpec = {
  ...{ topic: '/odom', path: 'v', unit: 'm/s', threshold: 0.5, quantum: 0.0625 },
  ...{ everyTicks: 1, predictor: 'linear' },
};
const battery: FieldSpec = { ...speed, topic: '/battery', path: 'percentage', unit: '%', everyTicks: 10 };
const heading: FieldSpec = { ...speed, path: 'yaw', unit: '°', circle: { period: 360, lowest: -180 } };

onEveryHistory('The history', (server, kind) => {
  let database: Database;
  let history: HistoryWriter;
  /** The beginning of an hour that has passed. */
  const startNs = (systemClock.now() / HOUR_NS - 3n) * HOUR_NS;

  beforeEach(async () => {
    database = await server().connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    await prepareTimescale(database, 'auto', silentLogger);
    const ports = { clock: systemClock, logger: silentLogger };
    history = new HistoryWriter(database, { sampleDays: 30, rollUpDays: 60 }, ports);
  });
  afterEach(async () => {
    await history[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  const batch = (over: Partial<SampleBatch>): SampleBatch => {
    const { fields = [speed], ticks = 10 } = over;
    const values = Array.from({ length: ticks * fields.length }, (_, i) => i);
    const head = { robot: 'robot_7', run: 2n ** 64n - 1n, fields, tickNs: 100_000_000, firstTick: 0 };
    return { ...head, ticks, timeNs: startNs, values, full: false, ...over };
  };
  /** Resolves once the samples are durable. */
  const store = async (one: SampleBatch): Promise<void> => {
    let isDurable = false;
    history.store(one, () => (isDurable = true));
    await eventually(() => isDurable, 'durable samples');
  };
  const read = (path: string, resolution?: Resolution, topic = '/odom'): Promise<HistoryAnswer> =>
    readHistory(database, {
      ...{ robot: 'robot_7', topic, path, fromNs: startNs, toNs: startNs + HOUR_NS, resolution },
    });

  it('returns the samples it stored, with their threshold, and nothing between', async () => {
    await store(batch({ values: [0, 1, NaN, 3, 4, 5, 6, 7, 8, 9.125] }));
    const { series, resolution, truncated } = await read('v', 'samples');
    assert.deepEqual([resolution, truncated, series.length], ['samples', false, 1]);
    const [one] = series;
    assert.deepEqual([one?.unit, one?.threshold, one?.periodNs], ['m/s', 0.5, 100_000_000]);
    assert.deepEqual(one?.points.slice(1, 3), [
      { atNs: startNs + 100_000_000n, value: 1 },
      { atNs: startNs + 200_000_000n, value: null },
    ]);
    assert.equal(one.points.at(-1)?.value, 9.125);
    assert.equal(one.points.length, 10);
    assert.deepEqual((await readHistory(database, { ...question('v'), robot: 'robot_8' })).series, []);
  });

  it('stores values bit for bit, and times to the microsecond', async () => {
    const values = [-0.1, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, NaN, 1 / 3, -0, 2 ** 53, 1e-9, 7];
    await store(batch({ values, timeNs: startNs + 1_234_567n, tickNs: 4_294_967_296 / 4 }));
    const points = (await read('v', 'samples')).series[0]?.points;
    assert.deepEqual(
      points?.map(({ value }) => value),
      values.map((one) => (Number.isNaN(one) ? null : one)),
    );
    const rounded = (ns: bigint): bigint => ((ns + 500n) / 1_000n) * 1_000n;
    assert.deepEqual(
      points.map(({ atNs }) => atNs),
      values.map((_, i) => rounded(startNs + 1_234_567n + BigInt(i) * 1_073_741_824n)),
    );
  });

  it('is found by the VIN of the robot as well as by its name, also under its earlier names', async () => {
    await store(batch({}));
    await store(batch({ robot: 'robot_8', firstTick: 20, timeNs: startNs + 2_000_000_000n }));
    const known = { vin: VIN, version: '', heardAtNs: startNs, status: null, alerts: [] };
    const robots = ['robot_7', 'robot_8'].map((robot) => ({
      ...known,
      robot,
      position: null,
      ...{ reportedAtNs: null, clockBehindS: null },
    }));
    await new FleetTable(database).save(robots);
    const counts = async (robot: string): Promise<number[]> =>
      (await readHistory(database, { ...question('v'), robot, resolution: 'samples' })).series.map(
        ({ points }) => points.length,
      );
    assert.deepEqual(await counts('robot_7'), [10]);
    assert.deepEqual(await counts(VIN), [10, 10]);
    assert.deepEqual(await counts(''), []);
  });

  it('is that of one vehicle by its VIN, also if the computer moved to another one meanwhile', async () => {
    const at = (second: number, over: Partial<SampleBatch>): Promise<void> =>
      store(batch({ firstTick: second * 10, timeNs: startNs + BigInt(second) * NS_PER_S, ...over }));
    const value = (one: number): number[] => Array.from({ length: 10 }, () => one);
    await at(0, { vin: VIN, values: value(1) });
    await at(10, { vin: OTHER, values: value(2) });
    // The clock of the computer in the second vehicle was behind: the times overlap.
    await at(0, { vin: OTHER, run: 8n, values: value(3) });
    await at(20, { values: value(4) });
    await at(30, { robot: 'robot_8', vin: OTHER, values: value(5) });
    await at(40, { robot: 'robot_8', values: value(6) });
    const valuesOf = async (robot: string, resolution: Resolution): Promise<number[]> => {
      const { series } = await readHistory(database, { ...question('v'), robot, resolution });
      return [...new Set(series.flatMap(({ points }) => points.map((one) => one.value ?? NaN)))].sort();
    };
    for (const resolution of ['samples', '1s', '1min', '1h'] as const) {
      const isFine = resolution === 'samples' || resolution === '1s';
      assert.deepEqual(await valuesOf(VIN, resolution), [1], resolution);
      // robot_8 was only in this vehicle: what it sent before it knew the VIN is of this one, too.
      assert.deepEqual(await valuesOf(OTHER, resolution), isFine ? [2, 3, 5, 6] : [2, 5, 6], resolution);
      assert.deepEqual(await valuesOf('robot_7', resolution), isFine ? [1, 2, 3, 4] : [1, 2, 4], resolution);
    }
  });

  it('of an earlier version belongs to the vehicle of its robot, if that was in one only', async () => {
    await database.query('DROP SCHEMA holdfast CASCADE');
    const before = migrations.findIndex(({ name }) => name === 'vehicles of the history');
    await migrate(database, migrations.slice(0, before), silentLogger);
    await database.query("INSERT INTO robot_vins VALUES ($1, 'one'), ($1, 'both'), ($2, 'both')", [
      VIN,
      OTHER,
    ]);
    const add =
      "INSERT INTO fields (robot, topic, path, unit, threshold, period_ns, turn, lowest) SELECT r, '/odom', 'v', '', 0, 1, 0, 0 FROM unnest($1::text[]) AS r";
    await database.query(add, [['one', 'both', 'none']]);
    await migrate(database, migrations, silentLogger);
    const rows = await database.query<{ robot: string; vin: string }>(
      'SELECT robot, vin FROM fields ORDER BY 1',
    );
    assert.deepEqual(
      rows.map(({ robot, vin }) => `${robot} ${vin}`.trim()),
      ['both', 'none', `one ${VIN}`],
    );
  });

  const question = (path: string) => ({
    ...{ robot: 'robot_7', topic: '/odom', path, fromNs: startNs, toNs: startNs + HOUR_NS },
    resolution: undefined,
  });

  it('stores a sample once, however often it comes, and counts the repetition', async () => {
    await store(batch({}));
    await store(
      batch({ firstTick: 5, timeNs: startNs + 500_000_000n, values: Array.from({ length: 10 }, () => 70) }),
    );
    await Promise.all([store(batch({})), store(batch({}))]);
    const points = (await read('v', 'samples')).series[0]?.points.map(({ value }) => value);
    assert.deepEqual(points, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70, 70, 70, 70, 70]);
    const { stored, repeated } = history.status();
    assert.deepEqual({ stored, repeated }, { stored: 15, repeated: 25 });
    const [second] = (await read('v', '1s')).series[0]?.points ?? [];
    assert.equal(second?.count, 10);
    assert.equal(second.mean, 4.5);
  });

  it('keeps fields that are due at other ticks apart from values that are absent', async () => {
    await store(batch({ fields: [speed, battery], ticks: 20, values: Array.from({ length: 40 }, () => 1) }));
    await store(
      batch({
        fields: [speed, battery],
        ticks: 1,
        firstTick: 25,
        timeNs: startNs + 2_500_000_000n,
        values: [2, 2],
        full: true,
      }),
    );
    const { series } = await read('percentage', 'samples', '/battery');
    assert.deepEqual(
      series[0]?.points.map(({ atNs }) => (atNs - startNs) / 100_000_000n),
      [0n, 10n, 25n],
    );
    assert.equal((await read('v', 'samples')).series[0]?.points.length, 21);
  });

  it('rolls samples up to seconds, minutes and hours, also those that come late', async () => {
    const minute = (firstTick: number): SampleBatch =>
      batch({ ticks: 600, firstTick, timeNs: startNs + BigInt(firstTick) * 100_000_000n });
    await store(minute(600));
    // The minute before, after an outage.
    await store(minute(0));
    const minutes = (await read('v', '1min')).series[0]?.points;
    assert.deepEqual(
      minutes,
      [0, 1].map((i) => ({
        ...{
          atNs: startNs + BigInt(i) * 60n * NS_PER_S,
          value: 599,
          min: 0,
          max: 599,
          count: 600,
          mean: 299.5,
        },
      })),
    );
    assert.equal((await read('v', '1s')).series[0]?.points.length, 120);
    const [hour] = (await read('v', '1h')).series[0]?.points ?? [];
    assert.deepEqual([hour?.count, hour?.value, hour?.mean], [1_200, 599, 299.5]);
  });

  it('gives the mean direction of a heading that swings around the end of the circle', async () => {
    const values = [170, -170, 175, -175, 179, -179, 178, -178, 177, -177];
    await store(batch({ fields: [heading], values }));
    const [second] = (await read('yaw', '1s')).series[0]?.points ?? [];
    assert.ok(180 - Math.abs(second?.mean ?? 0) < 1e-6, `${second?.mean}`);
    assert.ok((second?.mean ?? -999) >= -180 && (second?.mean ?? 999) < 180);
  });

  it('chooses the finest resolution that fits, and says when an answer is cut off', async () => {
    await store(batch({}));
    const over = (hours: bigint): Promise<HistoryAnswer> =>
      readHistory(database, { ...question('v'), toNs: startNs + hours * HOUR_NS });
    assert.equal((await over(2n)).resolution, '1s');
    assert.equal((await over(100n)).resolution, '1min');
    assert.equal((await over(1_000n)).resolution, '1h');
    const many = MAX_POINTS / 10 + 1;
    for (let i = 1; i < many; i++) {
      const firstTick = i * 10;
      history.store(
        batch({ firstTick, timeNs: startNs + BigInt(firstTick) * 100_000_000n }),
        () => undefined,
      );
    }
    await eventually(() => history.status().waiting === 0, 'stored');
    const all = await read('v', 'samples');
    assert.equal(all.truncated, true);
    assert.equal(all.series[0]?.points.length, MAX_POINTS);
  });

  it('puts roll-ups together until about as many points are left as were asked for', async () => {
    const seconds = 600;
    await store(batch({ ticks: 10 * seconds }));
    const { resolution, stepNs, series } = await readHistory(database, { ...question('v'), points: 300 });
    assert.deepEqual([resolution, stepNs], ['1s', 12e9]);
    const points = present(series[0]).points;
    assert.equal(points.length, seconds / 12);
    assert.deepEqual(points[1], {
      ...{ atNs: startNs + 12n * NS_PER_S, value: 239, min: 120, max: 239, count: 120, mean: 179.5 },
    });
    const few = await readHistory(database, { ...question('v'), points: 50 });
    assert.deepEqual([few.resolution, few.stepNs], ['1min', 120e9]);
    const many = await readHistory(database, { ...question('v'), toNs: startNs + NS_PER_S, points: 20 });
    assert.deepEqual([many.resolution, many.stepNs], ['samples', 0]);
  });

  it('answers with a series for each threshold that was in use', async () => {
    await store(batch({}));
    await store(batch({ run: 5n, fields: [{ ...speed, threshold: 2 }], timeNs: startNs + 60n * NS_PER_S }));
    assert.deepEqual(
      (await read('v')).series.map(({ threshold }) => threshold),
      [0.5, 2],
    );
  });

  it('stores several full batches one after the other, each sample once, also after a statement failed', async () => {
    let statements = 0;
    const away = new HoldfastError('GROUND_DATABASE_UNREACHABLE', 'away', { retryable: true });
    const failing: Database = {
      ...{ address: database.address, major: database.major },
      // The second one fails once, when the third one is prepared.
      query: (text, values) =>
        text.includes('INSERT INTO samples (') && ++statements === 2
          ? Promise.reject(away)
          : database.query(text, values),
      transaction: (work) => database.transaction(work),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    await history[Symbol.asyncDispose]();
    const ports = { clock: systemClock, logger: silentLogger };
    history = new HistoryWriter(failing, { sampleDays: 30, rollUpDays: 60 }, ports);
    const order: number[] = [];
    const ticks = 1_000;
    for (let i = 0; i < 300; i++) {
      const firstTick = i * ticks;
      const timeNs = startNs + BigInt(firstTick) * 1_000_000n;
      history.store(batch({ firstTick, ticks, timeNs, tickNs: 1_000_000 }), () => order.push(i));
    }
    await eventually(() => history.status().waiting === 0, 'stored');
    assert.deepEqual(
      order,
      Array.from({ length: 300 }, (_, i) => i),
    );
    assert.equal(statements, 4);
    const { stored, repeated, problem } = history.status();
    assert.deepEqual({ stored, repeated, problem }, { stored: 300_000, repeated: 0, problem: '' });
    const [row] = await database.query<{ count: number }>(
      'SELECT sum(count)::integer AS count FROM samples_1h',
    );
    assert.equal(row?.count, 300_000);
  });

  it('keeps room for the live stream and for other robots beside what robots kept', () => {
    const stuck: Database = {
      ...{ address: database.address, major: database.major },
      query: () => new Promise(() => undefined),
      transaction: () => new Promise(() => undefined),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const ports = { clock: systemClock, logger: silentLogger };
    const writer = new HistoryWriter(stuck, { sampleDays: 30, rollUpDays: 60 }, ports);
    const ticks = 5_000;
    /** How many rows of so many batches the history takes. */
    const taken = (robot: string, batches: number, late: boolean): number => {
      const before = writer.status().waiting;
      for (let i = 0; i < batches; i++)
        writer.store(batch({ robot, late, ticks, firstTick: i * ticks }), () => undefined);
      return writer.status().waiting - before;
    };
    assert.equal(taken('greedy', 100, true), 20_000);
    for (let robot = 0; robot < 6; robot++) assert.equal(taken(`r${robot}`, 4, true), 20_000);
    assert.equal(taken('r6', 4, true), 10_000, 'all outboxes together');
    assert.equal(taken('live', 100, false), 150_000, 'the rest');
    assert.equal(writer.status().dropped, (96 + 2 + 70) * ticks);
  });

  it('looks whether each sample is new only while samples come a second time', async () => {
    const ways: string[] = [];
    const watched: Database = {
      ...{ address: database.address, major: database.major },
      query: (text, values) => {
        const insert = /INSERT INTO samples \([^]*?RETURNING/.exec(text)?.[0];
        if (insert !== undefined) ways.push(insert.includes('ON CONFLICT DO NOTHING') ? 'looks' : 'plain');
        return database.query(text, values);
      },
      transaction: (work) => database.transaction(work),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    await history[Symbol.asyncDispose]();
    const clock = new TestClock();
    clock.wall = systemClock.now();
    history = new HistoryWriter(watched, { sampleDays: 30, rollUpDays: 60 }, { clock, logger: silentLogger });
    const storeNow = async (firstTick: number): Promise<readonly string[]> => {
      ways.length = 0;
      const timeNs = startNs + BigInt(firstTick) * 100_000_000n;
      let isDurable = false;
      history.store(batch({ firstTick, timeNs }), () => (isDurable = true));
      clock.pass(1_000);
      await eventually(() => isDurable, 'durable samples');
      return [...ways];
    };
    assert.deepEqual(await storeNow(0), ['plain']);
    assert.deepEqual(await storeNow(10), ['plain']);
    assert.deepEqual(await storeNow(5), ['plain', 'looks']);
    assert.deepEqual(await storeNow(20), ['looks']);
    clock.pass(10_000);
    assert.deepEqual(await storeNow(30), ['plain']);
    const { stored, repeated } = history.status();
    assert.deepEqual({ stored, repeated }, { stored: 40, repeated: 10 });
    const seconds = (await read('v', '1s')).series[0]?.points.map(({ count }) => count);
    assert.deepEqual(seconds, [10, 10, 10, 10]);
  });

  it('refuses times of a clock that cannot be right, counted, and stores the others', async () => {
    await store(batch({ timeNs: 0n, run: 1n }));
    await store(batch({ timeNs: startNs + 1_000n * HOUR_NS, run: 2n }));
    await store(batch({ firstTick: 2 ** 31, run: 3n }));
    await store(batch({ run: 4n }));
    const { stored, refused } = history.status();
    assert.deepEqual({ stored, refused }, { stored: 10, refused: 30 });
  });

  if (kind !== TIMESCALE) {
    it('removes months that are too old, and no others', async () => {
      for (const month of ['2020_01', '2020_12']) await createMonth(database, month);
      assert.deepEqual(await dropMonths(database, 'samples', BigInt(Date.UTC(2020, 11, 31)) * 1_000_000n), [
        'samples_2020_01',
      ]);
      await history.removeOld();
      const left = await database.query<{ name: string }>(
        "SELECT relname::text AS name FROM pg_class WHERE relname ~ '^samples.*_2020_..$'",
      );
      assert.deepEqual(left, []);
      await store(batch({}));
      await history.removeOld();
      assert.equal((await read('v', 'samples')).series[0]?.points.length, 10);
    });

    it('stores again after a month was removed by hand', async () => {
      await store(batch({}));
      const [month] = await database.query<{ name: string }>(
        "SELECT relname::text AS name FROM pg_class WHERE relname ~ '^samples_[0-9]'",
      );
      await database.query(`DROP TABLE ${month?.name}`);
      await store(batch({ run: 2n }));
      assert.equal((await read('v', 'samples')).series[0]?.points.length, 10);
    });
  }

  it('reports nothing durable that the death of the server could take, and stores all of it then', async function () {
    this.timeout(90_000);
    const durable = new Set<number>();
    let next = 0;
    const feed = setInterval(() => {
      const tick = next;
      next += 10;
      history.store(batch({ firstTick: tick, timeNs: startNs + BigInt(tick) * 100_000_000n }), () =>
        durable.add(tick),
      );
    }, 5);
    try {
      for (let kills = 0; kills < 2; kills++) {
        const before = durable.size;
        await eventually(() => durable.size > before + 20, 'durable samples');
        await server().kill();
      }
    } finally {
      clearInterval(feed);
    }
    const last = next;
    await eventually(() => durable.size === last / 10, 'everything durable', 60_000);
    const rows = await database.query<{ tick: number }>('SELECT tick FROM samples ORDER BY tick');
    assert.deepEqual(
      rows.map(({ tick }) => tick),
      Array.from({ length: last }, (_, i) => i),
    );
    const [sum] = await database.query<{ count: number }>(
      'SELECT sum(count)::bigint AS count FROM samples_1h',
    );
    assert.equal(sum?.count, last);
  });
});
