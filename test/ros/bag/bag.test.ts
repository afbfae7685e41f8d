import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { present } from '../../../src/core/present.js';
import { FilePool } from '../../../src/recordings/file-readable.js';
import { decodeManifest, type Manifest } from '../../../src/core/manifest.js';
import { isLatched } from '../../../src/core/mcap/carried.js';
import { openMcap } from '../../../src/core/mcap/open-mcap.js';
import { runCli } from '../../support/cli.js';
import { recording } from '../../support/recordings.js';
import {
  requireRosbag2,
  ros2,
  startPython,
  startRos,
  stopRosChildren,
  type RosInstall,
} from '../../support/ros.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually, sleep } from '../../../src/testing/waiting.js';
import { perhaps } from '../../support/perhaps.js';

/** The first of this file's domains; each test that publishes has its own. */
const DOMAIN = 65;

/** Topic and digest of every message of the bag or file `argv[1]`, one JSON line each, as rosbag2 reads them. */
const READ_BAG = `
import hashlib, json, sys, rosbag2_py
reader = rosbag2_py.SequentialReader()
reader.open(rosbag2_py.StorageOptions(uri=sys.argv[1], storage_id='mcap'), rosbag2_py.ConverterOptions('cdr', 'cdr'))
while reader.has_next():
    topic, data, _ = reader.read_next()
    print(json.dumps([topic, hashlib.sha256(data).hexdigest()]))
print('read')
`;

/** Subscribes to \`argv[1]\` ([topic, type, reliable, latched]), prints every message, until it is ended. */
const SUBSCRIBE = `
import hashlib, json, sys, rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy, DurabilityPolicy
from rosidl_runtime_py.utilities import get_message
rclpy.init()
node = rclpy.create_node('receiver')
def show(topic, data):
    print(json.dumps([topic, hashlib.sha256(data).hexdigest()]))
for topic, kind, reliable, latched in json.loads(sys.argv[1]):
    qos = QoSProfile(depth=10000,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE)
    node.create_subscription(get_message(kind), topic, lambda data, t=topic: show(t, data), qos, raw=True)
print('subscribed')
rclpy.spin(node)
`;

/** A QoS by which every message reaches every subscription, also one that is matched late or busy for a while. */
const RELIABLE =
  '  history: keep_last\n  depth: 10000\n  reliability: reliable\n  durability: transient_local\n';

/** One recording, made once: sealed segments and the same in a folder store. */
interface World {
  readonly root: string;
  readonly data: string;
  readonly store: string;
  readonly manifests: readonly Manifest[];
}

