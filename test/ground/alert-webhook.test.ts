import assert from 'node:assert/strict';
import { silentLogger } from '../../src/core/logger.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import type { FleetRow } from '../../src/ground/fleet-row.js';
import { eventually } from '../../src/testing/waiting.js';
import { SimulatedClock } from '../support/simulated-clock.js';
import { AlertingGround, AlertListener } from './alert-world.js';
import { onEveryPostgres } from './database/database-world.js';

const START_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

const status = { pendingBytes: 0, dropped: 5, diskFreeBytes: 1e9, lostSegments: 0 };
const well: FleetRow = {
  ...{ robot: 'robot_7', vin: '', version: '', connected: true, heardMs: START_MS, status },
  ...{ unsyncedSinceMs: null, alerts: [], position: null, fields: { known: 0, absent: 0, unknown: 0 } },
};
const losing: FleetRow = { ...well, status: { ...status, lostSegments: 1 } };

onEveryPostgres('The alerts of a ground at a web address', (server) => {
  let database: Database;
  let clock: SimulatedClock;
  let listener: AlertListener;
  let rows: readonly FleetRow[];

  beforeEach(async () => {
    database = await server().connect();
    await migrate(database, migrations, silentLogger);
    await database.query('TRUNCATE fleet_alerts');
    clock = new SimulatedClock();
    clock.nowMs = START_MS;
    listener = await AlertListener.listen();
    rows = [well];
  });
  afterEach(async () => {
    await listener[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  function start(isTeller = (): boolean => true): Promise<AlertingGround> {
    return AlertingGround.start({ clock, rows: () => rows, url: listener.url, queries: database }, isTeller);
  }

  const kinds: Record<string, Partial<FleetRow>> = {
    robot_silent: { connected: false },
    backlog_old: {
      status: { ...status, pendingBytes: 1e9 },
      unsyncedSinceMs: START_MS - 2 * HOUR_MS,
    },
    disk_time_to_full: { status: { ...status, diskTimeToFullMs: 1e6 } },
    drops: { status: { ...status, dropped: 6 } },
    segment_lost: { status: { ...status, lostSegments: 1 } },
  };
  for (const [kind, change] of Object.entries(kinds)) {
    it(`post ${kind} once when it is raised, and once when it is cleared`, async () => {
      await using ground = await start();
      await ground.pass(130_000);
      assert.deepEqual(listener.taken, []);
      rows = [{ ...well, ...change }];
      await ground.until(() => listener.taken.length > 0, 'the alert');
      if (kind !== 'drops') await ground.pass(600_000);
      assert.deepEqual(listener.taken, [`robot_7 ${kind} raised`]);
      rows = [{ ...well, status: { ...status, dropped: kind === 'drops' ? 6 : 5 } }];
      await ground.until(() => listener.taken.length > 1, 'the end of the alert');
      await ground.pass(600_000);
      assert.deepEqual(listener.taken, [`robot_7 ${kind} raised`, `robot_7 ${kind} cleared`]);
    });
  }

  it('are posted with the VIN of the vehicle, if it is known', async () => {
    await using ground = await start();
    rows = [losing];
    await ground.until(() => listener.taken.length > 0, 'the alert');
    rows = [{ ...well, vin: '1ZZZ5A3T0RF000001' }];
    await ground.until(() => listener.taken.length > 1, 'the end of the alert');
    assert.deepEqual(listener.vins, [undefined, '1ZZZ5A3T0RF000001']);
  });

  it('are posted again while the address answers 500, and finally once', async () => {
    await using ground = await start();
    listener.status = 500;
    rows = [losing];
    await ground.until(() => listener.refused === 3, 'three attempts');
    listener.status = 200;
    await ground.until(() => listener.taken.length > 0, 'the alert');
    await ground.pass(600_000);
    assert.deepEqual(listener.taken, ['robot_7 segment_lost raised']);
  });

  it('are given up after ten attempts, and the next change goes out', async () => {
    await using ground = await start();
    listener.status = 500;
    rows = [losing];
    await ground.until(() => listener.refused === 10, 'ten attempts');
    await ground.pass(900_000);
    assert.equal(listener.refused, 10);
    listener.status = 200;
    // The address never heard of the alert: its end is no news. The next one is.
    rows = [well];
    await ground.pass(60_000);
    rows = [losing];
    await ground.until(() => listener.taken.length > 0, 'the next alert');
    assert.deepEqual(listener.taken, ['robot_7 segment_lost raised']);
  });

  it('are not posted again after a restart, and their end is', async () => {
    rows = [losing];
    {
      await using ground = await start();
      await ground.until(() => listener.taken.length > 0, 'the alert');
    }
    await using ground = await start();
    await ground.pass(300_000);
    assert.deepEqual(listener.taken, ['robot_7 segment_lost raised']);
    rows = [well];
    await ground.until(() => listener.taken.length > 1, 'the end of the alert');
    assert.equal(listener.taken[1], 'robot_7 segment_lost cleared');
  });

  it('that ended before a restart, while the address was away, end after it', async () => {
    rows = [losing];
    {
      await using ground = await start();
      await ground.until(() => listener.taken.length > 0, 'the alert');
      listener.status = 500;
      rows = [well];
      await ground.until(() => listener.refused > 0, 'an attempt');
    }
    listener.status = 200;
    await using ground = await start();
    await ground.until(() => listener.taken.length > 1, 'the end of the alert');
    await ground.pass(300_000);
    assert.deepEqual(listener.taken, ['robot_7 segment_lost raised', 'robot_7 segment_lost cleared']);
  });

  it('that the address has not taken are posted after a restart', async () => {
    rows = [losing];
    listener.status = 500;
    {
      await using ground = await start();
      await ground.until(() => listener.refused > 0, 'an attempt');
    }
    listener.status = 200;
    await using ground = await start();
    await ground.until(() => listener.taken.length > 0, 'the alert');
    await ground.pass(60_000);
    assert.deepEqual(listener.taken, ['robot_7 segment_lost raised']);
  });

  it('name a robot that is silent since before a restart, after the time that each robot has', async () => {
    rows = [{ ...well, connected: false, heardMs: START_MS - HOUR_MS }];
    await using ground = await start();
    await ground.pass(110_000);
    assert.deepEqual(listener.taken, []);
    await ground.until(() => listener.taken.length > 0, 'the alert');
    assert.deepEqual(listener.taken, ['robot_7 robot_silent raised']);
  });

  it('end when the robot is revoked', async () => {
    rows = [losing];
    await using ground = await start();
    await ground.until(() => listener.taken.length > 0, 'the alert');
    rows = [];
    await ground.until(() => listener.taken.length > 1, 'the end of the alert');
    assert.equal(listener.taken[1], 'robot_7 segment_lost cleared');
    const kept = () => database.query('SELECT * FROM fleet_alerts');
    await eventually(async () => {
      await ground.pass(5_000);
      return (await kept()).length === 0;
    }, 'the alert to leave the table');
  });

  it('continue with another process of the ground, which repeats none', async () => {
    rows = [losing, { ...losing, robot: 'robot_8' }];
    let first = 'a';
    const a = await start(() => first === 'a');
    await using b = await start(() => first === 'b');
    await b.until(() => listener.taken.length === 2, 'both alerts');
    first = 'b';
    await a[Symbol.asyncDispose]();
    rows = [well, { ...losing, robot: 'robot_8' }];
    await b.until(() => listener.taken.length === 3, 'the end of one');
    await b.pass(60_000);
    assert.equal(listener.taken[2], 'robot_7 segment_lost cleared');
    assert.equal(listener.taken.length, 3);
  });
});
