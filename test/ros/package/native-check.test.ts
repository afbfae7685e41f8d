import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../../src/host/version.js';

/** What a build on this machine records. */
const here = {
  rosDistro: 'jazzy',
  nodeAbi: process.versions.modules,
  node: process.versions.node,
  platform: process.platform,
  arch: process.arch,
};

describe('the check at the start of an installed executable', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-native-'));
    copyFileSync(join(packageRoot, 'cmake', 'native-check.cjs'), join(folder, 'native-check.cjs'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function start(built: Partial<typeof here>, env: NodeJS.ProcessEnv = {}) {
    writeFileSync(join(folder, 'native-build.json'), JSON.stringify({ ...here, ...built }));
    const sourced = { ROS_DISTRO: 'jazzy', AMENT_PREFIX_PATH: '/opt/ros/jazzy' };
    const args = ['--require', join(folder, 'native-check.cjs'), '-e', 'console.log("started")'];
    return spawnSync(process.execPath, args, { env: { ...sourced, ...env }, encoding: 'utf8' });
  }

  function assertRefused(run: ReturnType<typeof start>, reason: RegExp): void {
    assert.equal(run.status, 1);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, reason);
    assert.equal(run.stderr.trimEnd().split('\n').length, 1, 'one line');
  }

  it('accepts a native part that fits', () => {
    const { status, stdout } = start({});
    assert.deepEqual([status, stdout], [0, 'started\n']);
  });

  it('names both distributions', () => {
    assertRefused(start({ rosDistro: 'humble' }), /built for ROS 2 humble, but ROS_DISTRO is jazzy/);
  });

  it('names both versions of Node.js, and the path of the wrong one', () => {
    const run = start({ nodeAbi: '137', node: '24.1.0' });
    assertRefused(run, /built for Node\.js 24\.1\.0 \(ABI 137\)/);
    assert.ok(run.stderr.includes(process.execPath));
  });

  it('refuses another processor', () => {
    assertRefused(start({ arch: 'arm64' === process.arch ? 'x64' : 'arm64' }), /but this is/);
  });

  it('asks for ROS to be sourced', () => {
    assertRefused(start({}, { ROS_DISTRO: '' }), /ROS 2 is not sourced/);
  });
});
