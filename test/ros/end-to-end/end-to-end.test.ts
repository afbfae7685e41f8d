import assert from 'node:assert/strict';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { runCli } from '../../support/cli.js';
import {
  requireRos,
  requireRosbag2,
  ros2,
  startRos,
  stopRosChildren,
  talkerPackage,
  type RosInstall,
} from '../../support/ros.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import {
  heardBy,
  numberIn,
  payload,
  payloads,
  startPublisher,
  startSubscriber,
  withoutPadding,
  type Publishing,
} from './publishers.js';
import { ofTopic, rawOfTopic, RobotRig } from './robot-rig.js';
import { eventually, sleep } from '../../../src/testing/waiting.js';

/** The first of this file's domains: one per test, so that none meets what another left behind. */
const DOMAIN = 70;

onEveryMiddleware('from real ROS 2 topics through both nodes into the store', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  before(function () {
    ros = requireRos(this, { native: true });
  });
  afterEach(stopRosChildren);

  it('has every message that rclpy, ros2 topic pub and the demo talker published, byte for byte', async function () {
    await using rig = await RobotRig.create(ros, DOMAIN);
    const [recorder, sync] = await Promise.all([rig.recorder(), rig.sync()]);
    const plan: Publishing = { topics: ['/small', '/large'], count: 200, perS: 100, padding: 3000 };
    const other = startSubscriber(ros, rig.domainId, '/small');
    await other.waitFor(/subscribed/);
    const python = startPublisher(ros, rig.domainId, plan);
    const text = 'from the command line';
    // It publishes as soon as it knows about a subscriber, which may not know about it yet: the history makes up for that.
    const history = [
      '--qos-durability',
      'transient_local',
      '--qos-reliability',
      'reliable',
      '--qos-depth',
      '20',
    ];
    const command = ['topic', 'pub', ...history, '/typed', 'std_msgs/msg/String', `{data: ${text}}`];
    const options = { domainId: rig.domainId };
    const typed = ros2(
      ros,
      [...command, '--rate', '20', '--times', '20', '-w', '1', '--keep-alive', '1'],
      options,
    );
    const talker = startRos(ros, 'ros2', ['run', talkerPackage(ros), 'talker'], options);
    await python.waitFor(/published/);
    // It publishes once a second and waits for no subscriber, and discovery may take seconds on a busy machine.
    await talker.waitFor(/Hello World: 8['"]/);
    await typed;
    await talker.stop();
    assert.equal(await rig.end(recorder), 0, recorder.output());
    await rig.synced();
    await sync.stop();
    const stored = await rig.stored();
    for (const topic of plan.topics) assert.deepEqual(ofTopic(stored, topic), payloads(topic, plan));
    // The publisher waits for one subscriber, so the other may have come in later.
    const heardElsewhere = heardBy(other);
    assert.ok(heardElsewhere.length > 0);
    assert.deepEqual(rawOfTopic(stored, '/small').slice(-heardElsewhere.length), heardElsewhere);
    assert.deepEqual(
      ofTopic(stored, '/typed'),
      Array.from({ length: 20 }, () => payload(text)),
    );
    // The talker waits for nobody: from the first message recorded on, none is missing. It says so before it
    // publishes, and may be ended in between.
    const said = [...talker.output().matchAll(/Publishing: ['"](Hello World: \d+)['"]/g)].map(([, line]) =>
      payload(present(line)),
    );
    const heard = ofTopic(stored, '/chatter');
    assert.ok(heard.length >= 3, `of ${said.length} messages ${heard.length} were recorded`);
    if (said.at(-1) !== heard.at(-1)) said.pop();
    assert.deepEqual(heard, said.slice(said.length - heard.length));
    // Nobody asked for what ROS and Holdfast say about themselves.
    assert.deepEqual(
      [...new Set(stored.map(({ topic }) => topic))].filter((topic) => /holdfast/.test(topic)),
      [],
    );

    // Log lines expire: they are recorded, and no state to be carried.
    const logs = (await rig.manifests()).flatMap(({ channels }) =>
      channels.filter(({ topic }) => topic === '/rosout'),
    );
    assert.ok(logs.length > 0);
    assert.deepEqual([...new Set(logs.map(({ carried }) => carried))], [0]);
    requireRosbag2(this);
    const manifest = present(
      (await rig.manifests()).find(({ channels }) => channels.some(({ topic }) => topic === '/typed')),
    );
    const info = await ros2(ros, ['bag', 'info', join(rig.store, manifest.key)], options);
    // That of Humble does not name it.
    if (ros.distro !== 'humble') assert.match(info, new RegExp(`ROS Distro: +${ros.distro}`));
    for (const { topic, count, carried } of manifest.channels) {
      // What is carried and published again in one segment has two lines.
      const counts = [...info.matchAll(new RegExp(`Topic: ${topic} .*Count: (\\d+) `, 'g'))];
      const sum = counts.reduce((total, [, digits]) => total + Number(digits), 0);
      assert.equal(sum, count + carried, `${topic}:\n${info}`);
    }
  });

  it('has the latched topics in every segment, as they were last published', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN + 1);
    const latched: Publishing = { topics: ['/robot_description', '/map'], count: 1, perS: 1, latched: true };
    const early = startPublisher(ros, rig.domainId, latched);
    await early.waitFor(/published/);
    const [recorder, sync] = await Promise.all([rig.recorder(), rig.sync()]);
    const flow: Publishing = { topics: ['/flow'], count: 400, perS: 100 };
    const live = startPublisher(ros, rig.domainId, flow);
    await live.waitFor(/published/);
    assert.equal(await rig.end(recorder, 'SIGTERM'), 0, recorder.output());
    await rig.synced();
    assert.equal(await rig.end(sync, 'SIGTERM'), 0, sync.output());
    const stored = await rig.stored();
    const keys = [...new Set(stored.map(({ key }) => key))];
    assert.ok(keys.length >= 3, `${keys.length} segments`);
    for (const topic of latched.topics) {
      const [expected] = payloads(topic, latched);
      const found = stored.filter((one) => one.topic === topic);
      assert.deepEqual(
        found.map(({ data }) => withoutPadding(Buffer.from(data, 'base64'))),
        keys.map(() => expected),
      );
      assert.deepEqual(
        found.map(({ carried }) => carried),
        keys.map((_, index) => index > 0),
      );
    }
    assert.deepEqual(ofTopic(stored, '/flow'), payloads('/flow', flow));
  });

  it('keeps the balance through kill -9 of the recorder, and says that it ended uncleanly', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN + 2);
    // It publishes for longer than everything takes, and is ended last.
    const plan: Publishing = { topics: ['/numbers'], count: 100_000, perS: 200 };
    const only = { 'topics.include': "['^/numbers$']" };
    const [recorder, sync] = await Promise.all([rig.recorder(only), rig.sync()]);
    const publisher = startPublisher(ros, rig.domainId, plan);
    await publisher.waitFor(/^at 300$/m);
    const durable = await rig.durable();
    await recorder.stop('SIGKILL');
    const again = await rig.recorder(only);
    await eventually(async () => (await rig.durable()) >= 300);
    assert.equal(await rig.end(again), 0, again.output());
    await publisher.stop('SIGKILL');
    await rig.synced();
    await sync.stop();
    const stored = await rig.stored();
    const numbers = ofTopic(stored, '/numbers').map(numberIn);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
      'twice, or out of order',
    );
    assert.equal(numbers[0], 0);
    // One run of numbers is missing: in the kill and while nobody recorded. None before, none after.
    const all = Array.from({ length: present(numbers.at(-1)) + 1 }, (_, number) => number);
    const known = new Set(numbers);
    const missing = all.filter((number) => !known.has(number));
    assert.ok(missing.length > 0);
    const lastMissing = present(missing.at(-1));
    assert.equal(lastMissing - missing[0]! + 1, missing.length, `missing: ${missing.join(' ')}`);
    assert.ok(durable > 0 && missing[0]! >= durable, `${durable} were durable, ${missing[0]} is missing`);
    assert.ok(present(numbers.at(-1)) - lastMissing >= 300);
    const gaps = (await rig.manifests()).flatMap((manifest) => manifest.gaps);
    assert.ok(
      gaps.some(({ reason }) => reason === 'unclean_end'),
      JSON.stringify(gaps),
    );
    const report = await runCli(['verify', `dir:${rig.store}`, '--json']);
    assert.deepEqual([report.exitCode, report.json?.['findings']], [0, []]);
  });

  it('stores everything exactly once through kill -9 of sync and SIGTERM of the recorder', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN + 3);
    const plan: Publishing = { topics: ['/bulk'], count: 600, perS: 200, padding: 20_000 };
    const quick = { 'segment.max_age_ms': '500ms', 'seal.compression': 'none' };
    const slow = { 'upload.bandwidth_limit': '4MB/s', 'upload.part_bytes': '256KiB' };
    const [recorder, sync] = await Promise.all([rig.recorder(quick), rig.sync(slow)]);
    const publisher = startPublisher(ros, rig.domainId, plan);
    await publisher.waitFor(/^at 300$/m);
    await sync.stop('SIGKILL');
    const again = await rig.sync();
    await publisher.waitFor(/published/);
    await sleep(500);
    assert.equal(await rig.end(recorder, 'SIGTERM'), 0, recorder.output());
    // Nothing of it haunts the graph.
    const list = ['node', 'list', '--no-daemon', '--spin-time', '1'];
    let nodes = '';
    // Each look discovers the graph again, and may end before it has: sync is known to be there.
    for (let look = 0; look < 5 && !nodes.includes('holdfast_sync'); look++) {
      nodes = await ros2(ros, list, { domainId: rig.domainId });
    }
    assert.doesNotMatch(nodes, /holdfast_recorder/);
    assert.match(nodes, /holdfast_sync/);
    await rig.synced();
    await rig.end(again);
    assert.deepEqual(ofTopic(await rig.stored(), '/bulk'), payloads('/bulk', plan));
    const report = await runCli(['verify', `dir:${rig.store}`, '--json']);
    assert.deepEqual([report.exitCode, report.json?.['findings']], [0, []]);
  });

  it('keeps two robots in two domains apart, with one recorder', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN + 4);
    const domains = { sources: `['ros:?domains=a:${DOMAIN + 4},b:${DOMAIN + 5}']` };
    const [recorder, sync] = await Promise.all([rig.recorder(domains), rig.sync()]);
    const plan: Publishing = { topics: ['/odom'], count: 100, perS: 100 };
    const other: Publishing = { ...plan, count: 150 };
    const publishers = [startPublisher(ros, DOMAIN + 4, plan), startPublisher(ros, DOMAIN + 5, other)];
    await Promise.all(publishers.map((publisher) => publisher.waitFor(/published/)));
    await sleep(500);
    assert.equal(await rig.end(recorder), 0, recorder.output());
    await rig.synced();
    await sync.stop();
    const stored = await rig.stored();
    const ofRobot = (robot: string): string[] =>
      ofTopic(
        stored.filter((one) => one.robot === robot),
        '/odom',
      );
    assert.deepEqual(ofRobot('a'), payloads('/odom', plan));
    assert.deepEqual(ofRobot('b'), payloads('/odom', other));
    assert.ok((await rig.manifests()).every(({ robot, key }) => key.startsWith(`robot=${robot}/`)));
  });

  it('records two robots of one domain by their namespaces', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN + 6);
    const [recorder, sync] = await Promise.all([
      rig.recorder({ sources: "['ros:?robots=/r1,/r2']" }),
      rig.sync(),
    ]);
    const plan: Publishing = { topics: ['/r1/odom', '/r2/odom'], count: 100, perS: 100 };
    const publisher = startPublisher(ros, rig.domainId, plan);
    await publisher.waitFor(/published/);
    await sleep(500);
    assert.equal(await rig.end(recorder), 0, recorder.output());
    await rig.synced();
    await sync.stop();
    const stored = await rig.stored();
    for (const robot of ['r1', 'r2']) {
      const own = stored.filter((one) => one.robot === robot);
      assert.deepEqual(ofTopic(own, `/${robot}/odom`), payloads(`/${robot}/odom`, plan));
    }
  });

  it('records 300 topics', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN + 7);
    const [recorder, sync] = await Promise.all([rig.recorder(), rig.sync()]);
    const topics = Array.from({ length: 300 }, (_, index) => `/sensor_${index}`);
    const plan: Publishing = { topics, count: 30, perS: 10 };
    const publisher = startPublisher(ros, rig.domainId, plan);
    await publisher.waitFor(/published/, 60_000);
    await sleep(500);
    assert.equal(await rig.end(recorder), 0, recorder.output());
    await rig.synced();
    await sync.stop();
    const stored = await rig.stored();
    for (const topic of topics) assert.deepEqual(ofTopic(stored, topic), payloads(topic, plan));
  });

  it('keeps every message in order for a topic that floods and calms down, and for a calm one', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN + 8);
    const [recorder, sync] = await Promise.all([rig.recorder(), rig.sync()]);
    const flood: Publishing = { topics: ['/flood'], count: 4100, perS: 2000, calm: { from: 4000, perS: 50 } };
    const calm: Publishing = { topics: ['/calm'], count: 80, perS: 20 };
    const publishers = [flood, calm].map((plan) => startPublisher(ros, rig.domainId, plan));
    await Promise.all(publishers.map((publisher) => publisher.waitFor(/published/, 60_000)));
    assert.equal(await rig.end(recorder), 0, recorder.output());
    await rig.synced();
    await sync.stop();
    const stored = await rig.stored();
    for (const [topic, plan] of Object.entries({ '/flood': flood, '/calm': calm })) {
      await assertAccounted(rig, ofTopic(stored, topic), topic, plan);
    }
  });

  it('records the messages around a hang of the recorder in order, and counts the losses that the middleware reports', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN + 9);
    const [recorder, sync] = await Promise.all([rig.recorder(), rig.sync()]);
    // The end is calm for longer than a heartbeat of Fast DDS, which has what it still holds sent again.
    const flood: Publishing = {
      topics: ['/flood'],
      count: 9_200,
      perS: 2000,
      calm: { from: 9_000, perS: 50 },
    };
    const publisher = startPublisher(ros, rig.domainId, flood);
    await publisher.waitFor(/at 1000/);
    process.kill(-present(recorder.child.pid), 'SIGSTOP');
    await publisher.waitFor(/at 6000/);
    process.kill(-present(recorder.child.pid), 'SIGCONT');
    await publisher.waitFor(/published/);
    assert.equal(await rig.end(recorder), 0, recorder.output());
    await rig.synced();
    await sync.stop();
    const heard = ofTopic(await rig.stored(), '/flood');
    assert.equal(numberIn(present(heard.at(-1))), flood.count - 1);
    await assertAccounted(rig, heard, '/flood', flood);
  });
});

/** In order, none twice, and what is missing is counted by the middleware, if it counts at all. */
async function assertAccounted(
  rig: RobotRig,
  heard: readonly string[],
  topic: string,
  plan: Publishing,
): Promise<void> {
  const numbers = heard.map(numberIn);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  );
  const gaps = (await rig.manifests()).flatMap((manifest) => manifest.gaps);
  const counted = gaps
    .filter((gap) => gap.reason === 'source_lost' && gap.topic === topic)
    .reduce((sum, { count = 0 }) => sum + count, 0);
  assert.equal(heard.length + counted, plan.count);
}
