import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { eventually } from '../../../src/testing/waiting.js';
import { jsonOf, runCli, spawnCli } from '../../support/cli.js';

describe('holdfast fetch', function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-fetch-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** The MCAP has messages, of this topic and this time only. */
  async function onlyImu(out: string, from = '1970-01-01', to = '2100-01-01'): Promise<void> {
    const cat = await runCli(['cat', join(out, 'export.mcap')]);
    assert.equal(cat.exitCode, 0, cat.stderr);
    const lines = cat.stdout.trim().split('\n');
    assert.ok(lines.length > 1);
    const [first, last] = [Date.parse(from), Date.parse(to)];
    for (const line of lines) {
      const { topic, time } = JSON.parse(line) as { topic: string; time: string };
      assert.match(topic, /imu$/);
      assert.ok(Date.parse(time) >= first && Date.parse(time) <= last, time);
    }
  }

  it('gets from a robot what it kept, and reports what is wrong with a request', async () => {
    const [data, path] = [join(folder, 'rec'), join(folder, 'store')];
    const store = `dir:${path}`;
    await mkdir(path);
    const source = 'sim:?robots=2&duration=2s&rate=max&topics=imu,odom';
    const record = await runCli(['record', '--source', source, '--data', data]);
    assert.equal(record.exitCode, 0, record.stderr);
    const sync = ['sync', '--data', data, '--store', store, '--upload', 'requested'];
    const { child, ended } = spawnCli([...sync, '--request-poll-ms', '200ms']);
    try {
      const wanted = ['--from', '1970-01-01', '--to', '2100-01-01', '--to-store', store];
      const past = [...wanted.slice(0, 3), new Date().toISOString(), ...wanted.slice(4)];
      const fetch = await runCli(['fetch', 'robot2', ...past, '--wait', '--json']);
      assert.equal(fetch.exitCode, 0, fetch.stderr + fetch.stdout);
      const [request] = jsonOf(fetch)['requests'] as { state: string; answers: { stored: unknown }[] }[];
      assert.equal(request?.state, 'done');
      const ls = await runCli(['ls', store, '--json']);
      const rows = jsonOf(ls)['segments'] as { robot: string; state: string }[];
      assert.deepEqual(
        rows.map(({ robot, state }) => `${robot} ${state}`),
        ['robot2 uploaded'],
      );
      const out = join(folder, 'out');
      const chosen = await runCli(['fetch', 'robot2', ...past, '--topics', '*/imu', '--out', out, '--json']);
      assert.equal(chosen.exitCode, 0, chosen.stderr + chosen.stdout);
      await onlyImu(out);
      const shown = await runCli(['fetch', 'robot2', '--to-store', store]);
      assert.match(shown.stdout, /^[0-9a-f]{32} done: 1 of 1 segments/m);
      assert.equal((await runCli(['verify', store])).exitCode, 0);
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
    const wrong = await runCli(['fetch', 'robot2', '--from', 'noon', '--days', '0', '--to-store', store]);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /--from.*noon[\s\S]*--to[\s\S]*--days/);
  });

  it('asks a ground, which brings the request to the robot over its uplink', async () => {
    const [data, path, groundData] = [join(folder, 'rec'), join(folder, 'store'), join(folder, 'ground')];
    await mkdir(path);
    const place = ['--listen', '127.0.0.1:0', '--store', `dir:${path}`];
    const ground = spawnCli(['ground', '--data', groundData, ...place]);
    const children = [ground];
    try {
      await ground.waitFor(/listens.* port=\d+/);
      const port = present(/ port=(\d+)/.exec(ground.output()))[1];
      const token = await runCli(['ground', 'enrol', 'robot1', '--data', groundData]);
      const tokenFile = join(folder, 'robot1.token');
      await writeFile(tokenFile, token.stdout, { mode: 0o600 });
      const uplink = ['--ground-url', `ws://127.0.0.1:${port}`, '--ground-token-file', tokenFile];
      const source = ['--source', 'sim:?robots=1&topics=imu,odom'];
      children.push(
        spawnCli([
          'record',
          ...source,
          '--data',
          data,
          '--segment-max-age-ms',
          '1s',
          '--no-foxglove',
          '--web-port',
          '0',
          ...uplink,
        ]),
      );
      children.push(spawnCli(['sync', '--data', data, '--store', `dir:${path}`, '--upload', 'requested']));
      const from = new Date(Date.now() - 60_000).toISOString();
      const to = await eventually(
        async () => {
          const ls = await runCli(['ls', data, '--json']);
          const rows = jsonOf(ls)['segments'] as { state: string }[] | undefined;
          return rows?.some(({ state }) => state !== 'open') === true ? new Date().toISOString() : undefined;
        },
        'a sealed segment',
        60_000,
      );
      const fetch = await runCli([
        ...['fetch', 'robot1', '--from', from, '--to', to, '--topics', '*/imu', '--json'],
        ...['--out', join(folder, 'out')],
        ...['--ground', `http://127.0.0.1:${port}`],
      ]);
      assert.equal(fetch.exitCode, 0, fetch.stderr + fetch.stdout);
      const [request] = jsonOf(fetch)['requests'] as { via: string; stored: { segments: number } }[];
      assert.ok(request !== undefined);
      assert.equal(request.via, 'uplink');
      assert.notEqual(request.stored.segments, 0);
      await onlyImu(join(folder, 'out'), from, to);
      assert.equal((await runCli(['verify', `dir:${path}`])).exitCode, 0);
    } finally {
      for (const { child, ended } of children.reverse()) {
        child.kill('SIGTERM');
        await ended;
      }
    }
  });
});
