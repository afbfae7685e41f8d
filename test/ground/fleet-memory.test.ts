import assert from 'node:assert/strict';
import { silentLogger } from '../../src/core/logger.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { FleetMemory } from '../../src/ground/fleet-memory.js';
import { FleetTable } from '../../src/ground/fleet-table.js';
import { Fleet } from '../../src/ground/fleet.js';
import type { KnownRobot } from '../../src/ground/known-robot.js';
import { NS_PER_MS, NS_PER_S } from '../../src/core/clock.js';
import { systemClock } from '../../src/host/system-clock.js';
import { eventually } from '../../src/testing/waiting.js';
import { SimulatedClock } from '../support/simulated-clock.js';
import { onEveryPostgres } from './database/database-world.js';
import { DrivingRobot, GroundWorld } from './ground-world.js';

const VIN = '1ZZZ5A3T0RF000001';
const HEARD_NS = 1_700_000_000_123_456_000n;
const known: KnownRobot = {
  ...{ robot: 'robot_7', vin: VIN, version: '0.2.0', heardAtNs: HEARD_NS, reportedAtNs: HEARD_NS },
  status: { state: 'recording', pendingBytes: 5e9 },
  clockBehindS: -18_000.25,
  alerts: [],
  position: { latitude: 47.5, longitude: 8.5 },
};

onEveryPostgres('The memory of a fleet', (server) => {
  let database: Database;
  let world: GroundWorld;
  let clock: SimulatedClock;

  beforeEach(async () => {
    database = await server().connect();
    await migrate(database, migrations, silentLogger);
    await database.query('TRUNCATE fleet');
    world = await GroundWorld.start();
    clock = new SimulatedClock();
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  function open(fleet: Fleet): Promise<FleetMemory> {
    const { registry } = world;
    const table = new FleetTable(database);
    return FleetMemory.open({ table, fleet, view: fleet, registry, clock, logger: silentLogger });
  }

  function newFleet(): Fleet {
    return new Fleet(world.registry, { clock: systemClock, logger: silentLogger });
  }

  for (const [name, offNs] of [
    ['7 h ahead', 25_200n * NS_PER_S],
    ['5 h behind', -18_000n * NS_PER_S],
  ] as const)
    it(`shows a robot whose clock is ${name} after a restart as it was, and not connected`, async () => {
      const sinceNs = systemClock.now() - 90n * 60n * NS_PER_S;
      {
        await using _memory = await open(world.fleet);
        const token = await world.registry.enrol('robot_7');
        await using robot = new DrivingRobot('robot_7', world.url, token, offNs);
        const oldestUnsyncedAt = String(sinceNs + offNs);
        robot.facts = {
          ...robot.facts,
          figures: { state: 'recording', pendingBytes: 5e9, oldestUnsyncedAt, vin: VIN },
        };
        await world.seen('robot_7', 'its report', ({ status }) => status !== null);
      }
      using fleet = newFleet();
      await using _memory = await open(fleet);
      const [row] = fleet.rows();
      const { heardMs = 0, unsyncedSinceMs, status, ...rest } = row ?? {};
      assert.ok(Math.abs(Date.now() - heardMs) < 60_000);
      assert.ok(
        Math.abs(Number(sinceNs / NS_PER_MS) - (unsyncedSinceMs ?? 0)) < 60_000,
        `${unsyncedSinceMs}`,
      );
      assert.deepEqual([status?.pendingBytes, status?.vin], [5e9, VIN]);
      assert.deepEqual(rest, {
        ...{ robot: 'robot_7', vin: VIN, version: '0.1.0', connected: false },
        ...{ alerts: [], position: null },
        fields: { known: 0, absent: 0, unknown: 0 },
      });
      assert.equal(fleet.robot(VIN)?.robot, 'robot_7');
    });

  it('survives a kill of the ground with what was saved within the last 10 s', async () => {
    using fleet = newFleet();
    fleet.remember([known]);
    // A memory that nobody closes.
    await open(fleet);
    clock.pass(10_000);
    const table = new FleetTable(database);
    await eventually(async () => (await table.load()).length === 1);
    assert.deepEqual(await table.load(), [known]);
    using next = newFleet();
    await using _memory = await open(next);
    assert.deepEqual(next.known(), [known]);
    assert.deepEqual(next.rows()[0]?.position, known.position);
  });

  it('keeps what the process heard that heard the robot last', async () => {
    const table = new FleetTable(database);
    await table.save([known]);
    await table.save([{ ...known, heardAtNs: HEARD_NS - 1_000_000_000n, vin: '' }]);
    assert.deepEqual(await table.load(), [known]);
  });

  it('forgets a robot that was revoked, within a minute', async () => {
    await world.registry.enrol('robot_8');
    const table = new FleetTable(database);
    await table.save([known, { ...known, robot: 'robot_8', vin: '' }]);
    using fleet = newFleet();
    await using _memory = await open(fleet);
    assert.equal(fleet.rows().length, 2);
    for (let ms = 0; ms < 60_000; ms += 10_000) await clock.advance(10_000);
    await eventually(() => fleet.rows().length === 1, 'the end of robot_7');
    assert.deepEqual(
      (await table.load()).map(({ robot }) => robot),
      ['robot_8'],
    );
  });
});
