import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonOf, runCli, spawnCli } from '../../support/cli.js';

describe('holdfast fetch', function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-fetch-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('gets from a robot what it kept, and reports what is wrong with a request', async () => {
    const [data, path] = [join(folder, 'rec'), join(folder, 'store')];
    const store = `dir:${path}`;
    await mkdir(path);
    const source = 'sim:?robots=2&duration=2s&rate=max&topics=imu';
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
});
