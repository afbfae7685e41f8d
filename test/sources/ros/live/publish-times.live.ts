import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapStreamReader } from '@mcap/core';
import { requireRos, startPython, startRos, stopRosChildren } from '../../../support/ros.js';
import { LiveSource, endLiveSources } from './live-source.js';
import { present } from '../../../../src/core/present.js';

const at = { domainId: Number(process.env.ROS_DOMAIN_ID) };
const COUNT = 200;

describe('Beside ros2 bag record', function () {
  this.timeout(60_000);
  let folder = '';
  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-publish-times-'));
  });
  afterEach(endLiveSources);
  afterEach(stopRosChildren);
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('the native receiver gives every message the publish time that rosbag2 gives it', async function () {
    const ros = requireRos(this);
    const bag = join(folder, 'bag');
    const publisher = startPython(ros, PUBLISHER, [String(COUNT)], at);
    await publisher.waitFor(/ready/);
    const recorder = startRos(ros, 'ros2', ['bag', 'record', '-s', 'mcap', '-o', bag, '/numbers'], at);
    await recorder.waitFor(/Subscribed to topic/);
    const live = LiveSource.open('ros:');
    // The publisher starts to count once both have subscribed.
    await live.received('/numbers', COUNT);
    await recorder.stop();
    await live.end();
    const theirs = await publishTimes(bag);
    assert.equal(theirs.size, COUNT);
    const ours = live.messages('/numbers');
    assert.equal(ours.length, COUNT);
    for (const { data, publishedAt, receivedAt } of ours) {
      const key = Buffer.from(data).toString('hex');
      assert.equal(publishedAt, theirs.get(key), key);
      assert.ok(publishedAt <= receivedAt, `${publishedAt} is after ${receivedAt}`);
    }
  });
});

/** By the content of the message, in hexadecimal digits. */
async function publishTimes(bag: string): Promise<ReadonlyMap<string, bigint>> {
  const file = present((await fs.readdir(bag)).find((name) => name.endsWith('.mcap')));
  const reader = new McapStreamReader();
  reader.append(await fs.readFile(join(bag, file)));
  const times = new Map<string, bigint>();
  for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
    if (record.type === 'Message') times.set(Buffer.from(record.data).toString('hex'), record.publishTime);
  }
  return times;
}

const PUBLISHER = `
import rclpy, sys, time
from rclpy.qos import *
from std_msgs.msg import UInt64
rclpy.init(); n = rclpy.create_node('counter')
p = n.create_publisher(UInt64, '/numbers', QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE))
print('ready', flush=True)
while p.get_subscription_count() < 2: time.sleep(0.05)
time.sleep(1)
for i in range(int(sys.argv[1])):
    p.publish(UInt64(data=i)); time.sleep(0.005)
while True: time.sleep(1)
`;