onEveryMiddleware('ros2 bag and what Holdfast recorded', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  let world: World;
  before(async function () {
    ros = requireRosbag2(this);
    const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-ros2-bag-'));
    const [data, store] = [join(root, 'data'), join(root, 'store')];
    const source = `@namespace=mcap:${recording('two_robots_split_zstd')}`;
    const recorded = await runCli([
      'record',
      '--source',
      source,
      '--data',
      data,
      '--segment-max-bytes',
      '2MiB',
    ]);
    assert.equal(recorded.exitCode, 0, recorded.stderr);
    const synced = await runCli(['sync', '--data', data, '--store', `dir:${store}`, '--drain']);
    assert.equal(synced.exitCode, 0, synced.stderr);
    const names = (await fs.readdir(join(data, 'sealed'))).filter((name) => name.endsWith('.json')).sort();
    const manifests = await Promise.all(
      names.map(async (name) => decodeManifest(await fs.readFile(join(data, 'sealed', name), 'utf8'), name)),
    );
    world = { root, data, store, manifests };
  });
  afterEach(stopRosChildren);
  after(async () => {
    const root = perhaps(world)?.root;
    if (root !== undefined) await fs.rm(root, { recursive: true, force: true });
  });

  /** The form of metadata.yaml that this rosbag2 reads. */
  const distro = (): string[] => (ros.distro === 'humble' ? ['--distro', 'humble'] : []);
  const ofRobot = (robot: string): Manifest[] => world.manifests.filter((each) => each.robot === robot);
  const info = async (path: string): Promise<Info> =>
    parseInfo(await ros2(ros, ['bag', 'info', path], { domainId: DOMAIN }));

  it('info of a sealed segment and of a store object agrees with the manifest, topic by topic', async () => {
    for (const manifest of ofRobot('robot1')) {
      const carried = manifest.channels.reduce((sum, channel) => sum + channel.carried, 0);
      for (const path of [join(world.data, 'sealed', manifest.file.name), join(world.store, manifest.key)]) {
        const { messages, topics } = await info(path);
        assert.equal(messages, manifest.messages + carried, path);
        assert.deepEqual(topics, countsOf([manifest]));
      }
    }
  });

  it('every segment stands alone: each has the latched topics', async () => {
    const segments = ofRobot('robot2');
    assert.ok(segments.length >= 3);
    for (const { file } of segments) {
      const { topics } = await info(join(world.data, 'sealed', file.name));
      for (const topic of ['/robot2/tf_static', '/robot2/robot_description']) {
        assert.ok((topics.get(topic) ?? 0) >= 1, `${topic} in ${file.name}`);
      }
    }
  });

  it('reads every message byte for byte with rosbag2’s own reader, single and as one bag', async () => {
    const made = await runCli(['bag', world.data, '--json', ...distro()]);
    assert.equal(made.exitCode, 0, made.stderr);
    const single = join(world.store, ofRobot('robot1')[1]!.key);
    assert.deepEqual(await readBag(ros, single), await digests([single]));
    for (const robot of ['robot1', 'robot2']) {
      const files = ofRobot(robot).map(({ file }) => join(world.data, 'sealed', file.name));
      assert.deepEqual(await readBag(ros, join(world.data, 'bags', robot)), await digests(files));
    }
  });

  it('info of a folder of segments is that of all their manifests', async () => {
    await runCli(['bag', `dir:${world.store}`, ...distro()]);
    const { messages, topics, files } = await info(join(world.store, 'robot=robot2'));
    const manifests = ofRobot('robot2');
    assert.deepEqual(topics, countsOf(manifests));
    assert.equal(
      messages,
      [...topics.values()].reduce((a, b) => a + b, 0),
    );
    assert.deepEqual(
      files,
      manifests.map(({ key }) => key.replace(/^robot=robot2\//, '')),
    );
  });

  it('reindex gives the same metadata.yaml, but for what only Holdfast knows', async () => {
    const output = join(world.root, 'linked');
    await runCli(['bag', world.data, '--files', 'link', '-o', output, '--only-robot', 'robot1', ...distro()]);
    const path = join(output, 'robot1', 'metadata.yaml');
    const ours = await fs.readFile(path, 'utf8');
    await fs.rm(path);
    await ros2(ros, ['bag', 'reindex', join(output, 'robot1'), '-s', 'mcap'], { domainId: DOMAIN });
    // rosbag2 sums the files' durations, without the time between them, and forgets the files' own counts.
    const compared = (text: string): unknown => {
      const { rosbag2_bagfile_information: bag } = parse(text, { intAsBigInt: true }) as {
        rosbag2_bagfile_information: Record<string, unknown> & {
          topics_with_message_count: { topic_metadata: { name: string; offered_qos_profiles?: unknown } }[];
        };
      };
      const { duration: _duration, files: _files, custom_data: _custom, ...rest } = bag;
      const topics = rest.topics_with_message_count;
      // That of Humble knows no distribution, and copies the text of the channel, which the simulator wrote in words.
      if (ros.distro === 'humble') {
        delete rest['ros_distro'];
        for (const { topic_metadata: topic } of topics) delete topic.offered_qos_profiles;
      }
      topics.sort((a, b) => (a.topic_metadata.name < b.topic_metadata.name ? -1 : 1));
      return rest;
    };
    assert.deepEqual(compared(await fs.readFile(path, 'utf8')), compared(ours));
  });

  it('plays an object of the store to a subscriber that gets every message byte for byte', async () => {
    const manifest = present(ofRobot('robot1').at(-1));
    const path = join(world.store, manifest.key);
    const expected = await digests([path]);
    // With the recorded QoS (best effort, or the last ten messages) ROS may drop what a busy subscriber does not take in
    // time; Fast DDS does. With this one nothing may be lost.
    const wanted = (await subscriptions(path)).map(([topic, type]) => [topic, type, true, true] as const);
    const overrides = join(world.root, 'reliable.yaml');
    await fs.writeFile(overrides, wanted.map(([topic]) => `${topic}:\n${RELIABLE}`).join(''));
    const options = { domainId: DOMAIN + 1 };
    const receiver = startPython(ros, SUBSCRIBE, [JSON.stringify(wanted)], options);
    await receiver.waitFor(/subscribed/);
    const play = ['bag', 'play', path, '--qos-profile-overrides-path', overrides];
    const player = startRos(ros, 'ros2', [...play, '--wait-for-all-acked', '20000'], options);
    await eventually(() => lines(receiver.output()).length > 0, 'the first messages', 30_000);
    receiver.child.kill('SIGSTOP');
    await sleep(1_500);
    receiver.child.kill('SIGCONT');
    await player.ended;
    await eventually(() => lines(receiver.output()).length >= expected.length, 'every message', 30_000);
    await receiver.stop();
    assert.deepEqual(lines(receiver.output()).sort(), expected);
  });

  it('gives a subscriber that comes late the latched topics of a segment without publications of them', async function () {
    if (ros.distro === 'humble') lacking(this, 'ros', 'ros2 bag of Humble reads no QoS in words');
    const manifest = present(ofRobot('robot1').at(-1));
    const latched = manifest.channels.filter(({ carried }) => carried > 0);
    assert.deepEqual(
      latched.map(({ count }) => count),
      [0, 0],
    );
    const path = join(world.data, 'sealed', manifest.file.name);
    const options = { domainId: DOMAIN + 2 };
    const player = startRos(ros, 'ros2', ['bag', 'play', path, '--rate', '0.05'], options);
    await player.waitFor(/Playback until/);
    const wanted = (await subscriptions(path)).filter(([topic]) =>
      latched.some((one) => one.topic === topic),
    );
    const receiver = startPython(ros, SUBSCRIBE, [JSON.stringify(wanted)], options);
    await receiver.waitFor(/tf_static", "[0-9a-f]{64}"\]/);
    await receiver.waitFor(/robot_description", "[0-9a-f]{64}"\]/);
    await Promise.all([receiver.stop(), player.stop()]);
    const names = new Set(latched.map(({ topic }) => topic));
    const expected = (await digests([path])).filter((line) => names.has((JSON.parse(line) as string[])[0]!));
    assert.deepEqual(lines(receiver.output()).sort(), expected);
  });

  it('opens a replayed folder of all robots as one bag, each latched message in it once', async () => {
    const output = join(world.root, 'replayed');
    const { json } = await runCli([
      'replay',
      `dir:${world.store}`,
      '--format',
      'rosbag2',
      '-o',
      output,
      '--json',
      ...distro(),
    ]);
    const { messages, topics } = await info(output);
    assert.equal(messages, json?.['messages']);
    assert.equal(
      messages,
      world.manifests.reduce((sum, manifest) => sum + manifest.messages, 0),
    );
    assert.equal(topics.get('/robot1/tf_static'), 1);
    assert.equal((await readBag(ros, output)).length, messages);
  });
});

interface Info {
  readonly files: readonly string[];
  readonly messages: number;
  readonly topics: ReadonlyMap<string, number>;
}

/** What `ros2 bag info` printed; lines of one topic (an original and a carried channel) added up. */
function parseInfo(text: string): Info {
  const topics = new Map<string, number>();
  for (const [, topic, count] of text.matchAll(/Topic: (\S+) \| .*?Count: (\d+)/g)) {
    topics.set(present(topic), (topics.get(present(topic)) ?? 0) + Number(count));
  }
  const files = /^Files:\s+((?:\S+\.mcap\s+)+)/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
  return { files, messages: Number(/^Messages:\s+(\d+)/m.exec(text)?.[1]), topics: sorted(topics) };
}

/** Recorded and carried messages by topic. */
function countsOf(manifests: readonly Manifest[]): Map<string, number> {
  const topics = new Map<string, number>();
  for (const { topic, count, carried } of manifests.flatMap(({ channels }) => channels)) {
    topics.set(topic, (topics.get(topic) ?? 0) + count + carried);
  }
  return sorted(topics);
}

function sorted(counts: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Topic and digest of every message, as Holdfast's reader sees them; sorted. */
async function digests(paths: readonly string[]): Promise<string[]> {
  await using pool = new FilePool(fs);
  const all: string[] = [];
  for (const path of paths) {
    const reader = await openMcap(pool.readable(path), basename(path));
    for await (const { channel, data } of reader.messages()) {
      all.push(`["${channel.topic}", "${createHash('sha256').update(data).digest('hex')}"]`);
    }
  }
  return all.sort();
}

/** [topic, type, reliable, latched] of every channel, as its publishers offered it. */
async function subscriptions(path: string): Promise<[string, string, boolean, boolean][]> {
  await using pool = new FilePool(fs);
  const { channels } = await openMcap(pool.readable(path), basename(path));
  return channels.map((channel) => {
    const reliable = !(channel.metadata['offered_qos_profiles'] ?? '').includes('best_effort');
    return [channel.topic, channel.schema.name, reliable, isLatched(channel)];
  });
}

async function readBag(ros: RosInstall, path: string): Promise<string[]> {
  const reader = startPython(ros, READ_BAG, [path], { domainId: DOMAIN });
  await reader.waitFor(/^read$/m);
  await reader.ended;
  return lines(reader.output()).sort();
}

function lines(output: string): string[] {
  // Not by line: standard error comes in between.
  return [...output.matchAll(/\["[^"]+", "[0-9a-f]{64}"\]/g)].map(([line]) => line);
}
