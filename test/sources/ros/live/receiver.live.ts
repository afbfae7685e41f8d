import assert from 'node:assert/strict';
import { DurationHistogram } from '../../../../src/core/duration-histogram.js';
import type { Publisher } from 'rclnodejs';
import { present } from '../../../../src/core/present.js';
import { systemTimers } from '../../../../src/host/system-clock.js';
import { publisherKey, toPublisher } from '../../../../src/sources/ros/endpoints.js';
import { loadNative } from '../../../../src/sources/ros/native-loader.js';
import { NativeReceiver, latencyBoundsMs } from '../../../../src/sources/ros/native-receiver.js';
import { loadRclnodejs } from '../../../../src/sources/ros/rclnodejs.js';
import { RclnodejsReceiver } from '../../../../src/sources/ros/rclnodejs-receiver.js';
import { NO_LIMITS, type Receiver, type ReceiverDrop } from '../../../../src/sources/ros/receiver.js';
import { RosSession } from '../../../../src/sources/ros/ros-session.js';
import { silentLogger } from '../../../../src/core/logger.js';
import { eventually, sleep } from '../../../../src/testing/waiting.js';
import { Heard, message, receiverContract, type ReceiverWorld } from '../receiver-contract.js';

const parts = { timers: systemTimers, logger: silentLogger };
const ARENA_BYTES = 16 * 1024 * 1024;
let worlds = 0;

/** A receiver on the real middleware, and publishers of another context. */
async function openWorld(make: (session: RosSession) => Receiver): Promise<ReceiverWorld> {
  const ros = await loadRclnodejs(process.env);
  // Loggers have the name of their node, one each per process.
  const number = ++worlds;
  const session = await RosSession.open(ros, { nodeName: `receives_${number}`, ...parts });
  session.spin();
  let opened: Promise<RosSession> | undefined;
  const openSender = async (): Promise<RosSession> => {
    const sender = await RosSession.open(ros, { nodeName: `publishes_${number}`, ...parts });
    sender.spin();
    return sender;
  };
  const publishers = new Map<string, Publisher<'std_msgs/msg/String'>>();
  const publisherOf = async (topic: string): Promise<Publisher<'std_msgs/msg/String'>> => {
    const sender = await (opened ??= openSender());
    // In rmw's numbers: keep last 5,000, reliable, volatile.
    const policies = [1, 5_000, 1, 2, 0, false] as unknown;
    const qos = new ros.rcl.QoS(...(policies as ConstructorParameters<typeof ros.rcl.QoS>));
    const publisher =
      publishers.get(topic) ??
      sender.change((node) => node.createPublisher('std_msgs/msg/String', topic, { qos }));
    publishers.set(topic, publisher);
    return publisher;
  };
  const receiver = make(session);
  return {
    receiver,
    node: session.node,
    publish: (topic, data) => present(publishers.get(topic)).publish(data),
    matched: async (topic, subscriptions) => {
      const publisher = await publisherOf(topic);
      // A getter, which its type declares as a method.
      const count = (): number => (publisher as unknown as { subscriptionCount: number }).subscriptionCount;
      await eventually(() => count() >= subscriptions, 'the subscriptions', 20_000);
      // A writer knows about a reader before that reader knows about it.
      await eventually(() => session.node.countPublishers(topic) >= 1, 'the publisher', 20_000);
      await sleep(300);
    },
    close: async () => {
      receiver.close();
      await session.close();
      await (await opened)?.close();
    },
  };
}

const openNative = (arenaBytes = ARENA_BYTES): Promise<ReceiverWorld> =>
  openWorld(
    (session) =>
      new NativeReceiver({
        ...{ binding: loadNative(session.ros), session, arenaBytes, ...parts },
        latencies: new DurationHistogram(latencyBoundsMs),
      }),
  );

receiverContract('The native receiver on real ROS 2', () => openNative());
receiverContract('The receiver of rclnodejs on real ROS 2', () =>
  openWorld((session) => new RclnodejsReceiver(session, systemTimers, silentLogger)),
);

describe('The native receiver on real ROS 2', function () {
  this.timeout(60_000);

  it('holds no more than its arena while nothing is taken from it, and reports what it dropped', async () => {
    const world = await openNative(1024 * 1024);
    const drops: ReceiverDrop[] = [];
    const heard: Buffer[] = [];
    world.receiver.subscribe(world.node, {
      topic: '/flood',
      type: 'std_msgs/msg/String',
      qos: { history: 1, depth: 5_000, reliability: 1, durability: 2, liveliness: 0 },
      limits: { ...NO_LIMITS, queueMaxBytes: 500_000 },
      onMessage: (data) => heard.push(data),
      onDropped: (drop) => drops.push(drop),
    });
    await world.matched('/flood', 1);
    // Without a turn of the event loop nothing is taken from the receiver.
    const text = 'x'.repeat(1_000 - 9);
    const until = Date.now() + 1_500;
    for (let number = 0; number < 3_000; number++) {
      world.publish('/flood', message(text));
      while (number % 100 === 99 && Date.now() < until - (3_000 - number) / 3);
    }
    const end = Date.now() + 1_000;
    while (Date.now() < end);
    const sum = (): number => heard.length + drops.reduce((all, { count }) => all + count, 0);
    await eventually(() => sum() === 3_000, 'all of them', 20_000);
    assert.ok(heard.length >= 400 && heard.length <= 600, `${heard.length} were kept`);
    assert.deepEqual([...new Set(drops.map(({ reason }) => reason))], ['queue_full_drop_oldest']);
    assert.equal(drops[0]!.bytes / drops[0]!.count, 1_000);
    await world.close();
  });

  it('says who published a message, as the graph knows the publisher', async () => {
    const world = await openNative();
    const heard = ['/one', '/two'].map((topic) => new Heard(world, topic));
    for (const topic of ['/one', '/two']) {
      await world.matched(topic, 1);
      world.publish(topic, message('1'));
    }
    for (const one of heard) await one.count(1);
    const inGraph = ['/one', '/two'].map((topic) => {
      const [publisher] = world.node.getPublishersInfoByTopic(topic, false).map(toPublisher);
      return publisherKey(present(publisher).gid);
    });
    assert.deepEqual(
      heard.map(({ infos }) => infos[0]?.publisher),
      inGraph,
    );
    assert.notEqual(inGraph[0], inGraph[1]);
    await world.close();
  });

  it('ends with its session, in either order of closing, and another one begins', async () => {
    for (let round = 0; round < 5; round++) {
      const world = await openNative();
      const heard = new Heard(world, `/round${round}`);
      await world.matched(`/round${round}`, 1);
      world.publish(`/round${round}`, message('1'));
      await heard.count(1);
      if (round % 2 === 0) world.receiver.close();
      await world.close();
    }
  });

  it('runs in one process with nine others', async function () {
    this.timeout(180_000);
    const worlds = await Promise.all(Array.from({ length: 10 }, () => openNative(1024 * 1024)));
    const heard = worlds.map((world) => new Heard(world, '/shared'));
    await worlds[0]!.matched('/shared', 10);
    worlds[0]!.publish('/shared', message('to all'));
    for (const one of heard) await one.count(1);
    for (const world of worlds) await world.close();
  });
});
