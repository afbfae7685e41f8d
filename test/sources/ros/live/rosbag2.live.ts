import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapStreamReader } from '@mcap/core';
import { requireRos, startPython, startRos, stopRosChildren } from '../../../support/ros.js';
import { LiveSource, endLiveSources } from './live-source.js';
import { present } from '../../../../src/core/present.js';

const at = { domainId: Number(process.env.ROS_DOMAIN_ID) };
const topics = ['/image', '/tf_static', '/odd', '/markers', '/goal', '/diag'];

interface Described {
  readonly schema: string;
  readonly encoding: string;
  readonly definition: string;
  readonly metadata: Readonly<Record<string, string>>;
}

describe('Beside ros2 bag record', function () {
  this.timeout(60_000);
  let folder = '';
  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-rosbag2-'));
  });
  afterEach(endLiveSources);
  afterEach(stopRosChildren);
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('a source ros describes every topic to the letter as rosbag2 does', async function () {
    const ros = requireRos(this);
    await startPython(ros, PUBLISHERS, [], at).waitFor(/ready/);
    const bag = join(folder, 'bag');
    const args = ['bag', 'record', '-s', 'mcap', '-o', bag, ...topics];
    const recorder = startRos(ros, 'ros2', args, at);
    const live = LiveSource.open('ros:');
    for (const topic of topics) await live.received(topic, 2);
    await recorder.waitFor(/(Subscribed to topic[\s\S]*){6}/);
    await recorder.stop();
    await live.end();
    const theirs = await describeBag(bag);
    for (const topic of topics) {
      const { schema, metadata } = present(live.channel(topic));
      const ours: Described = {
        schema: schema.name,
        encoding: schema.encoding,
        definition: Buffer.from(schema.data).toString(),
        // rosbag2 of Humble has no type hashes.
        metadata: ros.distro === 'humble' ? withoutTypeHash(metadata) : metadata,
      };
      assert.deepEqual(ours, theirs.get(topic), topic);
    }
  });
});

function withoutTypeHash({
  topic_type_hash: hash,
  ...others
}: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  assert.equal(hash, '');
  return others;
}

async function describeBag(bag: string): Promise<ReadonlyMap<string, Described>> {
  const file = present((await fs.readdir(bag)).find((name) => name.endsWith('.mcap')));
  const reader = new McapStreamReader();
  reader.append(await fs.readFile(join(bag, file)));
  const schemas = new Map<number, { name: string; encoding: string; data: Uint8Array }>();
  const described = new Map<string, Described>();
  for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
    if (record.type === 'Schema') schemas.set(record.id, record);
    if (record.type !== 'Channel') continue;
    const schema = present(schemas.get(record.schemaId));
    described.set(record.topic, {
      schema: schema.name,
      encoding: schema.encoding,
      definition: Buffer.from(schema.data).toString(),
      metadata: Object.fromEntries(record.metadata),
    });
  }
  return described;
}

const PUBLISHERS = `
import rclpy, time
from rclpy.qos import *
from rclpy.duration import Duration
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage
from nav_msgs.msg import Odometry
from visualization_msgs.msg import MarkerArray
from geometry_msgs.msg import PoseStamped
from diagnostic_msgs.msg import DiagnosticArray
rclpy.init(); n = rclpy.create_node('p')
R, B = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
odd = QoSProfile(depth=7, reliability=R, deadline=Duration(seconds=2, nanoseconds=5), lifespan=Duration(seconds=70),
    liveliness=LivelinessPolicy.MANUAL_BY_TOPIC, liveliness_lease_duration=Duration(seconds=9))
ps = [n.create_publisher(Image, '/image', qos_profile_sensor_data),
  n.create_publisher(TFMessage, '/tf_static', QoSProfile(depth=1, reliability=R, durability=DurabilityPolicy.TRANSIENT_LOCAL)),
  n.create_publisher(Odometry, '/odd', odd),
  n.create_publisher(MarkerArray, '/markers', QoSProfile(depth=0, history=HistoryPolicy.KEEP_ALL, reliability=R)),
  n.create_publisher(PoseStamped, '/goal', 10),
  n.create_publisher(DiagnosticArray, '/diag', QoSProfile(depth=3, reliability=B))]
print('ready', flush=True)
while True:
    for p in ps: p.publish(p.msg_type())
    time.sleep(0.05)
`;
