import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import type { RecorderStatus, SyncStatus } from '../../../src/core/status.js';
import { askRole } from '../../../src/app/control/control-client.js';
import { commands } from '../../../src/app/cli/commands.js';
import { jsonOf, runCli } from '../../support/cli.js';
import { cliSuite } from '../../support/cli-suite.js';
import { eventually } from '../../../src/testing/waiting.js';

describe('the command line', function () {
  this.timeout(120_000);
  let folder: string;
  let data: string;
  const start = cliSuite('cli', (made) => {
    folder = made;
    data = join(folder, 'rec');
  });

  /** Asks until the role answers and the condition holds. */
  const until = <T extends object>(role: 'recorder' | 'sync', holds: (status: T) => boolean): Promise<T> =>
    eventually(async () => {
      const status = (await askRole(data, role, 'status').catch(() => undefined)) as T | undefined;
      return status !== undefined && holds(status) ? status : undefined;
    }, `the right status of ${role}`);

  const recording = (status: RecorderStatus): boolean => status.totals.durable > 100;
  const endless = 'sim:?robots=1&topics=imu,odom';

  it('explains every command, with examples', async () => {
    const { stdout, exitCode } = await runCli(['--help']);
    assert.equal(exitCode, 0);
    for (const { name } of commands) assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
    const help = await runCli(['record', '--help']);
    assert.equal(help.exitCode, 0);
    assert.match(help.stdout, /Examples:[\s\S]+holdfast record --source/);
    assert.match(help.stdout, /--segment-max-bytes <size>.*\n?.*default: 64MiB/);
  });

  it('records, syncs, lists, verifies, prints and replays, each with one JSON object at the end', async () => {
    const store = `dir:${join(folder, 'store')}`;
    await mkdir(join(folder, 'store'));
    const source = 'sim:?robots=2&duration=2s&rate=max&topics=imu,gps,tf_static';
    const record = await runCli(['record', '--source', source, '--data', data, '--json']);
    assert.equal(record.exitCode, 0, record.stderr);
    const received = jsonOf(record)['received'] as number;
    assert.ok(received > 100);
    assert.equal(jsonOf(record)['durable'], received);

    const sync = await runCli(['sync', '--data', data, '--store', store, '--drain', '--json']);
    assert.equal(sync.exitCode, 0, sync.stderr);
    assert.deepEqual(jsonOf(sync)['segments'], {
      verified: 2,
      parked: 0,
      pending: 0,
      lost: 0,
      retrying: 0,
      held: 0,
    });

    for (const from of [data, store]) {
      const ls = await runCli(['ls', from, '--json']);
      const rows = jsonOf(ls)['segments'] as { state: string; robot: string; messages: number }[];
      assert.deepEqual(
        rows.map(({ state, robot }) => `${state} ${robot}`),
        ['uploaded robot1', 'uploaded robot2'],
      );
      assert.equal(
        rows.reduce((sum, { messages }) => sum + messages, 0),
        received,
      );
      const verify = await runCli(['verify', from, '--json']);
      assert.equal(verify.exitCode, 0, verify.stdout);
      assert.equal((jsonOf(verify)['totals'] as { messages: number }).messages, received);
    }

    const cat = await runCli(['cat', store, '--topic', '/robot1/gps*', '--limit', '2', '--json']);
    assert.equal(cat.exitCode, 0, cat.stderr);
    const lines = cat.stdout.trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[0]!, /"latitude":/);

    const output = join(folder, 'all.mcap');
    const replay = await runCli(['replay', data, '--output', output, '--json']);
    assert.equal(replay.exitCode, 0, replay.stderr);
    assert.equal(jsonOf(replay)['messages'], received);
    assert.equal((await runCli(['verify', output])).exitCode, 0);
  });

  it('reports all faults of flags, file and sources at once, with exit code 2, and starts nothing', async () => {
    const config = join(folder, 'my.yaml');
    await writeFile(config, 'holdfast_recorder:\n  ros__parameters:\n    segment: { max_byte: 1MiB }\n');
    const run = await runCli([
      'record',
      '--config',
      config,
      '--source',
      'carrier-pigeon:coop',
      '--batch-max-age-ms',
      'soon',
      '--data',
      data,
      '--json',
    ]);
    assert.equal(run.exitCode, 2);
    const { code, facts } = jsonOf(run)['error'] as { code: string; facts: { faults: { path: string }[] } };
    assert.equal(code, 'CONFIG_INVALID');
    const paths = facts.faults.map(({ path }) => path).sort();
    assert.deepEqual(paths, ['batch.max_age_ms', 'segment.max_byte', 'sources']);
    assert.match(run.stderr, /did you mean segment\.max_bytes/);
    assert.deepEqual(await readdir(folder), ['my.yaml']);
  });

  it('checks up for both processes at once, the URIs too, and never repeats a secret', async () => {
    const uris = ['--source', 'sim:?robots=x', '--store', 's3://user:hunter2@bucket'];
    const run = await runCli(['up', ...uris, '--part-bytes', '1', '--data', data, '--json']);
    assert.equal(run.exitCode, 2);
    const { facts } = jsonOf(run)['error'] as { facts: { faults: { path: string }[] } };
    assert.deepEqual(
      facts.faults.map(({ path }) => path),
      ['upload.part_bytes', 'sources', 'store.uri'],
    );
    assert.ok(!`${run.stdout}${run.stderr}`.includes('hunter2'));
  });

  it('ends at once on a second signal, and loses nothing that was durable', async () => {
    const { child, ended } = start('record', '--source', endless, '--data', data);
    const { totals } = await until('recorder', recording);
    child.kill('SIGINT');
    child.kill('SIGTERM');
    const run = await ended;
    assert.ok(run.exitCode === 0 || run.exitCode === 130 || run.exitCode === 143, String(run.exitCode));
    assert.equal((await runCli(['recover', '--data', data])).exitCode, 0);
    const verify = await runCli(['verify', data, '--json']);
    assert.ok((jsonOf(verify)['totals'] as { messages: number }).messages >= totals.durable);
  });

  it('names an unknown command or flag, with exit code 2', async () => {
    for (const args of [['recrod'], ['record', '--sorce', 'sim:'], ['replay', data]]) {
      const run = await runCli([...args, '--json']);
      assert.equal(run.exitCode, 2, run.stderr);
      assert.equal(jsonOf(run)['ok'], false);
    }
    assert.match((await runCli(['recrod'])).stderr, /Did you mean record/);
  });

  it('refuses a second recorder on the same data folder with exit code 4', async () => {
    start('record', '--source', endless, '--data', data);
    await until('recorder', recording);
    const second = await runCli(['record', '--source', endless, '--data', data, '--json']);
    assert.equal(second.exitCode, 4);
    assert.equal((jsonOf(second)['error'] as { code: string }).code, 'DATA_FOLDER_BUSY');
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`drains and seals on ${signal}: everything received is durable and exit code is 0`, async () => {
      const { child, ended } = start('record', '--source', endless, '--data', data, '--json');
      await until('recorder', recording);
      child.kill(signal);
      const run = await ended;
      assert.equal(run.exitCode, 0, run.stderr);
      assert.equal(jsonOf(run)['durable'], jsonOf(run)['received']);
      assert.deepEqual(await readdir(join(data, 'wal')), []);
    });
  }

  it('shows the status of both processes, and controls them', async () => {
    const none = await runCli(['status', '--data', data, '--json']);
    assert.equal(none.exitCode, 3);
    assert.deepEqual([jsonOf(none)['recorder'], jsonOf(none)['sync']], [null, null]);

    const { ended } = start('record', '--source', endless, '--data', data, '--json');
    await until('recorder', recording);
    const one = await runCli(['status', '--data', data]);
    assert.equal(one.exitCode, 0);
    assert.match(one.stdout, /recorder +recording/);
    assert.match(one.stdout, /sync +not running/);

    await askRole(data, 'recorder', 'split');
    await until<RecorderStatus>('recorder', ({ sealed }) => sealed.segments > 0);
    await askRole(data, 'recorder', 'pause');
    await until<RecorderStatus>('recorder', ({ state }) => state === 'paused');
    await askRole(data, 'recorder', 'resume');
    await until<RecorderStatus>('recorder', ({ state }) => state === 'recording');
    await askRole(data, 'recorder', 'stop');
    await until<RecorderStatus>('recorder', ({ state }) => state === 'inactive');
    await assert.rejects(askRole(data, 'recorder', 'stop'), { code: 'STATE_REFUSED' });
    await askRole(data, 'recorder', 'start');
    const again = await until<RecorderStatus>('recorder', ({ state }) => state === 'recording');
    await until<RecorderStatus>('recorder', ({ totals }) => totals.durable > again.totals.durable);
    await askRole(data, 'recorder', 'end');
    assert.equal((await ended).exitCode, 0);
  });

  it('recovers after a kill, and finds nothing to do the second time', async () => {
    const { child, ended } = start('record', '--source', endless, '--data', data);
    const { totals } = await until('recorder', recording);
    child.kill('SIGKILL');
    await ended;
    const first = await runCli(['recover', '--data', data, '--json']);
    assert.equal(first.exitCode, 0, first.stderr);
    assert.equal(jsonOf(first)['sealedSegments'], 1);
    const verify = await runCli(['verify', data, '--json']);
    assert.equal(verify.exitCode, 0, verify.stdout);
    assert.ok((jsonOf(verify)['totals'] as { messages: number }).messages >= totals.durable);
    const second = await runCli(['recover', '--data', data, '--json']);
    assert.equal(jsonOf(second)['sealedSegments'], 0);
  });

  it('brings finite sources into the store with up, through a kill of either process', async () => {
    const store = join(folder, 'store');
    await mkdir(store);
    const source = 'sim:?robots=1&duration=8s&topics=imu,odom';
    const { child, ended } = start(
      ...['up', '--source', source, '--data', data, '--store', `dir:${store}`, '--json'],
      ...['--segment-max-age-ms', '500ms'],
    );
    const recorder = await until('recorder', recording);
    const sync = await until<SyncStatus>('sync', ({ segments }) => segments.verified > 0);
    process.kill(recorder.pid, 'SIGKILL');
    process.kill(sync.pid, 'SIGKILL');
    await until<RecorderStatus>('recorder', ({ pid }) => pid !== recorder.pid);
    assert.equal(child.exitCode, null);
    const run = await ended;
    assert.equal(run.exitCode, 0, run.stderr);
    const ends = run.json as Record<'recorder' | 'sync', { restarts: number }>;
    assert.deepEqual([ends.recorder.restarts, ends.sync.restarts], [1, 1]);
    const ls = await runCli(['ls', data, '--json']);
    const states = (jsonOf(ls)['segments'] as { state: string }[]).map(({ state }) => state);
    assert.ok(states.length > 2 && states.every((state) => state === 'uploaded'), states.join());
    assert.equal((await runCli(['verify', `dir:${store}`])).exitCode, 0);
  });

  it('leaves no process behind when up is killed', async () => {
    const store = join(folder, 'store');
    await mkdir(store);
    const { child, ended } = start('up', '--source', endless, '--data', data, '--store', `dir:${store}`);
    const pids = [
      (await until('recorder', recording)).pid,
      (await until<SyncStatus>('sync', ({ link }) => link === 'online')).pid,
    ];
    child.kill('SIGKILL');
    await ended;
    for (const pid of pids) {
      await eventually(async () => !(await isAlive(pid)), `the end of process ${pid}`);
    }
  });

  it('ends quietly when its reader goes away', async () => {
    const source = 'sim:?robots=1&duration=20s&rate=max&topics=imu';
    await runCli(['record', '--source', source, '--data', data]);
    const { child, ended } = start('cat', data);
    const stdout = present(child.stdout);
    await new Promise<void>((resolve) => stdout.once('data', () => resolve()));
    stdout.destroy();
    const { exitCode, stderr } = await ended;
    assert.equal(exitCode, 0);
    assert.equal(stderr, '');
  });
});

async function isAlive(pid: number): Promise<boolean> {
  try {
    // A zombie that nobody has reaped yet no longer runs.
    return !/^State:\s+[ZX]/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
