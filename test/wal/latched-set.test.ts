import assert from 'node:assert/strict';
import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import { latchedDepth } from '../../src/wal/latched-depth.js';
import { LatchedSet } from '../../src/wal/latched-set.js';
import { channel, message, payload } from './wal-support.js';

const TF_TEXT = `geometry_msgs/TransformStamped[] transforms
================================================================================
MSG: geometry_msgs/TransformStamped
std_msgs/Header header
string child_frame_id
geometry_msgs/Transform transform
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
================================================================================
MSG: geometry_msgs/Transform
geometry_msgs/Vector3 translation
geometry_msgs/Quaternion rotation
================================================================================
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
================================================================================
MSG: geometry_msgs/Quaternion
float64 x
float64 y
float64 z
float64 w
`;
const definitions = parse(TF_TEXT, { ros2: true });
const tfStatic = channel('/tf_static', {
  latched: true,
  schema: { name: 'tf2_msgs/msg/TFMessage', encoding: 'ros2msg', data: Buffer.from(TF_TEXT) },
});

function transforms(...frames: [child: string, x: number][]): Uint8Array {
  return new MessageWriter(definitions).writeMessage({
    transforms: frames.map(([child, x]) => ({
      header: { stamp: { sec: 1, nanosec: 2 }, frame_id: 'base' },
      child_frame_id: child,
      transform: { translation: { x, y: 0, z: 0 }, rotation: { x: 0, y: 0, z: 0, w: 1 } },
    })),
  });
}

interface Decoded {
  transforms: { child_frame_id: string; transform: { translation: { x: number } } }[];
}

function framesOf(set: LatchedSet): [string, number][] {
  const [merged, ...rest] = set.messages();
  assert.ok(merged);
  assert.deepEqual(rest, []);
  return new MessageReader(definitions)
    .readMessage<Decoded>(merged.data)
    .transforms.map(({ child_frame_id: child, transform }) => [child, transform.translation.x]);
}

describe('Latched set', () => {
  it('carries /tf_static of XCDR2 as it came, and merges nothing out of it', () => {
    const set = new LatchedSet(1e6);
    const data = Uint8Array.from(transforms(['a', 1]));
    data[1] = 7;
    set.add(message(tfStatic, data));
    assert.deepEqual(
      [...set.messages()].map((one) => Buffer.from(one.data).toString('hex')),
      [Buffer.from(data).toString('hex')],
    );
  });

  it('merges /tf_static per child frame, the last word of each publisher', () => {
    const set = new LatchedSet(1e6);
    set.add(message(tfStatic, transforms(['laser', 1], ['camera', 2]), { publisher: 'a' }));
    set.add(message(tfStatic, transforms(['imu', 3]), { publisher: 'b' }));
    set.add(message(tfStatic, transforms(['laser', 9]), { publisher: 'a' }));
    assert.deepEqual(framesOf(set), [
      ['laser', 9],
      ['camera', 2],
      ['imu', 3],
    ]);
  });

  it('carries messages that it cannot decode unchanged', () => {
    const set = new LatchedSet(1e6);
    const lying = channel('/tf_static', {
      latched: true,
      schema: { name: 'tf2_msgs/msg/TFMessage', encoding: 'ros2msg', data: Buffer.from('float64 [nonsense') },
    });
    const sent = message(lying, Buffer.from([0, 1, 0, 0, 255]));
    set.add(sent);
    assert.deepEqual(set.messages(), [sent]);
    const cut = new LatchedSet(1e6);
    const short = message(tfStatic, transforms(['laser', 1]).subarray(0, 20));
    cut.add(short);
    assert.deepEqual(cut.messages(), [short]);
  });

  it('keeps the last messages up to the depth the publishers offer, each payload once', () => {
    const set = new LatchedSet(1e6);
    const of = channel('/map', {
      latched: true,
      metadata: { offered_qos_profiles: '- depth: 1\n  durability: 1\n- depth: 2\n' },
    });
    for (const text of ['a', 'b', 'b', 'c', 'd', 'b']) set.add(message(of, text));
    assert.deepEqual(
      set.messages().map(({ data }) => Buffer.from(data).toString()),
      ['c', 'd', 'b'],
    );
  });

  it('keeps equal payloads of different publishers apart', () => {
    const set = new LatchedSet(1e6);
    const of = channel('/state', { latched: true, metadata: { offered_qos_profiles: '- depth: 5\n' } });
    for (const publisher of ['a', 'b', 'a']) set.add(message(of, 'x', { publisher }));
    assert.deepEqual(
      set.messages().map(({ publisher }) => publisher),
      ['b', 'a'],
    );
  });

  it('stays within its bytes, keeps its content, and counts the messages that did not fit', () => {
    const set = new LatchedSet(1000);
    const [small, large] = [channel('/small', { latched: true }), channel('/large', { latched: true })];
    set.add(message(small, payload(600, 1)));
    set.add(message(large, payload(500, 2)));
    assert.deepEqual([set.bytes, set.overflowed], [600, 1]);
    set.add(message(small, payload(100, 3)));
    set.add(message(large, payload(500, 2)));
    assert.deepEqual([set.bytes, set.overflowed], [600, 1]);
    assert.equal(set.messages().length, 2);
  });

  it('does not grow or slow down with a publisher that invents frames without an end', function () {
    this.timeout(20_000);
    const set = new LatchedSet(50_000);
    for (let i = 0; i < 20_000; i++) set.add(message(tfStatic, transforms([`frame_${i}`, i])));
    assert.ok(set.bytes <= 50_000);
    assert.ok(set.overflowed > 10_000);
    assert.ok(framesOf(set).length > 100);
  });

  it('reads depths out of any QoS text without failing', () => {
    const cases: [string | undefined, number][] = [
      [undefined, 1],
      ['', 1],
      ['- depth: 7', 7],
      ['- depth: 7\n- depth: 3', 10],
      ['- depth: 0', 1],
      ['- depth: 99999', 100],
      ['- {}', 1],
      ['- null', 1],
      ['depth: 5', 1],
      [': : :', 1],
      ['[', 1],
    ];
    for (const [text, depth] of cases) assert.equal(latchedDepth(text), depth, String(text));
  });
});
