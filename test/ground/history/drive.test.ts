import assert from 'node:assert/strict';
import { NS_PER_S } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { driveFieldsOf, isVehicle } from '../../../src/ground/history/drive-fields.js';
import { readDrive, type Drive } from '../../../src/ground/history/drive-reader.js';
import { HistoryWriter } from '../../../src/ground/history/history-writer.js';
import { prepareTimescale } from '../../../src/ground/history/timescale.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';
import type { FieldSpec } from '../../../src/uplink/protocol/field-spec.js';
import { onEveryHistory } from '../database/database-world.js';

const HOUR_NS = 3_600n * NS_PER_S;
const TICK_NS = 100_000_000;
const MPS_PER_MPH = 0.44704;
const spec = (topic: string, path: string, unit: string, threshold: number): FieldSpec => ({
  ...{ topic, path, unit, threshold, quantum: threshold / 8, everyTicks: 1, predictor: 'hold' },
});
const speed = spec('/telemetry', 'v', 'mph', 2);
const power = spec('/energy', 'power', 'kW', 5);
const charge = spec('/energy', 'charge', '%', 0.5);
const odometer = spec('/signals', 'odometer', 'km', 0.1);

describe('the fields of a drive', () => {
  it('are found by unit and path, with the factor to metres, seconds and kilowatts', () => {
    const found = driveFieldsOf([{ topic: '/arm', path: 'v', unit: '°/s' }, speed, power, charge]);
    assert.equal(found.speed?.topic, '/telemetry');
    assert.ok(Math.abs(present(found.speed).factor - MPS_PER_MPH) < 1e-9);
    assert.equal(found.battery?.path, 'charge');
    assert.ok(isVehicle(found));
  });

  it('make no vehicle of a robot that has only a speed, or only a battery', () => {
    assert.ok(!isVehicle(driveFieldsOf([speed])));
    assert.ok(!isVehicle(driveFieldsOf([charge])));
    assert.ok(isVehicle(driveFieldsOf([odometer])));
  });
});

onEveryHistory('A drive', (server) => {
  let database: Database;
  let history: HistoryWriter;
  const startNs = (systemClock.now() / HOUR_NS - 4n) * HOUR_NS;

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

  /** Ten samples per second from a second on, each with the values of all fields. */
  async function store(fields: readonly FieldSpec[], fromS: number, samples: readonly number[][]) {
    let isDurable = false;
    const head = { robot: 'car', run: 1n, fields, tickNs: TICK_NS, firstTick: fromS * 10, full: false };
    const timeNs = startNs + BigInt(fromS) * NS_PER_S;
    history.store(
      { ...head, ticks: samples.length, timeNs, values: samples.flat() },
      () => (isDurable = true),
    );
    await eventually(() => isDurable, 'durable samples');
  }
  const minutes = (count: number, values: readonly number[]): number[][] =>
    Array.from({ length: count * 600 }, () => [...values]);
  const read = async (lengthNs = HOUR_NS): Promise<Drive> =>
    present(await readDrive(database, { robot: 'car', fromNs: startNs, toNs: startNs + lengthNs }));
  const near = (value: number | undefined, wanted: number): void =>
    assert.ok(Math.abs((value ?? NaN) - wanted) <= Math.abs(wanted) * 1e-6, `${value}, not ${wanted}`);

  it('has the integral of speed and power, and what lies between them', async () => {
    await store([speed, power, charge], 0, minutes(2, [60, 20, 80]));
    await store([speed, power, charge], 120, minutes(1, [30, -6, 79]));
    const { distance, energy, whPerKm, battery, speed: pace, steps } = await read();
    const metres = (120 * 60 + 60 * 30) * MPS_PER_MPH;
    near(distance?.metres, metres);
    near(distance?.withinMetres, 180 * 2 * MPS_PER_MPH);
    assert.deepEqual([distance?.by, distance?.knownS], ['speed', 180]);
    near(energy?.netKwh, (120 * 20 - 60 * 6) / 3_600);
    near(energy?.regainedKwh, (60 * 6) / 3_600);
    near(whPerKm ?? NaN, (present(energy).netKwh * 1e6) / metres);
    assert.deepEqual(battery, { first: 80, last: 79, least: 79 });
    near(pace?.maxMps, 60 * MPS_PER_MPH);
    near(steps.at(-1)?.metres ?? NaN, metres);
    assert.ok(steps.every(({ metres: one }, i) => i === 0 || present(one) > present(steps[i - 1]?.metres)));
  });

  it('gives the same distance from minutes and hours as from seconds', async () => {
    await store([speed, power], 0, minutes(3, [45, 10]));
    const { metres } = present((await read()).distance);
    near(present((await read(30n * 24n * HOUR_NS)).distance).metres, metres);
    near(present((await read(70n * 24n * HOUR_NS)).distance).metres, metres);
  });

  it('counts a drive backwards, and nothing while the speed is within its threshold of zero', async () => {
    await store([speed, power], 0, minutes(1, [-20, 2]));
    await store([speed, power], 60, minutes(1, [1.9, 0]));
    const { distance, speed: pace, whPerKm } = await read();
    near(distance?.metres, 60 * 20 * MPS_PER_MPH);
    assert.deepEqual([distance?.knownS, pace?.movingS], [120, 60]);
    near(distance?.withinMetres, (60 + 2 * 60) * 2 * MPS_PER_MPH);
    assert.ok(whPerKm !== null);
  });

  it('adds nothing for a time of which nothing is known, and leaves its steps out', async () => {
    await store([speed, power], 0, minutes(1, [30, 5]));
    await store([speed, power], 1_800, minutes(1, [30, 5]));
    const { distance, steps, stepS } = await read();
    near(distance?.metres, 120 * 30 * MPS_PER_MPH);
    assert.equal(stepS, 12);
    assert.equal(steps.length, 10);
  });

  it('takes the odometer where a robot sends one, unless it was set back', async () => {
    await store([speed, odometer], 0, minutes(1, [30, 1_000]));
    await store([speed, odometer], 60, minutes(1, [30, 1_002.5]));
    const { distance } = await read();
    assert.equal(distance?.by, 'odometer');
    near(distance.metres, 2_500);
    near(distance.withinMetres, 200);
    await store([speed, odometer], 120, minutes(1, [30, 3]));
    assert.equal((await read()).distance?.by, 'speed');
  });

  it('has no efficiency without a distance, and no drive without a vehicle', async () => {
    await store([speed, power], 0, [[10, 1]]);
    assert.equal((await read()).whPerKm, null);
    const span = { fromNs: startNs, toNs: startNs + HOUR_NS };
    assert.equal(await readDrive(database, { robot: 'arm', ...span }), undefined);
  });
});
