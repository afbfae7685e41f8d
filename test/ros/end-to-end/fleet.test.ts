import assert from 'node:assert/strict';
import { sleep } from '../../../src/testing/waiting.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import {
  requireRos,
  startPython,
  stopRosChildren,
  type RosChild,
  type RosInstall,
} from '../../support/ros.js';
import { testedReceiver } from '../../support/tested-receiver.js';
import { RobotRig, type Stored } from './robot-rig.js';

/** The first of this file's domains: one per test. */
const DOMAIN = 90;
const COUNT = 100;
const robots = ['robot1', 'robot2', 'robot3'];

/**
 * A node `driver` in each namespace of `argv[1]`: a topic of its own, a global one, and both kinds of latched topics. It
 * publishes when each of them is subscribed to.
 */
const FLEET = `
import json, sys, time, rclpy
from rclpy.qos import QoSProfile, DurabilityPolicy
from std_msgs.msg import String
rclpy.init()
latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
robots = []
for name in json.loads(sys.argv[1]):
    node = rclpy.create_node('driver', namespace='/' + name)
    for topic in ['/tf_static', 'robot_description']:
        node.create_publisher(String, topic, latched).publish(String(data=name))
    robots.append((name, node, [node.create_publisher(String, topic, 1000) for topic in ['imu', '/tf']]))
while any(p.get_subscription_count() == 0 for _, _, both in robots for p in both):
    time.sleep(0.02)
# The other side learns of us a little later than we of it.
time.sleep(0.7)
for number in range(${COUNT}):
    for name, _, both in robots:
        for publisher in both:
            publisher.publish(String(data=f'{name} {number}'))
    time.sleep(0.02)
print('published', flush=True)
while True:
    time.sleep(1)
`;

onEveryMiddleware('a fleet of three robots, found by their namespaces', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  before(function () {
    ros = requireRos(this, { native: true });
  });
  afterEach(stopRosChildren);

  const processes = { 'in one process': [robots], 'in three processes': robots.map((robot) => [robot]) };
  for (const [index, [where, groups]] of Object.entries(processes).entries()) {
    for (const [order, when] of ['before', 'after'].entries()) {
      it(`is recorded once, each robot in its segment, ${where} that start ${when} the recorder`, async () => {
        await using rig = await RobotRig.create(ros, DOMAIN + 2 * index + order);
        const start = (): RosChild[] =>
          groups.map((group) => startPython(ros, FLEET, [JSON.stringify(group)], { domainId: rig.domainId }));
        const early = when === 'before' ? start() : [];
        if (when === 'before') await sleep(1_500);
        const options = { sources: "['ros:?robots=auto']", 'segment.max_age_ms': '10min' };
        const [recorder, sync] = await Promise.all([rig.recorder(options), rig.sync()]);
        const fleet = when === 'before' ? early : start();
        await Promise.all(fleet.map((one) => one.waitFor(/published/, 60_000)));
        await sleep(500);
        assert.equal(await rig.end(recorder), 0, recorder.output());
        await rig.synced();
        await sync.stop();
        const manifests = await rig.manifests();
        assert.deepEqual(
          manifests.map(({ robot }) => robot).sort(),
          robots,
          'three segments, no other robot',
        );
        checkFleet(await rig.stored());
      });
    }
  }
});

function checkFleet(stored: readonly Stored[]): void {
  for (const robot of robots) {
    const texts = (topic: string): string[] =>
      stored.filter((one) => one.robot === robot && one.topic === topic).map(textOf);
    const own = Array.from({ length: COUNT }, (_, number) => `${robot} ${number}`);
    assert.deepEqual(texts(`/${robot}/imu`), own);
    assert.deepEqual(texts(`/${robot}/robot_description`), [robot]);
    for (const other of robots) if (other !== robot) assert.deepEqual(texts(`/${other}/imu`), []);
    const global = texts('/tf');
    if (testedReceiver === 'native') {
      assert.deepEqual([global, texts('/tf_static')], [own, [robot]], 'its own, each once');
      continue;
    }
    // rclnodejs does not say who published a message: what the others publish there is in it too.
    assert.deepEqual(
      global.filter((text) => text.startsWith(`${robot} `)),
      own,
    );
    assert.equal(new Set(global).size, global.length, 'none twice');
    assert.deepEqual(texts('/tf_static').sort(), robots, 'each once');
  }
}

/** Of a std_msgs/msg/String. */
function textOf({ data }: Stored): string {
  const bytes = Buffer.from(data, 'base64');
  return bytes.toString('utf8', 8, 8 + bytes.readUInt32LE(4) - 1);
}
