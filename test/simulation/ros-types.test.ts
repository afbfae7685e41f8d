import assert from 'node:assert/strict';
import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import { Fleet } from '../../src/simulation/fleet.js';
import { Flood } from '../../src/simulation/flood.js';
import type { Generator, SimMessage } from '../../src/simulation/generator.js';
import { topicKinds } from '../../src/simulation/robot-topics.js';
import { ros2Schema } from '../../src/core/ros/schemas.js';

const START = 1_767_225_600_000_000_000n;

const fleet = (robots = 2): Fleet =>
  new Fleet({ robots, seed: 3, startNs: START, scale: 1, imuHz: 200, cameraKb: 16, topics: topicKinds });

function messagesOf(generator: Generator, steps: number): SimMessage[] {
  return Array.from({ length: steps }, () => generator.step()).flat();
}

function definitionsOf(generator: Generator, channel: number): ReturnType<typeof parse> {
  return parse(new TextDecoder().decode(generator.channels[channel]!.schema.data), { ros2: true });
}

/** The last message of a topic, decoded. */
function decode(generator: Generator, messages: readonly SimMessage[], topic: string): unknown {
  const channel = generator.channels.findIndex((candidate) => candidate.topic === topic);
  const message = messages.findLast((candidate) => candidate.channel === channel);
  assert.ok(message, `no message on ${topic}`);
  return new MessageReader(definitionsOf(generator, channel)).readMessage(message.data);
}

