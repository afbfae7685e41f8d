import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lacking } from '../../../src/testing/lacking.js';
import { mountRefusal, mountTmpfs } from '../../faults/small-disk.js';
import { jsonOf, runCli } from '../../support/cli.js';
import { isReadableByOthers } from '../../support/readable-by-others.js';

const NOBODY = 65_534;

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly remedy?: string;
}

describe('holdfast doctor, as a command', function () {
  this.timeout(60_000);
  const findingOf = (json: Record<string, unknown>, check: string): Finding | undefined =>
    (json['findings'] as Finding[]).find((one) => one.check === check);

  it('exits with 3 for a data folder on a disk of memory, and says what to do', async function () {
    const disk = await mountTmpfs(16 * 2 ** 20);
    if (!disk) lacking(this, 'mount', mountRefusal());
    try {
      const run = await runCli(['doctor', '--data', join(disk.path, 'rec')]);
      assert.equal(run.exitCode, 3, run.stderr);
      assert.match(run.stdout, /^BAD +file system +tmpfs at /m);
      assert.match(run.stdout, /^ {2}file system: put --data on a disk$/m);
      assert.match(run.stdout, /^NOT OK: \d+ bad, \d+ warnings?, \d+ checks$/m);
    } finally {
      await disk.remove();
    }
  });

  it('exits with 3 for a folder that this user cannot write into', async function () {
    if (process.getuid?.() !== 0) lacking(this, 'root', 'only root can act as another user');
    if (!isReadableByOthers()) lacking(this, 'shared-checkout', 'another user cannot read this checkout');
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
    try {
      await fs.chmod(folder, 0o755);
      const run = await runCli(['doctor', '--data', join(folder, 'rec'), '--json'], { uid: NOBODY });
      assert.equal(run.exitCode, 3, run.stderr);
      const finding = findingOf(jsonOf(run), 'data folder');
      assert.equal(finding?.state, 'bad');
      assert.equal(finding.remedy, `sudo install -d -m 700 -o "$USER" ${join(folder, 'rec')}`);
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });

  it('counts warnings with --strict only', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
    const space = ['--retention-min-free-percent', '0', '--no-disk-test', '--json'];
    const env = { ...process.env, ROS_DISTRO: '' };
    try {
      const plain = await runCli(['doctor', '--data', folder, ...space], { env });
      const { bad, warnings } = jsonOf(plain) as { bad: number; warnings: number };
      assert.equal(plain.exitCode, bad === 0 ? 0 : 3);
      const strict = await runCli(['doctor', '--data', folder, ...space, '--strict'], { env });
      assert.equal(strict.exitCode, bad + warnings === 0 ? 0 : 3);
      assert.equal(findingOf(jsonOf(plain), 'disk speed'), undefined);
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });
});
