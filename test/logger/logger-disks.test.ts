import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defined } from '../../src/core/defined.js';
import { present } from '../../src/core/present.js';
import { VehicleLogger, type HoldfastError, type LoggerStats } from '../../src/logger/entry.js';
import { coverReadOnly, mountExt4, mountRefusal, mountTmpfs } from '../faults/small-disk.js';
import { LoggerPlace, pose, recorded, small } from './logger-support.js';
import { lacking } from '../../src/testing/lacking.js';
import { eventually, sleep } from '../../src/testing/waiting.js';

const run = promisify(execFile);
const MB = 2 ** 20;

describe('a logger whose disk fails', function () {
  this.timeout(90_000);
  let place: LoggerPlace;
  const logs: VehicleLogger[] = [];
  const told: HoldfastError[] = [];

  beforeEach(async () => {
    place = await LoggerPlace.make();
    told.length = 0;
  });
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
    await place[Symbol.asyncDispose]();
  });

  const open = (folders: { readonly dir?: string; readonly data?: string }): VehicleLogger => {
    const parameters = { ...small, 'segment.max_bytes': '1MiB' };
    const log = new VehicleLogger({
      vehicleId: 1,
      ...defined({ dir: folders.dir }),
      ...(folders.data === undefined ? {} : { wal: { data: folders.data, parameters } }),
      onError: (error) => told.push(error),
      closeMs: 5_000,
    });
    logs.push(log);
    return log;
  };
  let next = 0;
  /** Logs so many, a few at a time as a loop does; returns how many were taken. */
  const loop = async (log: VehicleLogger, count: number): Promise<number> => {
    let taken = 0;
    for (let i = 0; i < count; i++) {
      if (log.logTelemetry({ timestamp: ++next, ...pose })) taken++;
      if (i % 50 === 49) await sleep(5);
    }
    return taken;
  };
  const balanced = ({ logged, written, wal, csv }: LoggerStats): void => {
    assert.equal(written, logged);
    assert.deepEqual([wal?.lost ?? 0, csv?.lost ?? 0], [0, 0]);
  };
  const sumOf = (gaps: readonly { readonly count?: number }[]): number =>
    gaps.reduce((sum, { count }) => sum + (count ?? 0), 0);

  it('full, and with space again: the queued entries are written, the others are a gap', async function () {
    const disk = await mountTmpfs(16 * MB);
    if (!disk) return lacking(this, 'mount', mountRefusal());
    try {
      const dir = join(disk.path, 'csv');
      const log = open({ dir });
      next = 0;
      await loop(log, 100);
      await eventually(() => log.stats().written === 100, 'the first rows');
      await disk.fill();
      await loop(log, 4_000);
      await eventually(() => log.stats().csv?.state === 'failing', 'the failure', 30_000);
      assert.ok(told.some(({ code, message }) => code === 'LOGGER_CSV_FAILED' && /ENOSPC/.test(message)));
      const { dropped } = log.stats();
      assert.ok(dropped > 0);
      await disk.unfill();
      await eventually(() => log.stats().written === log.stats().logged, 'the rest', 30_000);
      assert.equal(log.stats().csv?.state, 'open');
      await loop(log, 100);
      const stats = await log.close();
      balanced(stats);
      assert.deepEqual([stats.dropped, stats.logged], [dropped, 4_200 - dropped]);
      assert.equal((await place.rows('telemetry_vehicle_1.csv', dir)).length, stats.logged);
      const gaps = await place.rows('gaps_vehicle_1.csv', dir);
      assert.equal(sumOf(gaps.map((row) => ({ count: Number(row.split(',')[2]) }))), dropped);
    } finally {
      await Promise.all(logs.splice(0).map((log) => log.close()));
      await disk.remove();
    }
  });

  it('full under the recording: it waits, reports why, and continues with all queued entries', async function () {
    const disk = await mountTmpfs(32 * MB);
    if (!disk) return lacking(this, 'mount', mountRefusal());
    try {
      const data = join(disk.path, 'rec');
      const log = open({ data, dir: place.csv });
      next = 0;
      await loop(log, 100);
      await eventually(() => log.stats().written === 100, 'the first messages');
      await disk.fill();
      await loop(log, 500);
      await eventually(() => log.stats().wal?.state === 'failing', 'the stall', 30_000);
      assert.ok(
        told.some(({ message }) => /disk_full/.test(message)),
        JSON.stringify(told),
      );
      // The other disk is well.
      await eventually(() => log.stats().csv?.written === 600, 'the rows');
      await disk.unfill();
      await eventually(() => log.stats().wal?.written === 600, 'the messages', 30_000);
      balanced(await log.close());
      const { values, gaps } = await recorded(data);
      assert.equal(present(values.get('/vehicle_1/telemetry')).length, 600);
      assert.deepEqual(gaps, []);
    } finally {
      await Promise.all(logs.splice(0).map((log) => log.close()));
      await disk.remove();
    }
  });

  it('read-only at the start: nothing is thrown, and it begins by itself once it can', async function () {
    for (const folder of [place.csv, place.wal.data]) await fs.mkdir(folder);
    const uncover = await coverReadOnly(place.root);
    if (!uncover) return lacking(this, 'mount', mountRefusal());
    let covered = true;
    try {
      const log = open({ dir: place.csv, data: place.wal.data });
      next = 0;
      await loop(log, 300);
      const failing = await log.ready();
      assert.deepEqual([failing.wal?.state, failing.csv?.state], ['failing', 'failing']);
      await eventually(() => new Set(told.map(({ code }) => code)).size >= 1, 'both told');
      await uncover();
      covered = false;
      await eventually(() => log.stats().written === 300, 'everything written', 30_000);
      balanced(await log.close());
      assert.equal((await place.rows('telemetry_vehicle_1.csv')).length, 300);
    } finally {
      if (covered) await uncover();
    }
  });

  it('frozen: no call waits, the other sink continues, and all is balanced once it thaws', async function () {
    const disk = await mountExt4(32 * MB);
    if (!disk) return lacking(this, 'mount', mountRefusal());
    let frozen = false;
    const thaw = async (): Promise<void> => {
      if (frozen) await run('fsfreeze', ['-u', disk.path]);
      frozen = false;
    };
    try {
      const dir = join(disk.path, 'csv');
      const log = open({ dir, data: place.wal.data });
      next = 0;
      await loop(log, 100);
      await eventually(() => log.stats().written === 100, 'the first rows');
      try {
        await run('fsfreeze', ['-f', disk.path]);
        frozen = true;
      } catch (error) {
        return lacking(this, 'fsfreeze', String(error).split('\n')[0]!);
      }
      let logged = 100;
      await eventually(
        () => {
          for (let i = 0; i < 20; i++) if (log.logTelemetry({ timestamp: ++next, ...pose })) logged++;
          return (log.stats().wal?.written ?? 0) > 3_000;
        },
        'the recording has gone on without the CSV files',
        60_000,
      );
      assert.ok(present(log.stats().csv).written < 3_000);
      await thaw();
      const settled = (): boolean => {
        const { csv, wal } = log.stats();
        return present(csv).pending === 0 && present(wal).pending === 0;
      };
      await eventually(settled, 'both have settled', 30_000);
      const stats = await log.close();
      assert.equal(stats.logged, logged);
      assert.deepEqual([present(stats.wal).written, present(stats.wal).lost], [logged, 0]);
      assert.ok(present(stats.csv).lost > 0);
      assert.equal(present(stats.csv).written + present(stats.csv).lost, logged);
      assert.equal((await place.rows('telemetry_vehicle_1.csv', dir)).length, present(stats.csv).written);
      const gaps = await place.rows('gaps_vehicle_1.csv', dir);
      assert.equal(
        sumOf(gaps.map((row) => ({ count: Number(row.split(',')[2]) }))),
        present(stats.csv).lost + stats.dropped,
      );
      const { values } = await recorded(place.wal.data);
      assert.equal(present(values.get('/vehicle_1/telemetry')).length, logged);
    } finally {
      await thaw();
      await Promise.all(logs.splice(0).map((log) => log.close()));
      await disk.remove();
    }
  });

  it('for good: close still ends within its time, and counts the entries that were not written', async function () {
    const disk = await mountTmpfs(8 * MB);
    if (!disk) return lacking(this, 'mount', mountRefusal());
    try {
      const log = open({ dir: join(disk.path, 'csv') });
      next = 0;
      await loop(log, 100);
      await eventually(() => log.stats().written === 100, 'the first rows');
      await disk.fill();
      await loop(log, 300);
      const stats = await log.close();
      assert.equal(stats.state, 'closed');
      assert.ok(stats.written >= 100 && stats.written < 400, String(stats.written));
      assert.equal(present(stats.csv).written + present(stats.csv).lost, 400);
    } finally {
      await disk.remove();
    }
  });
});
