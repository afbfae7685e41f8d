import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import {
  VehicleLogger,
  type HoldfastError,
  type LoggerStats,
  type VehicleLoggerOptions,
} from '../../src/logger/entry.js';
import { loggerHost } from '../../src/logger/logger-host.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { LoggerPlace, ProgramRun, patient, pose, recorded } from './logger-support.js';
import { eventually } from '../../src/testing/waiting.js';

describe('a vehicle logger', function () {
  this.timeout(300_000);
  let place: LoggerPlace;
  const open: VehicleLogger[] = [];

  const logger = (options: Partial<VehicleLoggerOptions> = {}): VehicleLogger => {
    const made = new VehicleLogger({ vehicleId: 3, dir: place.csv, wal: place.wal, ...patient, ...options });
    open.push(made);
    return made;
  };

  beforeEach(async () => {
    place = await LoggerPlace.make();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
    await place[Symbol.asyncDispose]();
  });

  it('reports the size of its CSV files while it runs, and after it has ended', async () => {
    const log = logger();
    const sizeOf = (stats: LoggerStats): number =>
      present(stats.csv).files.find(({ path }) => path.endsWith('telemetry_vehicle_3.csv'))?.bytes ?? 0;
    for (let i = 0; i < 100; i++) log.logTelemetry({ timestamp: i, ...pose, yawRate: i });
    await eventually(
      () => present(log.stats().csv).written === 100 && sizeOf(log.stats()) > 1_000,
      'the rows',
    );
    const during = sizeOf(log.stats());
    for (let i = 0; i < 100; i++) log.logTelemetry({ timestamp: 100 + i, ...pose, yawRate: i });
    const after = sizeOf(await log.close());
    const { size } = await fs.stat(join(place.csv, 'telemetry_vehicle_3.csv'));
    assert.ok(during < after, `${during}, then ${after}`);
    assert.equal(after, size);
  });

  it('writes every entry once into a recording and into CSV files', async () => {
    const log = logger();
    const began = Date.now() / 1e3;
    const steering = log.channel('lateral_control', { error: 'float64', mode: 'string', round: 'uint32' });
    for (let i = 0; i < 500; i++) {
      assert.ok(log.logTelemetry({ timestamp: i / 100, ...pose, yawRate: i, state: 'follow, "1"' }));
      assert.ok(log.log(steering, { error: i / 3, mode: 'lane', round: i }));
      assert.ok(log.logLocalEstimation('lead', i / 100, { ...pose, acceleration: 0.5 }));
      if (i < 100) assert.ok(log.logFleetEstimation(2, i / 100, { 0: pose, 1: { ...pose, x: i } }));
    }
    const ended = Date.now() / 1e3;
    const stats = await log.close();
    assert.deepEqual([stats.logged, stats.written, stats.dropped, stats.rejected], [1600, 1600, 0, 0]);
    assert.deepEqual([stats.wal?.lost, stats.csv?.lost, stats.lastError], [0, 0, undefined]);

    const telemetry = await place.rows('telemetry_vehicle_3.csv');
    assert.equal(telemetry.length, 500);
    assert.equal(telemetry[7], '0.07,1.5,-2.25,0.1,3,7,NaN,NaN,NaN,NaN,NaN,NaN,"follow, ""1"""');
    const fleet = await place.rows('received_fleet_estimations_vehicle_3.csv');
    assert.equal(fleet.length, 200);
    const [timestamp, received, ...rest] = fleet[13]!.split(',');
    assert.deepEqual([timestamp, ...rest], ['0.06', '2', '1', '6', '-2.25', '0.1', '3']);
    // A second for a clock that is corrected meanwhile.
    assert.ok(Number(received) > began - 1 && Number(received) < ended + 1, received);
    const local = await place.rows('received_local_estimations_vehicle_3.csv');
    assert.match(local[499]!, /^4\.99,\d+\.\d{9},lead,1\.5,-2\.25,0\.1,3,0\.5$/);
    const own = await place.rows('lateral_control_vehicle_3.csv');
    assert.match(own[1]!, /^\d+\.\d{9},0\.3333333333333333,lane,1$/);

    const { values, gaps } = await recorded(place.wal.data);
    assert.deepEqual(gaps, []);
    assert.deepEqual(Object.fromEntries([...values].map(([topic, all]) => [topic, all.length])), {
      '/vehicle_3/telemetry': 500,
      '/vehicle_3/lateral_control': 500,
      '/vehicle_3/received_local_estimations': 500,
      '/vehicle_3/received_fleet_estimations': 100,
    });
    assert.equal(present(values.get('/vehicle_3/telemetry'))[9]!['yaw_rate'], 9);
    assert.equal(present(values.get('/vehicle_3/lateral_control'))[9]!['round'], 9);
  });

  it('drops entries beyond its queue and reports that, and the recording has the gap with their count', async () => {
    const told: HoldfastError[] = [];
    const log = logger({ queueEntries: 100, onError: (error) => told.push(error) });
    await log.ready();
    // In one turn of the loop: nobody can take anything away for the whole of it.
    let taken = 0;
    const started = Date.now();
    for (let i = 0; i < 50_000; i++) if (log.logTelemetry({ timestamp: i, ...pose })) taken++;
    const { dropped, queues } = log.stats();
    assert.ok(dropped > 0 && taken + dropped === 50_000, `${taken} taken, ${dropped} dropped`);
    assert.ok(queues['telemetry']!.entries <= 100);
    const stats = await log.close();
    assert.equal(stats.written, taken);
    assert.ok(told.some(({ code }) => code === 'LOGGER_QUEUE_FULL'));
    const { values, gaps } = await recorded(place.wal.data);
    assert.equal(present(values.get('/vehicle_3/telemetry')).length, taken);
    assert.deepEqual(
      [...new Set(gaps.map(({ reason, topic }) => `${reason} ${topic}`))],
      ['queue_full_drop_newest /vehicle_3/telemetry'],
    );
    assert.equal(
      gaps.reduce((sum, { count }) => sum + (count ?? 0), 0),
      dropped,
    );
    for (const { firstTime, lastTime } of gaps) {
      assert.ok(BigInt(present(firstTime)) <= BigInt(present(lastTime)));
      assert.ok(BigInt(present(firstTime)) >= BigInt(started - 1_000) * 1_000_000n);
    }
    const rows = await place.rows('gaps_vehicle_3.csv');
    assert.equal(
      rows.map((row) => row.split(',')).reduce((sum, [, , count]) => sum + Number(count), 0),
      dropped,
    );
  });

  it('never throws into the loop: every fault is counted, reported and a gap', async () => {
    const told: HoldfastError[] = [];
    const log = logger({
      onError: (error) => {
        told.push(error);
        throw new Error('a listener that fails');
      },
    });
    const anything = log as unknown as Record<string, (...all: unknown[]) => boolean>;
    const other = logger({ vehicleId: 4 }).channel('other', { a: 'bool' });
    const calls: [string, unknown[]][] = [
      ['logTelemetry', []],
      ['logTelemetry', [null]],
      ['logTelemetry', [{ timestamp: 1, ...pose, x: '1' }]],
      ['logTelemetry', [{ timestamp: 1, ...pose, state: 'x'.repeat(1e6) }]],
      ['logFleetEstimation', []],
      ['logFleetEstimation', [1, 2, 'no states']],
      ['logLocalEstimation', []],
      ['logLocalEstimation', [{}, 1, pose]],
      ['log', []],
      ['log', [other, { a: true }]],
      ['log', [{ name: 'telemetry' }, {}]],
    ];
    for (const [name, all] of calls) assert.equal(anything[name]!.apply(log, all), false, name);
    assert.equal(log.stats().rejected, calls.length);
    assert.ok(log.logTelemetry({ timestamp: 1, ...pose, x: NaN }));
    await eventually(() => told.some(({ code }) => code === 'LOGGER_INPUT_INVALID'), 'the problem told');
    await log.close();
    assert.equal(log.logTelemetry({ timestamp: 1, ...pose }), false);
    const stats = log.stats();
    assert.deepEqual([stats.rejected, stats.logged, stats.written], [calls.length + 1, 1, 1]);
    assert.equal(stats.queues['telemetry']!.notFinite, 1);
    assert.match(present(stats.queues['telemetry']!.lastRejection), /closed/);
    await open[1]!.close();
    const { gaps } = await recorded(place.wal.data);
    assert.ok(gaps.every(({ reason }) => reason === 'invalid_message'));
    assert.equal(
      gaps.reduce((sum, { count }) => sum + (count ?? 0), 0),
      calls.length,
    );
  });

  it('refuses wrong options with all faults at once', () => {
    const wrong = {
      vehicleId: -1,
      dir: 5,
      wal: { data: '', parameters: { 'segment.max_bytes': 'much', nonsense: 1, data: 'x' } },
      csv: { maxEntries: 0, unknown: 1 },
      queueEntries: 3.5,
      onError: 'loudly',
      exitDrainMs: -1,
      closeMs: NaN,
      more: true,
    };
    try {
      new VehicleLogger(wrong as unknown as VehicleLoggerOptions);
      assert.fail('was taken');
    } catch (error) {
      assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
      const paths = (error.facts['faults'] as { path: string }[]).map(({ path }) => path).sort();
      assert.deepEqual(paths, [
        'closeMs',
        'csv.maxEntries',
        'csv.unknown',
        'dir',
        'exitDrainMs',
        'more',
        'onError',
        'queueEntries',
        'vehicleId',
        'wal.data',
      ]);
    }
    for (const options of [undefined, null, 5, {}, { vehicleId: 1 }]) {
      assert.throws(
        () => new VehicleLogger(options as unknown as VehicleLoggerOptions),
        (error) => isHoldfastError(error, 'CONFIG_INVALID'),
      );
    }
    const parameters = { 'segment.max_bytes': 'much', nonsense: 1, sources: ['sim:'] };
    assert.throws(
      () => logger({ wal: { data: place.root, parameters } }),
      (error: Error) =>
        /segment\.max_bytes/.test(error.message) &&
        /nonsense/.test(error.message) &&
        /sources/.test(error.message),
    );
    const log = logger();
    const channel = log.channel.bind(log) as (name: unknown, fields: unknown) => unknown;
    for (const [name, fields] of [
      ['Telemetry', { a: 'bool' }],
      ['telemetry', { a: 'bool' }],
      ['fine', {}],
      ['fine', { a: 'float128' }],
      ['fine', { 'not a name': 'bool' }],
      ['fine', null],
      [5, 5],
    ]) {
      assert.throws(
        () => channel(name, fields),
        (error) => isHoldfastError(error, 'CONFIG_INVALID'),
      );
    }
    assert.equal(log.channel('fine', { a: 'bool' }), log.channel('fine', { a: 'bool' }));
    assert.throws(() => log.channel('fine', { a: 'int8' }), /has others already/);
  });

  it('has its vehicle for itself: a second one of the process is refused, by onError and stats', async () => {
    const first = logger();
    const told: HoldfastError[] = [];
    const second = logger({ onError: (error) => told.push(error) });
    assert.equal(second.logTelemetry({ timestamp: 1, ...pose }), false);
    await eventually(() => told.length > 0, 'the refusal');
    assert.equal(told[0]!.code, 'DATA_FOLDER_BUSY');
    assert.match(told[0]!.message, /vehicle 3/);
    assert.deepEqual([second.stats().state, second.stats().lastError], ['refused', told[0]]);
    assert.equal((await second.close()).rejected, 1);
    assert.ok(first.logTelemetry({ timestamp: 1, ...pose }));
    assert.equal((await first.close()).written, 1);
    const third = logger();
    assert.ok(third.logTelemetry({ timestamp: 2, ...pose }));
    assert.equal((await third.close()).written, 1);
    assert.equal((await place.rows('telemetry_vehicle_3.csv')).length, 2);
  });

  it('waits for a folder that another process has, and takes it when that one has ended', async () => {
    await using run = disposable(
      new ProgramRun({ options: { vehicleId: 3, dir: place.csv, wal: place.wal }, hz: 100 }),
    );
    await eventually(() => run.logged > 0, 'the other process', 30_000);
    const told: HoldfastError[] = [];
    const log = logger({ onError: (error) => told.push(error) });
    await eventually(() => {
      const { wal, csv } = log.stats();
      return wal?.state === 'failing' && csv?.state === 'failing';
    }, 'both folders refused');
    assert.ok(told.every(({ code }) => code === 'DATA_FOLDER_BUSY'));
    assert.match(present(present(log.stats().wal).lastError), /already running/);
    assert.ok(log.logTelemetry({ timestamp: -1, ...pose }));
    await run.kill('SIGKILL');
    await eventually(() => log.stats().written === 1, 'the entry written', 30_000);
    const stats = await log.close();
    assert.deepEqual([stats.written, stats.dropped], [1, 0]);
    assert.match(present((await place.rows('telemetry_vehicle_3.csv')).at(-1)), /^-1,/);
  });

  it('serves five vehicles of one process: one thread, one recording, files of each', async () => {
    const loggers = [0, 1, 2, 3, 4].map((vehicleId) => logger({ vehicleId }));
    await Promise.all(loggers.map((one) => one.ready()));
    for (let i = 0; i < 200; i++) {
      loggers.forEach((one, vehicle) => one.logTelemetry({ timestamp: i, ...pose, x: vehicle }));
    }
    // Closed one after the other: the recording stays open for those that are left.
    for (const one of loggers) assert.equal((await one.close()).written, 200);
    assert.equal(loggerHost().isWorkerAlive, false);
    const { values } = await recorded(place.wal.data);
    for (let vehicle = 0; vehicle < 5; vehicle++) {
      const all = present(values.get(`/vehicle_${vehicle}/telemetry`));
      assert.ok(all.length === 200 && all.every(({ x }) => x === vehicle));
      assert.equal((await place.rows(`telemetry_vehicle_${vehicle}.csv`)).length, 200);
    }
    const sealed = await fs.readdir(join(place.wal.data, 'sealed'));
    assert.ok([0, 1, 2, 3, 4].every((id) => sealed.some((name) => name.includes(`vehicle_${id}.mcap`))));
  });

  it('takes one folder for both, and agrees with the others on it', async () => {
    const both = { dir: place.wal.data };
    const first = logger(both);
    const second = logger({ ...both, vehicleId: 4, wal: undefined as unknown as string });
    for (const log of [first, second]) log.logTelemetry({ timestamp: 1, ...pose });
    assert.throws(() => logger({ ...both, vehicleId: 5, csv: { kept: 1 } }), /csv .*the same folder/);
    assert.throws(() => logger({ vehicleId: 5, wal: place.wal.data }), /wal .*the same folder/);
    assert.equal((await first.close()).written, 1);
    // The recorder has given the folder back: the one that is left takes it for itself.
    second.logTelemetry({ timestamp: 2, ...pose });
    const stats = await second.close();
    assert.deepEqual([stats.written, stats.csv?.lost], [2, 0]);
    assert.equal((await place.rows('telemetry_vehicle_4.csv', place.wal.data)).length, 2);
    assert.equal(present((await recorded(place.wal.data)).values.get('/vehicle_3/telemetry')).length, 1);
  });

  it('survives the death of its thread: queued messages are written, those in the thread are counted', async () => {
    const log = logger();
    await log.ready();
    for (let i = 0; i < 100; i++) log.logTelemetry({ timestamp: i, ...pose });
    await eventually(() => log.stats().written === 100, 'durable');
    await loggerHost().killThread();
    assert.equal(log.stats().worker.alive, false);
    for (let i = 100; i < 300; i++) assert.ok(log.logTelemetry({ timestamp: i, ...pose }));
    await eventually(() => log.stats().written === 300, 'the rest', 30_000);
    const stats = await log.close();
    assert.deepEqual(
      [stats.worker.restarts > 0, stats.dropped, present(stats.wal).lost, present(stats.csv).lost],
      [true, 0, 0, 0],
    );
    const { values } = await recorded(place.wal.data);
    const expected = Array.from({ length: 300 }, (_, i) => i);
    assert.deepEqual(
      present(values.get('/vehicle_3/telemetry')).map(({ timestamp }) => timestamp),
      expected,
    );
    assert.deepEqual(
      (await place.rows('telemetry_vehicle_3.csv')).map((row) => Number(row.split(',')[0])),
      expected,
    );
  });

  it('is disposed of more than once, and by await using', async () => {
    {
      await using log = logger({ wal: undefined as unknown as string });
      log.logTelemetry({ timestamp: 1, ...pose });
    }
    assert.equal((await place.rows('telemetry_vehicle_3.csv')).length, 1);
    const log = logger({ vehicleId: 'lead' });
    const [a, b] = await Promise.all([log.close(), log.close()]);
    assert.equal(a, b);
    assert.equal((await log.close()).state, 'closed');
  });
});

function disposable(run: ProgramRun): ProgramRun & AsyncDisposable {
  return Object.assign(run, { [Symbol.asyncDispose]: () => run.kill('SIGKILL') });
}
