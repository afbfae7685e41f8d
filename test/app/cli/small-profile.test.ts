import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSmall, type SmallResult } from '../../../bench/small-case.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually } from '../../../src/testing/waiting.js';
import { runCli, spawnCli } from '../../support/cli.js';

describe('profile small', function () {
  this.timeout(60_000);
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-small-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('records 5 MB/s with less than 100 MB resident in a cgroup of 256 MiB, and loses nothing', async function () {
    const data = join(folder, 'rec');
    let result: SmallResult;
    try {
      result = await runSmall(data, { seconds: 12, limitBytes: 256 * 2 ** 20 });
    } catch (error) {
      lacking(this, 'cgroup', `no memory cgroup can be made: ${String(error)}`);
    }
    assert.ok(result.peakMb < 100, `${result.peakMb} MB at most`);
    assert.equal(result.dropped, 0);
    const verified = await runCli(['verify', data, '--json']);
    assert.equal(verified.exitCode, 0, verified.stderr);
  });

  it('reaches both processes of up, with the environment that glibc reads', async () => {
    const data = join(folder, 'up');
    const store = `dir:${join(folder, 'store')}`;
    const args = ['up', '--profile', 'small', '--source', 'sim:?robots=1&duration=3s', '--data', data];
    const run = spawnCli([...args, '--store', store, '--create-store-id']);
    const children = `/proc/${String(run.child.pid)}/task/${String(run.child.pid)}/children`;
    const seen = new Set<string>();
    await eventually(async () => {
      for (const pid of (await readFile(children, 'utf8')).split(' ').filter(Boolean)) {
        const [command, environment] = await Promise.all(
          ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
        );
        if (!command?.includes('--max-semi-space-size=1') || !environment?.includes('MALLOC_ARENA_MAX=1'))
          continue;
        seen.add(/\0(record|sync)\0/.exec(command)?.[1] ?? '');
      }
      return seen.has('record') && seen.has('sync');
    }, 'both processes to start small');
    const { exitCode, stderr } = await run.ended;
    assert.equal(exitCode, 0, stderr);
    assert.doesNotMatch(stderr, /profile small/, 'no warning about the environment');
  });
});
