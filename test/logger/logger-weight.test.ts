import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { VehicleLogger } from '../../src/logger/entry.js';
import { LoggerPlace, patient, pose } from './logger-support.js';
import { sleep } from '../../src/testing/waiting.js';

/** Niceness of every thread of this process (proc(5), /proc/pid/task/tid/stat). */
function threadNices(): number[] {
  return readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

describe('the cost of a logger for its program', function () {
  this.timeout(300_000);
  let place: LoggerPlace;
  beforeEach(async () => {
    place = await LoggerPlace.make();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  it('runs its thread at a lower priority than the program, and changes no other', async () => {
    const before = getPriority();
    const logger = new VehicleLogger({ vehicleId: 1, dir: place.csv, ...patient });
    await logger.ready();
    const { niceness } = logger.stats().worker;
    assert.ok(niceness > 0);
    assert.equal(getPriority(), before);
    assert.equal(threadNices().filter((nice) => nice === before + niceness).length, 1);
    await logger.close();
  });

  it('keeps its queues under 300 kB, which hold 1,000 entries of telemetry and of local estimates at once', async () => {
    const logger = new VehicleLogger({ vehicleId: 1, dir: place.csv, ...patient });
    for (let i = 0; i < 1_000; i++) {
      const sample = { timestamp: i, ...pose, yawRate: 1, acceleration: 1, steering: 1, steeringCommand: 1 };
      assert.ok(
        logger.logTelemetry({ ...sample, throttle: 1, brake: 1, vRef: 1, state: 'drive' }),
        String(i),
      );
      assert.ok(logger.logLocalEstimation(2, i, { ...pose, acceleration: 1 }), String(i));
    }
    const { queues } = logger.stats();
    const bytes = Object.values(queues).reduce((sum, { capacityBytes }) => sum + capacityBytes, 0);
    assert.ok(bytes < 300_000, `${bytes} bytes`);
    const { dropped, written } = await logger.close();
    assert.deepEqual([dropped, written], [0, 2_000]);
  });

  it('keeps 1,000 fleet estimates of five vehicles while the disk takes nothing', async () => {
    const dir = join(place.root, 'not-yet', 'logs');
    await fs.writeFile(join(place.root, 'not-yet'), '');
    const logger = new VehicleLogger({ vehicleId: 1, dir, ...patient });
    await logger.ready();
    const fleet = [1, 2, 3, 4, 5].map((vehicleId) => ({ vehicleId, ...pose }));
    const waiting = (): number => logger.stats().queues['received_fleet_estimations']!.entries;
    for (let i = 0; i < 1_000; i++) {
      assert.ok(logger.logFleetEstimation(2, i, fleet), String(i));
      // The thread moves them on as soon as it has its turn; a busy machine gives it late.
      while (i % 100 === 99 && waiting() > 100) await sleep(2);
    }
    await fs.rm(join(place.root, 'not-yet'));
    const { dropped, csv } = await logger.close();
    assert.deepEqual([dropped, csv?.lost, csv?.written], [0, 0, 1_000]);
  });
});
