import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecorderStatus } from '../../../src/core/status.js';
import { askRole } from '../../../src/app/control/control-client.js';
import { eventually } from '../../../src/testing/waiting.js';
import { jsonOf, runCli, spawnCli } from '../../support/cli.js';

describe('holdfast tag', function () {
  this.timeout(120_000);
  let folder: string;
  let data: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-tag-'));
    data = join(folder, 'rec');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('tags what is recorded from now on; ls finds it and the report shows it', async () => {
    const source = 'sim:?robots=1&topics=imu,odom';
    const { child, ended } = spawnCli(['record', '--source', source, '--data', data, '--tag', 'site=north']);
    const durable = async (more: number): Promise<number> =>
      eventually(async () => {
        const status = (await askRole(data, 'recorder', 'status').catch(() => undefined)) as
          RecorderStatus | undefined;
        return status !== undefined && status.totals.durable > more ? status.totals.durable : undefined;
      }, 'more is durable');
    const before = await durable(10);
    const set = await runCli(['tag', 'mission=m3', 'site=', '--data', data, '--json']);
    assert.equal(set.exitCode, 0, set.stderr);
    assert.deepEqual(jsonOf(set)['tags'], { mission: 'm3' });
    const wrong = await runCli(['tag', 'Mission=m3', '--data', data]);
    assert.deepEqual([wrong.exitCode, /tags is "Mission=m3".*name=value/.test(wrong.stderr)], [2, true]);
    const shown = await runCli(['status', '--data', data]);
    assert.match(shown.stdout, /tags +mission=m3/);
    await durable(before + 10);
    child.kill('SIGINT');
    await ended;

    const ls = await runCli(['ls', data]);
    assert.match(ls.stdout, /TAGS/);
    assert.match(ls.stdout, /site=north[\s\S]*mission=m3/);
    const found = await runCli(['ls', data, '--tag', 'mission=m*', '--json']);
    const rows = jsonOf(found)['segments'] as { tags: unknown }[];
    assert.deepEqual(
      rows.map(({ tags }) => tags),
      [{ mission: 'm3' }],
    );
    const page = join(folder, 'report.html');
    const report = await runCli(['report', '--from', data, '--output', page]);
    assert.equal(report.exitCode, 0, report.stderr);
    assert.match(await readFile(page, 'utf8'), /<h3>Tags<\/h3>[\s\S]*site=north[\s\S]*mission=m3/);
  });
});
