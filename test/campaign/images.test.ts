import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { present } from '../../src/core/present.js';
import { lacking } from '../../src/testing/lacking.js';
import { eventually, sleep } from '../../src/testing/waiting.js';
import { jsonOf, runCli } from '../support/cli.js';
import { ImageBuilder, lackForImages, type BuiltImage } from '../support/image-build.js';
import { runImage, type RunningImage } from '../support/image-run.js';
import { findRos } from '../support/ros.js';

/** docker stop kills after that. */
const STOP_MS = 10_000;
const TOPIC = '/counted';
const NUMBERED = 500;
const middlewares = ['rmw_cyclonedds_cpp', 'rmw_fastrtps_cpp'] as const;

/** Publishes numbered messages to a subscription, and ends when the middleware had time to send them. */
const PUBLISH = `
import { setTimeout as pause } from 'node:timers/promises';
import rclnodejs from 'rclnodejs';
await rclnodejs.init();
const node = new rclnodejs.Node('publisher');
const publisher = node.createPublisher('std_msgs/msg/String', '${TOPIC}');
rclnodejs.spin(node);
while (publisher.subscriptionCount === 0) await pause(20);
await pause(500);
for (let number = 0; number < ${NUMBERED}; number++) {
  publisher.publish({ data: String(number) });
  await pause(4);
}
await pause(1_000);
process.exit(0);`;

interface Summary {
  readonly received: number;
  readonly durable: number;
  readonly dropped: number;
  readonly undurable: number;
}

/** Stops it like an engine; what it printed at its end. */
async function stopImage(
  running: RunningImage,
  output: Promise<string>[],
  signal: NodeJS.Signals,
): Promise<Summary> {
  const ended = once(running.child, 'close') as Promise<[number | null]>;
  const pid = present(running.pid());
  process.kill(pid, signal);
  const killed = setTimeout(() => process.kill(pid, 'SIGKILL'), STOP_MS);
  const [code] = await ended;
  clearTimeout(killed);
  const [out = '', errors = ''] = await Promise.all(output);
  assert.equal(code, 0, `ends by itself within ${STOP_MS} ms: ${out}${errors}`);
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Summary;
}

function outputOf({ child }: RunningImage): Promise<string>[] {
  return [text(present(child.stdout)), text(present(child.stderr))];
}

/** What a recording holds, by the verification of this checkout. */
async function verifiedMessages(data: string): Promise<number> {
  const verified = await runCli(['verify', data, '--json']);
  assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
  return (jsonOf(verified) as { readonly totals: { readonly messages: number } }).totals.messages;
}

/** What deploy/docker makes, built without an engine. It needs the registries of Debian and npm. */
describe('images', function () {
  this.timeout(60 * 60_000);
  let folder: string | undefined;
  let builder: ImageBuilder | undefined;
  let base: string;

  before(async function () {
    const lack = lackForImages();
    if (lack !== undefined) lacking(this, 'images', lack);
    folder = await mkdtemp(join(process.env['HOLDFAST_TEST_FOLDER'] ?? tmpdir(), 'holdfast-images-'));
    builder = new ImageBuilder(folder);
    base = builder.makeNodeBase();
  });
  after(async () => {
    builder?.[Symbol.dispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  describe('of the ground', () => {
    let image: BuiltImage;
    before(() => {
      image = present(builder).build('ground.Dockerfile', { NODE_IMAGE: base });
    });

    it('loses nothing when it is stopped within 10 s, as an ordinary user on a read-only root', async () => {
      const data = join(present(folder), 'ground-data');
      const record = ['record', '--source', 'sim:?robots=3', '--data', '/var/lib/holdfast/data'];
      const address = 'HOLDFAST_HEALTH_URL=http://127.0.0.1:8088/healthz';
      const running = runImage(image, data, [...record, '--json'], [address]);
      const output = outputOf(running);
      await eventually(() => running.isHealthy(), 'the health check of the image', 60_000, 200);
      await sleep(3_000);
      const summary = await stopImage(running, output, image.config.StopSignal);
      assert.ok(summary.durable > 100);
      assert.deepEqual(
        [summary.received, summary.dropped, summary.undurable],
        [summary.durable, 0, 0],
        JSON.stringify(summary),
      );
      assert.equal(await verifiedMessages(join(data, 'data')), summary.durable);
    });

    it('contains the bill of materials that its label names, and neither tests nor sources', async () => {
      assert.ok(existsSync(join(image.root, present(image.config.Labels['holdfast.sbom']))));
      const content = await readdir(join(image.root, 'opt', 'holdfast'));
      assert.deepEqual(
        content.filter((name) => ['src', 'test', 'docs'].includes(name)),
        [],
      );
    });
  });

  describe('of the robot', () => {
    let image: BuiltImage;
    before(function () {
      const ros = findRos();
      if (typeof ros === 'string') return lacking(this, 'ros', ros);
      const prefix = (ros.environment(0)['AMENT_PREFIX_PATH'] ?? '').split(':')[0] ?? '';
      const withRos = present(builder).makeRosBase(base, ros.distro, prefix);
      image = present(builder).build('robot.Dockerfile', { NODE_IMAGE: base, ROS_IMAGE: withRos });
    });

    for (const middleware of middlewares) {
      it(`records topics with the native receiver and loses nothing when it is stopped: ${middleware}`, async function () {
        const library = `lib${middleware}.so`;
        const [distro = ''] = await readdir(join(image.root, 'opt', 'ros'));
        if (!existsSync(join(image.root, 'opt', 'ros', distro, 'lib', library)))
          lacking(this, 'ros', `no ${library} in the image`);
        const data = join(present(folder), middleware);
        const env = [`RMW_IMPLEMENTATION=${middleware}`, 'ROS_DOMAIN_ID=1'];
        const source = ['--source', 'ros:?receive=native', '--include', `^${TOPIC}$`];
        const record = ['record', ...source, '--data', '/var/lib/holdfast/data', '--json'];
        const running = runImage(image, data, record, env);
        const output = outputOf(running);
        await eventually(() => running.isHealthy(), 'the health check of the image', 60_000, 200);
        const script = `source /opt/ros/*/setup.bash; cd /opt/holdfast; exec node --input-type=module -e "$0"`;
        const publisher = running.execute(['bash', '-c', script, PUBLISH], ['ROS_LOG_DIR=/tmp/ros']);
        const said = [text(present(publisher.stdout)), text(present(publisher.stderr))];
        const [code] = (await once(publisher, 'close')) as [number | null];
        assert.equal(code, 0, (await Promise.all(said)).join(''));
        const summary = await stopImage(running, output, image.config.StopSignal);
        assert.deepEqual(
          [summary.durable, summary.received, summary.dropped, summary.undurable],
          [NUMBERED, NUMBERED, 0, 0],
          JSON.stringify(summary),
        );
        assert.equal(await verifiedMessages(join(data, 'data')), NUMBERED);
      });
    }
  });
});
