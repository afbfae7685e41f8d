import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { askRole } from '../../src/app/control/control-client.js';
import type { RecorderStatus } from '../../src/core/status.js';
import { perhaps } from '../support/perhaps.js';
import { jsonOf, runCli, spawnCli } from '../support/cli.js';
import { mountRefusal, mountTmpfs, type SmallDisk } from './small-disk.js';
import { lacking } from '../../src/testing/lacking.js';
import { eventually } from '../../src/testing/waiting.js';

const MIB = 1024 * 1024;
const small = [
  '--segment-max-bytes',
  '1MiB',
  '--retention-min-free-percent',
  '20',
  '--ballast',
  '0',
  '--compression',
  'none',
];

describe('holdfast record on a disk that becomes full', function () {
  this.timeout(120_000);
  let disk: SmallDisk;
  let data: string;

  beforeEach(async function () {
    const mounted = await mountTmpfs(16 * MIB);
    if (!mounted) lacking(this, 'mount', mountRefusal());
    disk = mounted;
    data = join(disk.path, 'data');
  });
  afterEach(() => perhaps(disk)?.remove());

  const record = (whenFull: string): string[] => [
    'record',
    ...['--data', data, '--source', 'sim:?robots=1&duration=30s&rate=max', '--retention-when-full', whenFull],
    ...small,
    '--json',
  ];

  it('evicts the oldest under drop-oldest, ends well, and everything that is left verifies', async () => {
    const run = await runCli(record('drop-oldest'));
    assert.equal(run.exitCode, 0, run.stderr);
    const { dropped, durable, received } = jsonOf(run);
    assert.deepEqual([dropped, durable], [0, received]);
    assert.ok((await fs.readdir(join(data, 'tombstones'))).length > 0);
    const verified = await runCli(['verify', '--data', data, '--json']);
    assert.equal(verified.exitCode, 0, verified.stdout);
  });

  /** What the recorder says, asked until it says this. */
  const until = (holds: (status: RecorderStatus) => boolean): Promise<RecorderStatus> =>
    eventually(async () => {
      const status = (await askRole(data, 'recorder', 'status')) as RecorderStatus;
      return holds(status) ? status : undefined;
    });

  for (const isFullAgain of [false, true]) {
    const when = isFullAgain ? 'when the disk is full once more' : 'as soon as it continues';
    it(`waits under stop until space comes free, and loses nothing of a source that can wait, ended ${when}`, async () => {
      await disk.fill(8 * MIB);
      const recorder = spawnCli(record('stop'));
      // Not the log: a source at full speed may fill what came free before the recorder looks again.
      await recorder.waitFor(/no segment may be evicted|pausing sources that support backpressure/);
      const { totals: before } = await until(({ state }) => state === 'stalled');
      await disk.unfill();
      await until(({ totals }) => totals.durable > before.durable);
      if (isFullAgain) {
        await until(
          ({ state, disk: { freeBytes, totalBytes } }) => state === 'stalled' && freeBytes < totalBytes / 4,
        );
      }
      recorder.child.kill('SIGTERM');
      const run = await recorder.ended;
      const { dropped, durable, undurable, received } = jsonOf(run);
      assert.ok(typeof durable === 'number' && durable > before.durable);
      assert.deepEqual([dropped, durable, undurable], [0, received, 0], run.stderr);
      const verified = await runCli(['verify', '--data', data, '--json']);
      assert.equal(verified.exitCode, 0, verified.stdout);
    });
  }
});
