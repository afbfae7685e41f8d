import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { silentLogger } from '../../../src/core/logger.js';
import type { Channel } from '../../../src/core/message.js';
import { present } from '../../../src/core/present.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { PostgresDatabase } from '../../../src/ground/database/postgres-database.js';
import { RobotRegistry } from '../../../src/ground/robot-registry.js';
import type { RobotDetail, RobotView } from '../../../src/ground/robot-state.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { parseFieldRule } from '../../../src/settings/field-rule.js';
import { eventually } from '../../../src/testing/waiting.js';
import { NatsTransport } from '../../../src/uplink/link/nats-transport.js';
import { Outbox } from '../../../src/uplink/robot/outbox.js';
import { UplinkClient } from '../../../src/uplink/robot/uplink-client.js';
import { runCli, spawnCli, type CliProcess } from '../../support/cli.js';
import { NatsServer } from '../../support/nats.js';
import { PostgresServer, requirePostgres } from '../../support/postgres.js';

const ROBOTS = 200;
/** A loaded machine needs 1.5 s. */
const TAKEOVER_MS = 5_000;
/** Messages of each robot; telemetry has ten samples per second in any case. */
const MESSAGE_MS = 200;

interface Worker {
  readonly process: CliProcess;
  readonly url: string;
}

/** Two fields that move. */
function channelOf(robot: string): Channel {
  const data = new TextEncoder().encode('float64 v\nfloat64 w\n');
  return {
    ...{ robot, topic: '/speed', encoding: 'cdr', metadata: {}, latched: false },
    schema: { name: 'demo_msgs/msg/Speed', encoding: 'ros2msg', data },
  };
}

