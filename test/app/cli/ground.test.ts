import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { LiveParameter } from '../../../src/core/monitoring.js';
import { present } from '../../../src/core/present.js';
import type { AuditEntry } from '../../../src/ground/audit-log.js';
import type { RobotDetail, RobotView } from '../../../src/ground/robot-state.js';
import { eventually } from '../../../src/testing/waiting.js';
import { jsonOf, runCli, type CliProcess } from '../../support/cli.js';
import { cliSuite } from '../../support/cli-suite.js';

describe('holdfast ground', function () {
  this.timeout(120_000);
  let folder: string;
  const start = cliSuite('ground-cli', (made) => (folder = made));

  async function startGround(): Promise<{ ground: CliProcess; port: number }> {
    const place = ['--data', join(folder, 'ground'), '--listen', '127.0.0.1:0', '--database', 'none'];
    const ground = start('ground', ...place);
    await ground.waitFor(/listens.* port=\d+/);
    return { ground, port: Number(present(/ port=(\d+)/.exec(ground.output()))[1]) };
  }

  async function enrol(...robots: string[]): Promise<string> {
    const file = join(folder, 'tokens');
    let text = '# tokens of this recorder\n';
    for (const robot of robots) {
      const { stdout, exitCode } = await runCli(['ground', 'enrol', robot, '--data', join(folder, 'ground')]);
      assert.equal(exitCode, 0);
      text += stdout;
    }
    await writeFile(file, text, { mode: 0o600 });
    return file;
  }

  function record(port: number, tokens: string, ...args: string[]): CliProcess {
    return start(
      ...['record', '--source', 'csv:bundled?vehicles=2', '--data', join(folder, 'rec')],
      ...['--ground-url', `ws://127.0.0.1:${port}`, '--ground-token-file', tokens],
      ...['--no-foxglove', '--web-port', '0', ...args],
    );
  }

  const ask = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

  const robotsAt = async (port: number): Promise<readonly RobotView[]> =>
    (await ask<{ robots: RobotView[] }>(`http://127.0.0.1:${port}/api/robots`)).robots;

  it('shows the fields of a fleet that is recorded, and the savings in the status of the recorder', async () => {
    const { ground, port } = await startGround();
    const recorder = record(port, await enrol('vehicle1', 'vehicle2'));
    const robots = await eventually(async () => {
      const now = await robotsAt(port);
      return now.length === 2 && now.every(({ samples }) => samples > 20) && now;
    }, 'two robots');
    for (const { robot, fields, gaps, connected } of robots) {
      assert.ok(connected && gaps === 0);
      const speed = present(fields.find(({ path }) => path === 'v'));
      assert.deepEqual([speed.topic, speed.unit, speed.threshold], [`/${robot}/telemetry`, 'mph', 2]);
      assert.ok(speed.state === 'known' && Math.abs(present(speed.value)) <= 40);
      const latitude = present(fields.find(({ path }) => path === 'latitude'));
      assert.ok(Math.abs(present(latitude.value) - 47.4) < 0.1);
    }
    const [first] = await eventually(async () => {
      const now = await robotsAt(port);
      return now.every(({ vin }) => vin !== '') && now;
    }, 'their identification numbers');
    assert.match(present(first).vin, /^ZZZ[A-Z0-9]{14}$/);
    const byVin = await ask<RobotView>(`http://127.0.0.1:${port}/api/robots/${present(first).vin}`);
    assert.equal(byVin.robot, 'vehicle1');
    const web = present(/dashboard url=(\S+?)\/?\s/.exec(recorder.output()))[1];
    interface Uplink {
      readonly robots: readonly {
        readonly robot: string;
        readonly sentBytes: number;
        readonly fullBytes: number;
      }[];
    }
    const { services } = await ask<{ services: { uplink: Uplink } }>(`${web}/status`);
    assert.deepEqual(
      services.uplink.robots.map(({ robot }) => robot),
      ['vehicle1', 'vehicle2'],
    );
    assert.ok(services.uplink.robots.every(({ fullBytes }) => fullBytes > 0));
    recorder.child.kill('SIGTERM');
    assert.equal((await recorder.ended).exitCode, 0);
    await eventually(
      async () => (await robotsAt(port)).every(({ connected }) => !connected),
      'both have left',
    );
    ground.child.kill('SIGTERM');
    assert.equal((await ground.ended).exitCode, 0);
  });

  it('gives no command to a robot that takes none', async () => {
    const { port } = await startGround();
    record(port, await enrol('vehicle1'), '--no-ground-commands');
    const robot = `http://127.0.0.1:${port}/api/robots/vehicle1`;
    const state = async (): Promise<string | undefined> => {
      const answer = await fetch(robot);
      return answer.ok ? ((await answer.json()) as RobotDetail).status?.state : undefined;
    };
    await eventually(async () => (await state()) === 'recording', 'recording');
    const refused = await fetch(`${robot}/control/pause`, { method: 'POST' });
    assert.equal(refused.status, 409);
    assert.match(await refused.text(), /this robot takes no commands/);
    const { entries } = await ask<{ entries: AuditEntry[] }>(`http://127.0.0.1:${port}/api/audit`);
    assert.deepEqual(
      entries.map(({ command, state }) => [command, state]),
      [['pause', 'refused']],
    );
    assert.equal(await state(), 'recording');
  });

  it('gives a real recorder commands, and shows what comes of them', async () => {
    const { port } = await startGround();
    record(port, await enrol('vehicle1'));
    const robot = `http://127.0.0.1:${port}/api/robots/vehicle1`;
    const seen = (what: string, test: (robot: RobotDetail) => boolean): Promise<unknown> =>
      eventually(async () => {
        const answer = await fetch(robot);
        return answer.ok && test((await answer.json()) as RobotDetail);
      }, what);
    const give = async (name: string, body: object = {}): Promise<{ status: number; text: string }> => {
      const answer = await fetch(`${robot}/control/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: answer.status, text: await answer.text() };
    };
    await seen('recording', ({ status }) => status?.state === 'recording' && status.link === undefined);
    await seen('the open segment', ({ segments }) => segments.some(({ state }) => state === 'open'));
    assert.equal((await give('pause')).status, 200);
    await seen('paused', ({ status }) => status?.state === 'paused');
    assert.equal((await give('resume')).status, 200);
    await seen('recording again', ({ status }) => status?.state === 'recording');
    assert.equal((await give('mark_event', { label: 'gate 4', before_s: 1, after_s: 0 })).status, 200);
    await seen('the event', ({ events }) => events.some(({ label }) => label === 'gate 4'));
    assert.equal((await give('split')).status, 200);
    await seen('a sealed segment', ({ segments }) =>
      segments.some(({ state, messages = 0 }) => state === 'sealed' && messages > 0),
    );
    const set = await give('set_parameter', { parameter: 'topics.exclude', value: ['^/vehicle'] });
    assert.match(set.text, /topics.exclude is \[\\"\^\/vehicle\\"\]/);
    const fixed = await give('set_parameter', { parameter: 'durability.mode', value: 'os' });
    assert.deepEqual([fixed.status, /fixed while the recorder runs/.test(fixed.text)], [409, true]);
    const { parameters } = await ask<{ parameters: LiveParameter[] }>(`${robot}/parameters`);
    const excluded = parameters.find(({ name }) => name === 'topics.exclude');
    assert.deepEqual(excluded?.value, ['^/vehicle']);
    await seen('nothing is recorded any more', ({ status }) => status?.messagesPerS === 0);
    const refused = await give('sync_now');
    assert.deepEqual([refused.status, /ROLE_NOT_RUNNING/.test(refused.text)], [409, true], refused.text);
    assert.equal((await give('mark_event', { label: '' })).status, 400);
    const { entries } = await ask<{ entries: AuditEntry[] }>(`http://127.0.0.1:${port}/api/audit`);
    assert.deepEqual(
      entries.map(({ command, state }) => [command, state]),
      [
        ['sync_now', 'refused'],
        ['set_parameter', 'refused'],
        ['set_parameter', 'done'],
        ['split', 'done'],
        ['mark_event', 'done'],
        ['resume', 'done'],
        ['pause', 'done'],
      ],
    );
  });

  it('shows and sets live parameters and tags of a robot from the command line', async () => {
    const { port } = await startGround();
    record(port, await enrol('vehicle1'));
    await eventually(async () => (await robotsAt(port)).some(({ connected }) => connected), 'the robot');
    const parameters = (...words: string[]): ReturnType<typeof runCli> =>
      runCli(['ground', 'parameters', 'vehicle1', ...words, '--url', `http://127.0.0.1:${port}`]);
    const set = await parameters('topics.exclude', '^/vehicle', '^/camera', '--json');
    assert.deepEqual([set.exitCode, jsonOf(set)['value']], [0, ['^/vehicle', '^/camera']], set.stderr);
    assert.match((await parameters('topics.exclude')).stdout, /^topics\.exclude = \^\/vehicle \^\/camera /);
    assert.match((await parameters()).stdout, /^log\.level = info /m);
    const unknown = await parameters('durability.mode', 'os');
    assert.deepEqual(
      [
        unknown.exitCode === 0,
        /no live parameter durability.mode, allowed: .*log\.level/.test(unknown.stderr),
      ],
      [false, true],
      unknown.stderr,
    );
    const tags = (...words: string[]): ReturnType<typeof runCli> =>
      runCli(['ground', 'tags', 'vehicle1', ...words, '--url', `http://127.0.0.1:${port}`]);
    assert.equal((await tags('mission=m3', 'site=north', '--json')).exitCode, 0);
    const removed = await tags('site=', '--json');
    assert.deepEqual([removed.exitCode, jsonOf(removed)['tags']], [0, { mission: 'm3' }], removed.stderr);
    await eventually(async () => /^mission=m3\s*$/.test((await tags()).stdout), 'the ground knows the tags');
    const faulty = await tags('Mission=m3');
    assert.deepEqual([faulty.exitCode === 0, /Mission=m3/.test(faulty.stderr)], [false, true], faulty.stderr);
    const refused = await parameters('log.level', 'loud');
    assert.deepEqual(
      [refused.exitCode === 0, /log\.level/.test(refused.stderr)],
      [false, true],
      refused.stderr,
    );
  });

  it('adds, lists and revokes users, and says what is allowed', async () => {
    const user = (...words: string[]): ReturnType<typeof runCli> =>
      runCli(['ground', 'user', ...words, '--data', join(folder, 'ground')]);
    const { stdout } = await user('add', 'otto', '--role', 'operator');
    assert.match(stdout, /^otto:\S{43}\n$/);
    assert.equal((await user('list')).stdout, 'otto operator\n');
    assert.equal((await user('revoke', 'otto')).exitCode, 0);
    assert.notEqual((await user('revoke', 'otto')).exitCode, 0);
    assert.match((await user('add', 'otto', '--role', 'boss')).stderr, /allowed: viewer, operator, admin/);
    assert.match((await user('rename', 'otto')).stderr, /allowed: .*user add NAME/);
  });

  it('takes the fields of rules alone, and only of robots that have a token', async () => {
    const { port } = await startGround();
    const rule = '*/telemetry.v threshold=5 unit=km/h scale=3.6';
    record(port, await enrol('vehicle2'), '--ground-field', rule, '--no-ground-default-fields');
    const [robot] = await eventually(async () => {
      const now = await robotsAt(port);
      return now.some(({ samples }) => samples > 10) && now;
    }, 'a robot');
    assert.equal(robot?.robot, 'vehicle2');
    assert.deepEqual(
      robot.fields.map(({ path, unit, threshold }) => [path, unit, threshold]),
      [['v', 'km/h', 5]],
    );
  });

  it('records as before while the ground does not run, and says so once', async () => {
    const tokens = await enrol('vehicle1');
    const recorder = record(1, tokens);
    await recorder.waitFor(/the ground is out of reach/);
    await recorder.waitFor(/[1-9]\d* durable/);
    recorder.child.kill('SIGTERM');
    const { exitCode, stderr } = await recorder.ended;
    assert.equal(exitCode, 0);
    assert.equal(stderr.match(/the ground is out of reach/g)?.length, 1);
  });

  it('records as before if the token file cannot be used, and never shows what is in it', async () => {
    const tokens = join(folder, 'tokens');
    await writeFile(tokens, 'my-secret-word\n');
    const recorder = record(1, tokens);
    await recorder.waitFor(/the uplink to the ground cannot start; recording continues/);
    await recorder.waitFor(/[1-9]\d* durable/);
    assert.match(recorder.output(), /line 1 is no token of holdfast ground enrol/);
    assert.doesNotMatch(recorder.output(), /my-secret-word/);
  });

  it('enrols, lists and revokes robots, each with one JSON object', async () => {
    const data = join(folder, 'ground');
    const enrolled = jsonOf(await runCli(['ground', 'enrol', 'robot_7', '--data', data, '--json']));
    assert.match(String(enrolled['token']), /^robot_7:[\w-]{43}$/);
    assert.equal((await stat(data)).mode & 0o777, 0o700);
    const kept = await readFile(join(data, 'robots', 'robot_7.json'), 'utf8');
    assert.ok(!kept.includes(String(enrolled['token']).slice(8)));
    assert.deepEqual(jsonOf(await runCli(['ground', 'robots', '--data', data, '--json']))['robots'], [
      'robot_7',
    ]);
    assert.equal((await runCli(['ground', 'revoke', 'robot_7', '--data', data])).exitCode, 0);
    assert.equal((await runCli(['ground', 'revoke', 'robot_7', '--data', data])).exitCode, 1);
    assert.deepEqual(jsonOf(await runCli(['ground', 'robots', '--data', data, '--json']))['robots'], []);
  });

  it('refuses to play the bundled fleet with a shared database, before it connects to that', async () => {
    const shared = ['--database', 'postgres://ada:secret@127.0.0.1:1/fleet'];
    const run = await runCli(['ground', '--try-it', ...shared, '--data', join(folder, 'ground')]);
    assert.equal(run.exitCode, 1);
    const why =
      /--try-it plays its vehicles in one process.*for several.*--database embedded \(the default\) or none/s;
    assert.match(run.stderr, why);
    assert.doesNotMatch(run.stderr, /secret|not reach/);
  });

  it('says what is allowed, for limits of the backlog', async () => {
    const limits = ['--backlog-window', '5s', '--backlog-growth', 'much'];
    const place = ['--data', join(folder, 'ground'), '--database', 'none', '--listen', '127.0.0.1:0'];
    const run = await runCli(['ground', ...limits, ...place]);
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, /--backlog-window.*5s.*1min to 24h[\s\S]*--backlog-growth.*much.*such as 32MiB/);
  });

  it('names the address that it cannot listen on, as holdfast serve does', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    try {
      await once(taken, 'listening');
      const place = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
      const recording = join(folder, 'rec');
      await runCli(['record', '--source', 'sim:?robots=1&duration=1s', '--data', recording]);
      const ground = ['ground', '--data', join(folder, 'ground'), '--database', 'none'];
      for (const [args, listen] of [
        [ground, place],
        // Of no machine: it is for documents.
        [ground, '192.0.2.1:8090'],
        [['serve', recording], place],
      ] as const) {
        const { exitCode, stderr } = await runCli([...args, '--listen', listen]);
        assert.notEqual(exitCode, 0);
        assert.ok(stderr.includes(`--listen is "${listen}", allowed: an address of this machine`), stderr);
        assert.doesNotMatch(stderr, /\n +at /);
      }
    } finally {
      taken.close();
    }
  });

  it('says what is allowed, for actions, addresses, names and a missing token file', async () => {
    const cases: [string[], RegExp][] = [
      [
        ['ground', 'dance'],
        /ground dance: allowed: enrol ROBOT, revoke ROBOT, robots, user add NAME, user revoke NAME, user list, parameters ROBOT \[NAME \[VALUE...\]\], tags ROBOT \[NAME=VALUE...\], rebuild, migrate, or nothing/,
      ],
      [['ground', 'enrol'], /allowed: enrol ROBOT/],
      [['ground', 'parameters'], /allowed: enrol ROBOT/],
      [['ground', 'tags'], /allowed: enrol ROBOT/],
      [['ground', 'parameters', 'r', '--url', 'ws://x'], /--url is "ws:\/\/x", allowed: http/],
      [['ground', 'enrol', 'a/b'], /"a\/b" is no name of a robot/],
      [['ground', '--listen', '8090'], /--listen is "8090", allowed: an address and a port/],
      [['record', '--source', 'sim:', '--ground-url', 'ws://x'], /ground\.token_file/],
      [
        ['record', '--source', 'sim:', '--ground-url', 'http://x'],
        /a ws:\/\/, wss:\/\/, nats:\/\/ or natss:\/\/ address/,
      ],
      [
        [
          ...['record', '--source', 'sim:', '--ground-url', 'ws://x', '--ground-token-file', 't'],
          ...['--ground-certificate-file', 'c.pem'],
        ],
        /ground\.url.*"ws:\/\/x".*allowed: wss:\/\/ or natss:\/\/ together with ground\.certificate_file/,
      ],
      [['record', '--source', 'sim:', '--ground-field', '/x.y'], /TOPIC\.PATH threshold=N/],
    ];
    for (const [args, message] of cases) {
      const { exitCode, stderr } = await runCli([...args, '--data', join(folder, 'none')]);
      assert.match(stderr, message);
      assert.notEqual(exitCode, 0);
    }
  });
});
