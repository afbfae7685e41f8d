import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defined } from '../../../src/core/defined.js';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import type { Database } from '../../../src/ground/database/database.js';
import { HistoryWriter } from '../../../src/ground/history/history-writer.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';
import { Outbox } from '../../../src/uplink/robot/outbox.js';
import { EmbeddedServer } from '../database/database-world.js';
import { DrivingRobot, GroundWorld, THRESHOLD } from '../ground-world.js';
import { PostgresDatabase } from '../../../src/ground/database/postgres-database.js';
import { migrate } from '../../../src/ground/database/migrate.js';

interface Row {
  readonly at: bigint;
  readonly run: number;
  readonly tick: number;
  readonly value: number | null;
}

describe('The history after an outage', function () {
  this.timeout(120_000);
  let server: EmbeddedServer;
  let database: Database;
  let history: HistoryWriter;
  let ground: GroundWorld;
  let folder: string;

  before(async () => {
    server = await EmbeddedServer.start();
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-outage-'));
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await fs.rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    database = await PostgresDatabase.connect(server.server.place, silentLogger);
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    openHistory();
    ground = await GroundWorld.start(history);
  });
  afterEach(async () => {
    await ground[Symbol.asyncDispose]();
    await history[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  function openHistory(): void {
    history = new HistoryWriter(
      database,
      { sampleDays: 30, rollUpDays: 60 },
      { clock: systemClock, logger: silentLogger },
    );
  }

  async function driving(name: string, clockOffNs = 0n, vin?: () => string): Promise<DrivingRobot> {
    const token = await ground.registry.enrol(name);
    const run = randomBytes(8).readBigUInt64LE();
    const ports = { fs, clock: systemClock, logger: silentLogger, random: randomBytes };
    const outbox = await Outbox.open(join(folder, name), run, 1024 * 1024, ports);
    return new DrivingRobot(name, ground.url, token, clockOffNs, { outbox, run, ...defined({ vin }) });
  }

  const rowsOf = (): Promise<readonly Row[]> =>
    database.query<Row>('SELECT at, run, tick, value FROM samples ORDER BY run, tick');

  /** Waits until the robot has nothing left to send but what is on its way, and returns the stored samples. */
  async function complete(robot: DrivingRobot): Promise<readonly Row[]> {
    const { ticks } = robot.client.status();
    await eventually(
      async () => {
        const stored = await database
          .query<{ n: number }>('SELECT count(*) AS n FROM samples')
          .catch(() => []);
        return (stored[0]?.n ?? 0) >= ticks && robot.client.status().waitingSamples < 60;
      },
      'everything stored',
      60_000,
    );
    return rowsOf();
  }

  /** No hole within a run, none twice, none beyond the threshold. */
  function assertExact(rows: readonly Row[], robot: DrivingRobot): void {
    rows.forEach((row, i) => {
      const before = rows[i - 1];
      if (before?.run === row.run) assert.equal(row.tick, before.tick + 1, 'consecutive ticks');
      const measured = robot.speedAt(row.at);
      const off = Math.abs(present(row.value) - measured);
      assert.ok(off <= THRESHOLD, `tick ${row.tick}: stored ${row.value}, measured ${measured}`);
    });
  }

  it('keeps no sample, and notes no hole, under a VIN that another robot was enrolled with', async () => {
    const vin = '1ZZZ5A3T0RF000001';
    await ground.registry.enrol('owner', vin);
    await using robot = await driving('thief', 0n, () => vin);
    await ground.seen('thief', 'samples', ({ samples }) => samples > 10);
    await ground.kill();
    const { ticks } = robot.client.status();
    await eventually(() => robot.client.status().ticks > ticks + 15, 'an outage');
    await ground.startServer();
    assert.ok((await complete(robot)).length > 25);
    const vins = await database.query('SELECT DISTINCT robot, vin FROM fields');
    assert.deepEqual(vins, [{ robot: 'thief', vin: '' }]);
    assert.deepEqual(await database.query('SELECT FROM vehicles WHERE vin = $1', [vin]), []);
  });

  it('has no hole where the ground was down, and forgets nothing that it did not confirm', async () => {
    await using robot = await driving('robot_1');
    await ground.seen('robot_1', 'samples', ({ samples }) => samples > 10);
    for (let round = 0; round < 2; round++) {
      await ground.kill();
      const { ticks } = robot.client.status();
      await eventually(() => robot.client.status().ticks > ticks + 15, 'an outage');
      await ground.startServer();
      await ground.seen('robot_1', 'live samples', ({ samples }) => samples > 5);
    }
    const rows = await complete(robot);
    assert.equal(rows[0]?.tick, 0);
    assertExact(rows, robot);
    assert.equal(robot.client.status().lostSamples, 0);
  });

  for (const [hours, where] of [
    [-7n, 'behind'],
    [9n, 'ahead'],
  ] as const) {
    it(`has no hole for a robot whose clock is hours ${where}, on the clock of the robot`, async () => {
      const offNs = hours * 3_600_000_000_000n;
      await using robot = await driving(`robot_${where}`, offNs);
      await ground.seen(`robot_${where}`, 'samples', ({ samples }) => samples > 5);
      await ground.kill();
      const { ticks } = robot.client.status();
      await eventually(() => robot.client.status().ticks > ticks + 15, 'an outage');
      await ground.startServer();
      const rows = await complete(robot);
      assert.equal(rows[0]?.tick, 0);
      assertExact(rows, robot);
      const newest = present(rows.at(-1)).at - offNs;
      const behindNs = systemClock.now() - newest;
      assert.ok(behindNs > -1_000_000_000n && behindNs < 60_000_000_000n, `${behindNs} ns behind`);
    });
  }

  it('keeps two vehicles apart between which the computer moved while the ground was down', async () => {
    const [first, second] = ['1ZZZ5A3T0RF000001', '1ZZZ5A3T0RF000002'];
    const ticksOf = async (name: string): Promise<number[]> => {
      const rows = await database.query<{ run: number; tick: number }>(
        'SELECT run, tick FROM samples WHERE field IN (SELECT id FROM fields_named($1)) ORDER BY run, tick',
        [name],
      );
      return rows.map(({ run, tick }) => run * 1_000_000 + tick);
    };
    {
      await using robot = await driving('mover', 0n, () => first);
      await ground.seen('mover', 'samples', ({ samples }) => samples > 5);
      await ground.kill();
      const { ticks } = robot.client.status();
      await eventually(() => robot.client.status().ticks > ticks + 15, 'an outage');
    }
    // The next process finds the outbox of the last one, which this ground has never heard of.
    await ground.startServer();
    let vin = '';
    await using robot = await driving('mover', 0n, () => vin);
    await ground.seen('mover', 'samples', ({ samples }) => samples > 5);
    vin = second;
    await eventually(async () => (await ticksOf(second)).length > 20, 'samples of the second vehicle');
    const all = await complete(robot);
    const runs = [...new Set(all.map((row) => row.run))];
    assert.equal(runs.length, 2);
    const own = all.filter((row) => row.run === runs[0]).map((row) => row.run * 1_000_000 + row.tick);
    assert.deepEqual(await ticksOf(first), own, 'everything of the first run, and nothing else');
    assert.ok(own.length > 20);
    const ofSecond = await ticksOf(second);
    assert.ok(ofSecond.every((one) => !own.includes(one)));
    // The seconds before a channel said the VIN may be of either vehicle: only the name leads to them.
    const unknown = all.length - own.length - ofSecond.length;
    assert.ok(unknown > 5 && unknown < 60, `${unknown} samples before the VIN was known`);
    assert.equal((await ticksOf('mover')).length, all.length);
  });

  it('has no hole where the database was killed, while the robot stayed connected', async () => {
    await using robot = await driving('robot_2');
    for (let round = 0; round < 2; round++) {
      const before = history.status().stored;
      await eventually(() => history.status().stored > before + 10, 'stored samples');
      await server.kill();
    }
    const atKill = history.status().stored;
    // Until the server has died, it still answers.
    await eventually(() => history.status().stored > atKill + 10, 'samples stored by the next server');
    const rows = await complete(robot);
    assert.equal(rows[0]?.tick, 0);
    assertExact(rows, robot);
  });

  it('has every sample of a robot that ended, once it has started again', async () => {
    const first = await driving('robot_3');
    await ground.seen('robot_3', 'samples', ({ samples }) => samples > 10);
    await ground.kill();
    const { ticks } = first.client.status();
    await eventually(() => first.client.status().ticks > ticks + 10, 'an outage');
    const last = first.client.status().ticks;
    await first[Symbol.asyncDispose]();
    await ground.startServer();
    await using second = await driving('robot_3');
    const rows = await eventually(async () => {
      const found = await rowsOf();
      const old = found.filter(({ run }) => run === found[0]?.run);
      return old.length >= last ? old : undefined;
    }, 'the samples of the earlier process');
    assertExact(rows, first);
    assert.equal(rows[0]?.tick, 0);
    assert.ok(second.client.status().ticks > 0);
  });
});