describe('Two processes of a ground', function () {
  this.timeout(180_000);
  let postgres: PostgresServer | undefined;
  let nats: NatsServer | undefined;
  let folder = '';
  let database: PostgresDatabase;
  let registry: RobotRegistry;
  let workers: Worker[] = [];
  let clients: UplinkClient[] = [];
  let timer: NodeJS.Timeout | undefined;

  before(async function () {
    requirePostgres(this);
    postgres = await PostgresServer.start();
    nats = await NatsServer.start();
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-workers-'));
  });
  after(async () => {
    await nats?.stop();
    await postgres?.[Symbol.asyncDispose]();
    if (folder !== '') await fs.rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    database = await PostgresDatabase.connect({ url: present(postgres).urlOf('postgres') }, silentLogger);
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    registry = new RobotRegistry(database, { fs, clock: systemClock, random: randomBytes });
    workers = await Promise.all([startWorker(), startWorker()]);
  });
  afterEach(async () => {
    clearInterval(timer);
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    clients = [];
    for (const { process } of workers) {
      process.child.kill('SIGKILL');
      await process.ended;
    }
    await database[Symbol.asyncDispose]();
  });

  const place = (): string[] => [
    '--database',
    present(postgres).urlOf('postgres'),
    '--data',
    join(folder, 'ground'),
  ];

  async function startWorker(): Promise<Worker> {
    const bus = ['--bus', `nats://${present(nats).address}`, '--listen', '127.0.0.1:0'];
    const process = spawnCli(['ground', ...place(), ...bus]);
    await process.waitFor(/listens.* port=\d+/);
    return { process, url: `http://127.0.0.1:${present(/ port=(\d+)/.exec(process.output()))[1]}` };
  }

  async function connect(robot: string): Promise<UplinkClient> {
    const token = await registry.enrol(robot);
    const ports = { clock: systemClock, logger: silentLogger, fs, randomBytes };
    const transport = new NatsTransport(`nats://${present(nats).address}`, token, {
      ...ports,
      random: randomBytes,
    });
    const run = randomBytes(8).readBigUInt64LE();
    const outbox = await Outbox.open(join(folder, `${robot}-${run}`), run, 1024 * 1024, {
      ...ports,
      random: randomBytes,
    });
    const rules = [present(parseFieldRule('*.v threshold=0.5')), present(parseFieldRule('*.w threshold=2'))];
    const obey = (): Promise<string> => Promise.resolve('done as asked');
    const facts = { figures: { state: 'recording' as const }, alerts: [], segments: [], events: [] };
    const client = new UplinkClient(
      { robot, version: '0.1.0', rules },
      { ...ports, transport, outbox, run, obey, facts: () => facts },
    );
    clients.push(client);
    return client;
  }

  /** All robots drive. */
  function drive(names: readonly string[]): void {
    const channels = names.map(channelOf);
    let step = 0;
    timer = setInterval(() => {
      step++;
      clients.forEach((client, i) => {
        const [now, angle] = [systemClock.now(), (step + i) / 10];
        const data = new CdrWriter()
          .begin()
          .f64(10 * Math.sin(angle))
          .f64(10 * Math.cos(angle))
          .finish();
        const channel = present(channels[i]);
        client.take({ kind: 'message', channel, data, receivedAt: now, publishedAt: now });
      });
    }, MESSAGE_MS);
  }

  const ask = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;
  const robotsAt = async ({ url }: Worker): Promise<readonly RobotView[]> =>
    (await ask<{ robots: RobotView[] }>(`${url}/api/robots`)).robots;
  /** Robots whose connection is at this process. */
  async function ownedBy({ url }: Worker): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return [...text.matchAll(/^holdfast_ground_robot_connected\S* 1$/gm)].length;
  }

  it('share 200 robots, and when one is killed the other takes them over, with no sample missing or twice', async () => {
    const [first, second] = [present(workers[0]), present(workers[1])];
    const names = Array.from({ length: ROBOTS }, (_, i) => `robot_${String(i).padStart(3, '0')}`);
    clients = await Promise.all(names.map(connect));
    drive(names);
    await eventually(
      async () => {
        const owned = await Promise.all(workers.map(ownedBy));
        return owned[0]! + owned[1]! === ROBOTS;
      },
      'all robots at one of the two',
      60_000,
    );
    const owned = await Promise.all(workers.map(ownedBy));
    assert.ok(
      owned.every((count) => count > ROBOTS / 5),
      `robots of each: ${owned.join(', ')}`,
    );
    const began = clients.map((client) => client.status().ticks);
    await eventually(() => clients.every((one, i) => one.status().ticks > present(began[i]) + 30), 'samples');
    for (const worker of workers) assert.equal((await robotsAt(worker)).length, ROBOTS);

    const killedAt = performance.now();
    first.process.child.kill('SIGKILL');
    await eventually(async () => (await ownedBy(second)) === ROBOTS, 'taken over', 60_000, 50);
    const tookMs = performance.now() - killedAt;
    assert.ok(tookMs < TAKEOVER_MS, `taken over after ${Math.round(tookMs)} ms`);

    const after = clients.map((client) => client.status().ticks);
    await eventually(() => clients.every((one, i) => one.status().ticks > present(after[i]) + 10), 'more');
    const counts = clients.map((client) => client.status().ticks);
    // Of each field, the samples at the ticks so far.
    const fieldsOf = (): Promise<readonly { ticks: number; stored: number; different: number }[]> =>
      database.query(
        'SELECT w.ticks, count(*) AS stored, count(DISTINCT s.tick) AS different ' +
          'FROM unnest($1::text[], $2::integer[]) AS w (robot, ticks) JOIN fields f USING (robot) ' +
          'JOIN samples s ON s.field = f.id AND s.tick < w.ticks GROUP BY f.id, w.ticks',
        [names, counts],
      );
    const stored = await eventually(
      async () => {
        const fields = await fieldsOf();
        return fields.length === 2 * ROBOTS && fields.every((one) => one.different === one.ticks) && fields;
      },
      'every sample',
      60_000,
      500,
    );
    assert.ok(
      stored.every((one) => one.stored === one.different),
      'no sample twice',
    );
    const [sums] = await database.query<{ samples: number; rolled: number }>(
      'SELECT (SELECT count(*) FROM samples WHERE value IS NOT NULL) AS samples, ' +
        '(SELECT sum(count) FROM samples_1h) AS rolled',
    );
    assert.equal(present(sums).rolled, present(sums).samples, 'none twice in the roll-ups');
  });

  it('show the same fleet on the pages of both, give commands to robots of the other, and forget revoked tokens', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `robot_${i}`);
    for (const name of names) await connect(name);
    drive(names);
    for (const worker of workers) {
      await eventually(async () => {
        const robots = await robotsAt(worker);
        return robots.length === 8 && robots.every(({ status }) => status?.state === 'recording');
      }, 'the whole fleet');
      const page = new WebSocket(`${worker.url.replace('http', 'ws')}/live`);
      const seen = new Set<string>();
      page.on('message', (data: Buffer) => {
        const { robots = [] } = JSON.parse(String(data)) as {
          robots?: { robot: string; connected?: boolean }[];
        };
        for (const { robot, connected } of robots) if (connected === true) seen.add(robot);
      });
      page.on('open', () => page.send(JSON.stringify({ type: 'auth', token: '' })));
      await eventually(() => seen.size === 8, 'the fleet on the page');
      page.close();
      for (const name of names) {
        const detail = await ask<RobotDetail>(`${worker.url}/api/robots/${name}`);
        assert.equal(detail.connected, true);
        const done = await fetch(`${worker.url}/api/robots/${name}/control/split`, { method: 'POST' });
        assert.equal(done.status, 200, `${name}: ${await done.text()}`);
      }
    }
    const revoked = await runCli(['ground', 'revoke', 'robot_3', ...place()]);
    assert.equal(revoked.exitCode, 0);
    const third = present(clients[3]);
    await eventually(() => /token is not/.test(third.status().reason), 'refused', 30_000);
    for (const worker of workers) {
      await eventually(
        async () => (await robotsAt(worker)).find(({ robot }) => robot === 'robot_3')?.connected === false,
        'gone everywhere',
      );
    }
    assert.equal(clients.filter((client) => client.status().state === 'open').length, 7);
  });
});

describe('holdfast ground --bus', function () {
  this.timeout(60_000);

  for (const [what, args, message] of [
    ['an address that is not of NATS', ['--bus', 'http://nats:4222'], /--bus is not valid, allowed: nats/],
    ['an address with a password', ['--bus', 'nats://me:secret@nats'], /--bus is not valid, allowed: nats/],
    ['a database that only one process has', ['--bus', 'nats://nats'], /--bus needs a database/],
    ['credentials without a bus', ['--bus-creds', 'x.creds'], /--bus-creds is only for --bus/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-bus-'));
      const place = ['--data', folder, '--database', 'none', '--listen', '127.0.0.1:0'];
      const { exitCode, stderr } = await runCli(['ground', ...place, ...args]);
      await fs.rm(folder, { recursive: true, force: true });
      assert.notEqual(exitCode, 0);
      assert.match(stderr, message);
      assert.ok(!stderr.includes('secret'));
    });
  }
});