describe('The messages of the simulated fleet', function () {
  this.timeout(30_000);

  it('decode by their own schema and come out the same when another writer writes them', () => {
    for (const generator of [
      fleet(),
      new Flood({
        robots: 1,
        channels: 2,
        sizeBytes: 64,
        ratePerS: 1e5,
        entropy: 1,
        seed: 1,
        startNs: START,
      }),
    ]) {
      const messages = messagesOf(generator, 600);
      const seen = new Set<number>();
      for (const { channel, data } of messages.reverse()) {
        if (seen.has(channel)) continue;
        seen.add(channel);
        const { topic } = generator.channels[channel]!;
        const definitions = definitionsOf(generator, channel);
        const reader = new MessageReader(definitions);
        const decoded = reader.readMessage(data);
        assert.equal(reader.lastReadHadTrailingBytes(), false, `${topic} has bytes left over`);
        const again = new MessageWriter(definitions).writeMessage(decoded);
        assert.deepEqual(Buffer.from(again), Buffer.from(data), topic);
      }
      assert.equal(seen.size, generator.channels.length, 'every channel had a message');
    }
  });

  it('hold what their topic is about', () => {
    const generator = fleet(3);
    const messages = messagesOf(generator, 2_000);
    const at = (topic: string): unknown => decode(generator, messages, topic);
    const near = (value: number, expected: number, tolerance: number): void =>
      assert.ok(Math.abs(value - expected) <= tolerance, `${value} is not ${expected} ± ${tolerance}`);
    const [robot] = generator.robots;
    assert.ok(robot);
    const imu = at('/robot1/imu') as {
      header: { stamp: { sec: number }; frame_id: string };
      linear_acceleration: { z: number };
    };
    near(imu.linear_acceleration.z, 9.8, 0.1);
    assert.equal(imu.header.frame_id, 'robot1/imu');
    near(imu.header.stamp.sec, Number(START / 1_000_000_000n) + 10, 1);
    const odom = at('/robot1/odom') as { pose: { pose: { position: { x: number } } } };
    near(odom.pose.pose.position.x, robot.vehicle.x, 1);
    const fix = at('/robot1/gps/fix') as { latitude: number; position_covariance: Float64Array };
    near(fix.latitude, 47.39774, 0.001);
    assert.equal(fix.position_covariance.length, 9);
    const scan = at('/robot2/scan') as { ranges: Float32Array; intensities: Float32Array };
    assert.equal(scan.ranges.length, 360);
    assert.ok(scan.ranges.every((range) => range > 0.2 && range < 25));
    const cloud = at('/robot3/points') as { width: number; data: Uint8Array; fields: { name: string }[] };
    assert.equal(cloud.data.length, cloud.width * 16);
    assert.deepEqual(cloud.fields.map((field) => field.name).join(), 'x,y,z,intensity');
    const tf = at('/robot1/tf') as { transforms: { child_frame_id: string }[] };
    assert.deepEqual(
      tf.transforms.map((transform) => transform.child_frame_id),
      ['robot1/odom', 'robot1/base_link'],
    );
    assert.equal((at('/robot1/tf_static') as { transforms: unknown[] }).transforms.length, 5);
    assert.match((at('/robot2/robot_description') as { data: string }).data, /<robot name="robot2">/);
    const peers = at('/robot1/fleet/peers') as { peers: { robot: string }[]; age: Float32Array };
    assert.deepEqual(peers.peers.map((peer) => peer.robot).sort(), ['robot2', 'robot3']);
    assert.ok(peers.age.every((age) => age >= 0 && age < 5));
    const diagnostics = at('/robot1/diagnostics') as {
      status: { name: string; values: { key: string }[] }[];
    };
    assert.equal(diagnostics.status[0]?.values[0]?.key, 'charge');
    near((at('/robot1/battery') as { percentage: number }).percentage, robot.vehicle.battery, 0.01);
  });

  it('have the schemas, QoS and type hashes that rosbag2 writes', () => {
    const text = new TextDecoder().decode(ros2Schema('nav_msgs/Odometry').data);
    const order = [...text.matchAll(/^={80}\nMSG: (.+)$/gm)].map((match) => match[1]);
    assert.deepEqual(order, [
      'geometry_msgs/PoseWithCovariance',
      'geometry_msgs/Pose',
      'geometry_msgs/Point',
      'geometry_msgs/Quaternion',
      'geometry_msgs/TwistWithCovariance',
      'geometry_msgs/Twist',
      'geometry_msgs/Vector3',
      'std_msgs/Header',
      'builtin_interfaces/Time',
    ]);
    assert.match(text, /^builtin_interfaces\/Time stamp$/m);
    const imu = fleet().channels.find((channel) => channel.topic === '/robot1/imu');
    assert.equal(imu?.schema.name, 'sensor_msgs/msg/Imu');
    assert.equal(imu.schema.encoding, 'ros2msg');
    assert.match(imu.metadata['topic_type_hash'] ?? '', /^RIHS01_7d9a00ff[0-9a-f]{56}$/);
    assert.equal(
      imu.metadata['offered_qos_profiles'],
      '- history: keep_last\n  depth: 5\n  reliability: best_effort\n  durability: volatile\n  deadline:\n' +
        '    sec: 9223372036\n    nsec: 854775807\n  lifespan:\n    sec: 9223372036\n    nsec: 854775807\n' +
        '  liveliness: automatic\n  liveliness_lease_duration:\n    sec: 9223372036\n    nsec: 854775807\n' +
        '  avoid_ros_namespace_conventions: false',
    );
  });

  it('come at their rates', () => {
    const generator = fleet(1);
    messagesOf(generator, 2_000);
    const perSecond = Object.fromEntries(
      generator.channels.map(({ topic }, i) => [topic.slice('/robot1/'.length), generator.produced(i) / 10]),
    );
    assert.deepEqual(perSecond, {
      ...{ robot_description: 0.1, tf_static: 0.1, imu: 200, odom: 50, cmd_vel: 50, tf: 50, scan: 10 },
      ...{ 'gps/fix': 10, battery: 1, 'camera/image/compressed': 10, points: 1, diagnostics: 1 },
      ...{ 'fleet/state': 5, 'fleet/peers': 5 },
    });
  });

  it('keep their numbers while nobody asks for their bytes', () => {
    const generator = fleet(1);
    for (let i = 0; i < 200; i++)
      assert.deepEqual(
        generator.step(() => false),
        [],
      );
    const imu = generator.channels.findIndex((channel) => channel.topic === '/robot1/imu');
    assert.equal(generator.produced(imu), 200);
    const next = generator.step().find((message) => message.channel === imu);
    assert.equal(next?.sequence, 201);
  });

  it('give the latched topics a fresh number when published again', () => {
    const generator = fleet(1);
    messagesOf(generator, 10);
    const again = generator.republish();
    assert.deepEqual(
      again.map((message) => [generator.channels[message.channel]?.topic, message.sequence]),
      [
        ['/robot1/robot_description', 2],
        ['/robot1/tf_static', 2],
      ],
    );
  });
});
