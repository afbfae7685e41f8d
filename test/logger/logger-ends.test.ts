import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { VehicleLogger } from '../../src/logger/entry.js';
import { LoggerPlace, ProgramRun, patient, recorded, type Program } from './logger-support.js';
import { eventually } from '../../src/testing/waiting.js';

const COUNT = 900;

describe('the end of a program with a logger', function () {
  this.timeout(300_000);
  let place: LoggerPlace;
  beforeEach(async () => {
    place = await LoggerPlace.make();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const program = (more: Partial<Program>): ProgramRun =>
    new ProgramRun({ options: { vehicleId: 1, dir: place.csv, wal: place.wal, ...patient }, ...more });

  /** Opens and closes the folders again, as the next start would. */
  const startAgain = async (): Promise<void> => {
    const log = new VehicleLogger({ vehicleId: 1, dir: place.csv, wal: place.wal, ...patient });
    await log.ready();
    await log.close();
  };
  const timestamps = async (): Promise<{ readonly csv: number[]; readonly wal: number[] }> => {
    const { values } = await recorded(place.wal.data);
    return {
      csv: (await place.rows('telemetry_vehicle_1.csv')).map((row) => Number(row.split(',')[0])),
      wal: (values.get('/vehicle_1/telemetry') ?? []).map(({ timestamp }) => timestamp as number),
    };
  };
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

  for (const [end, code] of [
    ['return', 0],
    ['exit', 3],
    ['throw', 1],
  ] as const) {
    it(`by ${end} drains: no entry of its last moment is lost`, async () => {
      // All at once, before the thread even runs: only the end can write it.
      const run = program({ count: COUNT, end });
      assert.deepEqual(await run.ended, { code, signal: null });
      if (end === 'throw') assert.match(run.errors, /nobody catches this/);
      assert.equal(run.logged, COUNT);
      await startAgain();
      const { csv, wal } = await timestamps();
      assert.deepEqual(csv, upTo(COUNT));
      assert.deepEqual(wal, upTo(COUNT));
      // Properly ended: the next start finds nothing it has to explain.
      assert.deepEqual((await recorded(place.wal.data)).gaps, []);
    });
  }

  it('by SIGTERM is the default one: no signal is handled, the exit status is the signal', async () => {
    const run = program({ hz: 200 });
    await eventually(() => run.logged > 50, 'it runs', 30_000);
    run.child.kill('SIGTERM');
    assert.deepEqual(await run.ended, { code: null, signal: 'SIGTERM' });
    assert.doesNotMatch(run.text, /handles/);
  });

  it('by kill -9 loses at most as much as the options allow, and the next start recovers', async () => {
    const run = program({ hz: 1_000 });
    await eventually(() => run.logged > 1_500, 'it runs', 30_000);
    await run.kill('SIGKILL');
    // As a crash in the middle of a write leaves it.
    const path = join(place.csv, 'telemetry_vehicle_1.csv');
    await fs.appendFile(path, '12345,1,2');
    await startAgain();
    const { csv, wal } = await timestamps();
    // Numbers without a hole, and so many of them.
    assert.deepEqual(csv, upTo(csv.length));
    assert.deepEqual(wal, upTo(wal.length));
    // At 1 kHz a second is more than 100 entries; the busiest machine writes within it.
    assert.ok(run.logged - csv.length <= 1_000, `${run.logged - csv.length} rows lost`);
    assert.ok(run.logged - wal.length <= 1_000, `${run.logged - wal.length} messages lost`);
    const { gaps } = await recorded(place.wal.data);
    assert.deepEqual(
      gaps.map(({ reason }) => reason),
      ['unclean_end'],
    );
  });

  it('is not held up by the logger', async () => {
    const run = program({ hz: 500, count: 100, end: 'return' });
    const { code } = await run.ended;
    assert.equal(code, 0);
    await startAgain();
    assert.deepEqual((await timestamps()).csv, upTo(100));
  });
});
