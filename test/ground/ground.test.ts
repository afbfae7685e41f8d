import assert from 'node:assert/strict';
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { once } from 'node:events';
import { NS_PER_MS, NS_PER_S } from '../../src/core/clock.js';
import { present } from '../../src/core/present.js';
import { parseTime } from '../../src/core/parse-time.js';
import { RobotState } from '../../src/ground/robot-state.js';
import { eventually } from '../../src/testing/waiting.js';
import { encodeRobotMessage } from '../../src/uplink/protocol/uplink-messages.js';
import { DrivingRobot, GroundWorld, THRESHOLD } from './ground-world.js';

const HOURS_NS = 3_600_000_000_000n;

describe('The ground', () => {
  let world: GroundWorld;
  beforeEach(async () => {
    world = await GroundWorld.start();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  /** Compares what is shown now with what was measured at its time. */
  function assertShown(robot: DrivingRobot, name: string): void {
    const field = present(world.fleet.robot(name)).fields[0];
    if (field?.value === null || field === undefined) return;
    const measured = robot.speedAt(present(parseTime(present(field.measuredAt))));
    assert.ok(Math.abs(field.value - measured) <= THRESHOLD, `shown ${field.value}, measured ${measured}`);
  }

  async function enrolled(name: string, clockOffNs?: bigint): Promise<DrivingRobot> {
    return new DrivingRobot(name, world.url, await world.registry.enrol(name), clockOffNs);
  }

  it('shows the values of robots whose clocks are hours off, within the threshold, all the time', async () => {
    await using ahead = await enrolled('ahead', 7n * HOURS_NS);
    await using behind = await enrolled('behind', -5n * HOURS_NS);
    for (let round = 0; round < 15; round++) {
      const samples = world.fleet.robot('ahead')?.samples ?? 0;
      const more = await world.seen('ahead', 'more samples', (robot) => robot.samples > samples);
      assert.equal(more.gaps, 0);
      await world.seen('behind', 'samples', (robot) => robot.samples > 0);
      assertShown(ahead, 'ahead');
      assertShown(behind, 'behind');
    }
    const view = present(world.fleet.robot('ahead'));
    assert.equal(view.fields[0]?.state, 'known');
    assert.ok(Math.abs((view.clockBehindS ?? 0) + 7 * 3_600) < 30, `${view.clockBehindS}`);
  });

  it('keeps a VIN for the robot that was enrolled with it, although another robot says it', async () => {
    const [vin, otherVin] = ['1ZZZ5A3T0RF000001', '1ZZZ5A3T0RF000002'];
    const says = (name: string, token: string, said: string): DrivingRobot =>
      new DrivingRobot(name, world.url, token, 0n, { vin: () => said });
    const token = await world.registry.enrol('owner', vin);
    await using thief = says('thief', await world.registry.enrol('thief'), vin);
    await world.seen('thief', 'refused', ({ refusedVin }) => refusedVin === vin);
    thief.facts = { ...thief.facts, figures: { state: 'recording', vin } };
    const seen = await world.seen(
      'thief',
      'samples',
      ({ samples, status }) => samples > 5 && status?.vin === '',
    );
    assert.deepEqual([seen.vin, world.fleet.nameOf(vin)], ['', undefined]);
    {
      await using owner = says('owner', token, '');
      await world.seen('owner', 'its VIN', (robot) => robot.vin === vin && robot.refusedVin === '');
      assert.equal(world.fleet.nameOf(vin), 'owner');
      owner.facts = { ...owner.facts, figures: { state: 'recording', vin: otherVin } };
      await world.seen(
        'owner',
        'another vehicle',
        (robot) => robot.vin === '' && robot.refusedVin === otherVin,
      );
    }
    // The robot that was heard last, and only says it.
    await world.seen('thief', 'more samples', ({ samples }) => samples > seen.samples);
    assert.equal(world.fleet.nameOf(vin), 'owner');
    await world.registry.enrol('owner', '');
    await world.seen('thief', 'that the VIN is free', ({ refusedVin }) => refusedVin === '');
  });

  it('knows how long data waits on robots whose clocks are hours off, and no jitter of the way moves it', () => {
    const heardNs = 1_700_000_000_000_000_000n;
    const MINUTES_NS = 60n * NS_PER_S;
    for (const offNs of [7n * HOURS_NS, -5n * HOURS_NS]) {
      const robot = new RobotState('robot_7');
      const oldest = String(heardNs + offNs - 90n * MINUTES_NS);
      const report = (sequence: number, delayNs: bigint): void => {
        const timeNs = heardNs + offNs - delayNs;
        const figures = sequence === 1 ? { pendingBytes: 5e9, oldestUnsyncedAt: oldest } : {};
        const complete = sequence === 1;
        robot.reported.apply(
          { ...{ epoch: 1, sequence, complete, timeNs, figures }, unknown: [], segments: [], events: [] },
          heardNs,
        );
      };
      report(1, 0n);
      const sinceMs = Number((heardNs - 90n * MINUTES_NS) / NS_PER_MS);
      assert.equal(robot.row().unsyncedSinceMs, sinceMs);
      assert.equal(robot.view().unsyncedSince, new Date(sinceMs).toISOString().replace('Z', '000000Z'));
      report(2, NS_PER_S);
      assert.equal(robot.row().unsyncedSinceMs, sinceMs);
      // The clock was set.
      report(3, 60n * NS_PER_S);
      assert.equal(robot.row().unsyncedSinceMs, sinceMs + 60_000);
      const kept = RobotState.of(robot.known());
      assert.equal(kept.row().unsyncedSinceMs, sinceMs + 60_000);
    }
  });

  it('knows nothing after its restart until the robot has connected again, in a new epoch', async () => {
    await using robot = await enrolled('robot_7');
    await world.seen('robot_7', 'samples', ({ samples }) => samples > 3);
    await world.kill();
    assert.equal(await world.registry.nextEpoch('robot_7'), 2);
    await world.startServer();
    assert.equal(world.fleet.robot('robot_7'), undefined);
    const again = await world.seen('robot_7', 'samples again', ({ samples }) => samples > 0);
    assert.equal(again.fields[0]?.state, 'known');
    assertShown(robot, 'robot_7');
    assert.equal(robot.client.status().connections, 2);
    assert.equal(await world.registry.nextEpoch('robot_7'), 4);
  });

  it('lets a restarted robot take over from its earlier connection, even if that never ended', async () => {
    const first = await enrolled('robot_7');
    await world.seen('robot_7', 'samples', ({ samples }) => samples > 0);
    const token = await world.registry.enrol('robot_7');
    await using second = new DrivingRobot('robot_7', world.url, token, HOURS_NS);
    const isSecond = ({ clockBehindS }: { clockBehindS: number | null }): boolean =>
      clockBehindS !== null && clockBehindS < -3_000;
    await world.seen('robot_7', 'the second process', isSecond);
    assertShown(second, 'robot_7');
    await first[Symbol.asyncDispose]();
    assert.ok(isSecond(present(world.fleet.robot('robot_7'))), 'the first process has no say any more');
  });

  it('says that a robot has left, and keeps its last values with their times', async () => {
    const robot = await enrolled('robot_7');
    await world.seen('robot_7', 'samples', ({ samples }) => samples > 3);
    await robot[Symbol.asyncDispose]();
    const left = await world.seen('robot_7', 'left', ({ connected }) => !connected);
    assert.equal(left.fields[0]?.state, 'known');
    assertShown(robot, 'robot_7');
  });

  it('shows what a robot says about itself, and keeps it with its time when the robot has left', async () => {
    const robot = await enrolled('robot_7');
    const first = await world.seen('robot_7', 'a report', ({ status }) => status !== null);
    assert.deepEqual(first.status, robot.facts.figures);
    robot.facts = {
      figures: { state: 'paused', pendingBytes: 5e9 },
      alerts: [{ id: 'link_down', severity: 'warning', summary: 'no store', sinceMs: 5 }],
      segments: [{ segment: 'a', state: 'sealed', bytes: 7, gaps: 0 }],
      events: [{ id: 'e', label: 'gate', at: '5', from: '4', to: '6' }],
    };
    await world.seen('robot_7', 'the change', ({ status }) => status?.state === 'paused');
    await robot[Symbol.asyncDispose]();
    await world.seen('robot_7', 'left', ({ connected }) => !connected);
    const left = present(world.fleet.robot('robot_7'));
    assert.deepEqual(left.status, robot.facts.figures);
    const { alerts, segments, events } = left;
    assert.deepEqual({ figures: left.status, alerts, segments, events }, robot.facts);
    assert.ok(parseTime(present(left.reportedAt)) !== undefined);
  });

  it('disconnects a robot whose token was revoked, and refuses it then', async () => {
    await using robot = await enrolled('robot_7');
    await world.seen('robot_7', 'connected', ({ connected, samples }) => connected && samples > 0);
    await world.registry.revoke('robot_7');
    await world.seen('robot_7', 'disconnected', ({ connected }) => !connected);
    await eventually(() => robot.client.status().reason.includes('the token is not accepted'), 'refused');
  });

  it('tells a robot whose address has a path that nothing is there', async () => {
    const token = await world.registry.enrol('robot_7');
    await using robot = new DrivingRobot('robot_7', `${world.url}/fleet`, token);
    await eventually(
      () => /answered with 404: nothing is at this path/.test(robot.client.status().reason),
      'the reason',
    );
  });

  async function socketOf(token: string): Promise<WebSocket> {
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`${world.url}/uplink`, ['holdfast.uplink.v1'], { headers });
    await once(socket, 'open');
    return socket;
  }

  async function endOf(socket: WebSocket): Promise<string> {
    const [, reason] = (await once(socket, 'close')) as [number, Buffer];
    return String(reason);
  }

  const hello = (robot: string, protocol = 1): Uint8Array =>
    encodeRobotMessage({ kind: 'hello', protocol, robot, version: '', vin: '' });
  const frame = { epoch: 1, sequence: 1, firstTick: 0, ticks: 1, changes: [] };
  const report = encodeRobotMessage({
    kind: 'report',
    report: { epoch: 1, sequence: 1, complete: true, figures: {}, unknown: [], segments: [], events: [] },
  });
  const telemetry = encodeRobotMessage({ kind: 'telemetry', frame });

  const refusals: Record<string, [readonly Uint8Array[], RegExp]> = {
    'speaks for another robot': [[hello('robot_8')], /the token belongs to robot_7/],
    'speaks another version of the protocol': [[hello('robot_7', 2)], /protocol 2, allowed: 1/],
    'sends telemetry before its Hello': [[telemetry], /telemetry before the Welcome/],
    'reports before its Hello': [[report], /a report before the Welcome/],
    'says Hello twice': [[hello('robot_7'), hello('robot_7')], /a second Hello/],
    'begins with nonsense': [[Buffer.from('GET / HTTP/1.1')], /the first message is no Hello/],
    'sends more than one robot may': [
      [hello('robot_7'), ...Array.from({ length: 600 }, () => Buffer.from('x'))],
      /more messages than one robot may send/,
    ],
  };
  for (const [what, [messages, reason]] of Object.entries(refusals)) {
    it(`ends the connection of a robot that ${what}, and serves the others`, async () => {
      await using other = await enrolled('other');
      const socket = await socketOf(await world.registry.enrol('robot_7'));
      for (const one of messages) socket.send(one);
      assert.match(await endOf(socket), reason);
      await world.seen('other', 'samples', ({ samples, gaps }) => samples > 0 && gaps === 0);
      assertShown(other, 'other');
    });
  }

  it('ends the connection of a robot whose few bytes stand for too many values, and serves the others', async () => {
    await using other = await enrolled('other');
    const socket = await socketOf(await world.registry.enrol('robot_7'));
    socket.send(hello('robot_7'));
    await once(socket, 'message');
    const fields = Array.from({ length: 60 }, (_, index) => ({
      ...{ topic: '/t', path: `f${index}`, unit: '', threshold: 1, quantum: 0, everyTicks: 1 },
      predictor: 'hold' as const,
    }));
    const full = {
      ...{ run: 1n, catalogueVersion: 1, values: fields.map(() => 1) },
      catalogue: { version: 1, tickNs: 1e8, fields },
    };
    const send = (sequence: number, firstTick: number, ticks: number, more: object): void => {
      const one = { epoch: 1, sequence, firstTick, ticks, changes: [], ...more };
      socket.send(encodeRobotMessage({ kind: 'telemetry', frame: one }));
    };
    send(1, 0, 1, { full, timeNs: 1_700_000_000_000_000_000n });
    // 48,060 values are the allowance of 5 s, 60,060 are not.
    send(2, 1, 800, {});
    await world.seen('robot_7', 'samples', ({ samples }) => samples === 801);
    send(3, 801, 200, {});
    assert.match(await endOf(socket), /more values than one robot may send/);
    assert.equal(present(world.fleet.robot('robot_7')).samples, 801);
    await world.seen('other', 'samples', ({ samples, gaps }) => samples > 0 && gaps === 0);
    assertShown(other, 'other');
  });

  it('takes five connections of a robot within 10 s, then none, and serves the others', async () => {
    await using other = await enrolled('other');
    const token = await world.registry.enrol('robot_7');
    for (let i = 0; i < 5; i++) await socketOf(token);
    assert.equal(await endOf(await socketOf(token)), 'too many connections, wait 10 s');
    assert.equal(await world.registry.nextEpoch('robot_7'), 1, 'it cost no epoch');
    await world.seen('other', 'samples', ({ samples }) => samples > 0);
    assertShown(other, 'other');
  });

  it('counts nonsense in the middle of a connection, and asks for a full frame', async () => {
    const socket = await socketOf(await world.registry.enrol('robot_7'));
    const received: Buffer[] = [];
    socket.on('message', (data: Buffer) => received.push(data));
    socket.send(hello('robot_7'));
    await eventually(() => received.length === 1, 'the Welcome');
    socket.send(Buffer.from([0xff, 0xff]));
    await eventually(() => received.length === 2, 'the request');
    assert.equal(world.fleet.robot('robot_7')?.unusable, 1);
    socket.terminate();
  });

  interface Answer {
    readonly status: number;
    readonly body: string;
  }

  const ask = (path: string, method = 'GET', host = `127.0.0.1:${world.port}`): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const asked = request({ port: world.port, host: '127.0.0.1', path, method, headers: { host } });
      asked.on('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
      asked.on('error', reject).end();
    });

  it('answers with robots, their fields and metrics', async () => {
    await using _robot = await enrolled('robot_7');
    await world.seen('robot_7', 'samples', ({ samples }) => samples > 0);
    const { robots } = JSON.parse((await ask('/api/robots')).body) as { robots: { robot: string }[] };
    assert.deepEqual(
      robots.map(({ robot }) => robot),
      ['robot_7'],
    );
    const one = JSON.parse((await ask('/api/robots/robot_7')).body) as { fields: unknown[] };
    assert.equal(one.fields.length, 1);
    assert.match((await ask('/metrics')).body, /^holdfast_ground_robot_connected\{robot="robot_7"\} 1$/m);
    assert.deepEqual(await ask('/healthz'), { status: 200, body: '{"ok":true}' });
  });

  it('answers no unknown path, no other method and no foreign name', async () => {
    assert.equal((await ask('/api/robots/nobody')).status, 404);
    assert.equal((await ask('/api/robots', 'POST')).status, 405);
    const { status, body } = await ask('/api/robots/robot_7/past');
    assert.equal(status, 404);
    assert.match(body, /nothing at .*past.*, allowed: .*\/api\/robots\/\{robot\}\/control\/\.\.\., /);
    const page = await ask('/fleet');
    assert.match(page.body, /nothing at .*\/fleet.*, allowed: \/, \/api\/\.\.\., .*see \/api\/openapi\.json/);
    const uplink = await ask('/uplink');
    assert.deepEqual([uplink.status, uplink.body.includes('a WebSocket')], [426, true]);
    assert.equal((await ask('/api/robots', 'GET', 'evil.example')).status, 403);
    assert.equal((await ask('/api/robots', 'GET', 'localhost')).status, 200);
  });
});
