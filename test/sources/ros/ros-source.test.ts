import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { openMcap } from '../../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../../src/core/mcap/readable.js';
import { nativePlace } from '../../../src/sources/ros/native-loader.js';
import { requireRos, requireRosbag2, runLive, stopRosChildren } from '../../support/ros.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { spawnCli } from '../../support/cli.js';
import { startPublisher, stringOf } from '../../support/ros-publisher.js';
import { buildTestPackage } from '../../support/ros-package.js';
import { lacking } from '../../../src/testing/lacking.js';

const extension = extname(import.meta.url);
const live = (name: string): URL => new URL(`./live/${name}.live${extension}`, import.meta.url);

/** Skips where ROS is there and the add-on is not built for it. */
function requireNativeReceiver(test: Mocha.Context): void {
  const { built } = nativePlace();
  if (!existsSync(built)) lacking(test, 'rclnodejs', `${built} is not built`);
}

/** The claims themselves are in live/: they run in processes of their own, each in its own domain. */
onEveryMiddleware('A source ros (against the ROS 2 of this machine)', function () {
  this.timeout(240_000);
  this.slow(120_000);
  before(function () {
    requireRos(this, { native: true });
  });

  it('joins and leaves domains', async function () {
    await runLive(this, live('session'), 18);
  });

  it('keeps the contract of all sources', async function () {
    await runLive(this, live('contract'), 10);
  });

  it('records what other processes publish, in other languages, for one robot and for fleets', async function () {
    await runLive(this, live('recording'), 12);
  });

  it('records the same with the native receiver', async function () {
    requireNativeReceiver(this);
    await runLive(this, live('recording'), 22, { HOLDFAST_TEST_RECEIVE: 'native' });
  });

  it('receives natively and by rclnodejs alike', async function () {
    requireNativeReceiver(this);
    await runLive(this, live('receiver'), 21);
  });

  it('describes topics as rosbag2 does', async function () {
    requireRosbag2(this);
    await runLive(this, live('rosbag2'), 16);
  });

  it('takes publish times as rosbag2 does', async function () {
    requireNativeReceiver(this);
    const ros = requireRosbag2(this);
    if (ros.distro === 'humble') lacking(this, 'ros', 'rosbag2 of Humble records no publish times');
    await runLive(this, live('publish-times'), 19, { HOLDFAST_TEST_RECEIVE: 'native' });
  });

  it('records a message package that is built and installed later', async function () {
    const ros = requireRos(this);
    const environment = ros.environment(17);
    if (spawnSync('colcon', ['--help'], { env: environment, stdio: 'ignore' }).status !== 0) {
      lacking(this, 'colcon', 'there is no colcon on the PATH');
    }
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-package-'));
    try {
      const built = await buildTestPackage(ros, folder);
      const prefix = join(folder, 'prefix');
      // The loader remembers folders that do not exist when it first looks.
      await fs.mkdir(join(prefix, 'lib'), { recursive: true });
      await runLive(this, live('package'), 17, {
        AMENT_PREFIX_PATH: `${prefix}:${environment.AMENT_PREFIX_PATH}`,
        LD_LIBRARY_PATH: `${join(prefix, 'lib')}:${environment.LD_LIBRARY_PATH}`,
        HOLDFAST_TEST_BUILT: built,
        HOLDFAST_TEST_PREFIX: prefix,
        HOLDFAST_TEST_PYTHON: await pythonFolder(built),
      });
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });

  it('is recorded by the command line into segments that hold every message', async function () {
    const ros = requireRos(this);
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-ros-cli-'));
    try {
      const cli = spawnCli(['record', '--data', folder, '--source', 'r7=ros:?domain=20', '--json'], {
        env: ros.environment(20),
      });
      const publisher = startPublisher(ros, [{ topic: '/n', count: 500, hz: 500 }], { domainId: 20 });
      await publisher.waitFor(/done 500/);
      cli.child.kill('SIGINT');
      const { exitCode, stderr } = await cli.ended;
      assert.equal(exitCode, 0, stderr);
      const sealed = (await fs.readdir(join(folder, 'sealed'))).filter((name) => name.endsWith('.mcap'));
      const texts: string[] = [];
      for (const name of sealed) {
        assert.match(name, /\.r7\.mcap$/);
        const file = await fs.readFile(join(folder, 'sealed', name));
        const reader = await openMcap(bytesReadable(file), name);
        for await (const { channel, data } of reader.messages()) {
          if (channel.topic === '/n') texts.push(stringOf(data));
        }
      }
      assert.deepEqual(
        texts,
        Array.from({ length: 500 }, (_, index) => String(index)),
      );
    } finally {
      await stopRosChildren();
      await fs.rm(folder, { recursive: true, force: true });
    }
  });

  it('fails alone and in one line if ROS is not sourced', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-ros-cli-'));
    try {
      const { ROS_DISTRO: _, AMENT_PREFIX_PATH: __, ...env } = process.env;
      const cli = spawnCli(['record', '--data', folder, '--source', 'ros:'], {
        env: { ...env, ROS_DISTRO: '', AMENT_PREFIX_PATH: '' },
      });
      const { exitCode, stderr } = await cli.ended;
      assert.notEqual(exitCode, 0);
      assert.match(stderr, /ROS 2 is not sourced .*source \/opt\/ros/);
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });
});

/** Where a built package has its Python modules: Debian's Python has a place of its own, which Humble follows. */
async function pythonFolder(built: string): Promise<string> {
  const below = await fs.readdir(built, { recursive: true });
  const found = below.find((path) => /^(local\/)?lib\/python3[^/]*\/(site|dist)-packages$/.test(path));
  if (found === undefined) throw new Error(`no Python modules below ${built}`);
  return join(built, found);
}
