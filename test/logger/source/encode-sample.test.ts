import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { present } from '../../../src/core/present.js';
import { packageRoot } from '../../../src/host/version.js';
import { SampleEncoder } from '../../../src/logger/source/encode-sample.js';
import {
  messageText,
  scalarTypes,
  type MessageDefinition,
} from '../../../src/core/ros/message-definition.js';
import { messageSchema } from '../../../src/core/ros/message-schema.js';
import { createRing, RingReader, RingWriter } from '../../../src/logger/source/ring.js';
import {
  fleetEstimation,
  localEstimation,
  vehicleState,
  vehicleTelemetry,
} from '../../../src/core/ros/vehicle-messages.js';

/** An encoder, and what another library reads of what it wrote. */
function encoderOf(definition: MessageDefinition) {
  const writer = new RingWriter(createRing(100_000), 100);
  const reader = new RingReader(writer.shared);
  const encoder = new SampleEncoder(writer, definition);
  const text = new TextDecoder().decode(messageSchema(definition).data);
  const decode = new MessageReader(parse(text, { ros2: true }));
  const read = (): Record<string, unknown> | undefined => {
    const entry = reader.take();
    return entry && decode.readMessage<Record<string, unknown>>(entry.data);
  };
  return { writer, encoder, read };
}

const pose = { x: 1.5, y: -2.25, theta: 0.125, v: 3 };
const all: MessageDefinition = {
  type: 'test/All',
  fields: scalarTypes.map((type) => ({ kind: 'scalar' as const, name: type, key: type, type })),
};
const good = {
  bool: true,
  int8: -128,
  uint8: 255,
  int16: -32768,
  uint16: 65535,
  int32: -2147483648,
  uint32: 4294967295,
  int64: -(2n ** 63n),
  uint64: 2n ** 64n - 1n,
  float32: 0.5,
  float64: Math.PI,
  string: 'grün\u{1f980}',
};

describe('samples of a control loop', () => {
  it('are the text of the .msg files', () => {
    for (const one of [vehicleTelemetry, vehicleState, fleetEstimation, localEstimation]) {
      const path = join(packageRoot, 'msg', `${one.type.replace('holdfast/', '')}.msg`);
      assert.equal(readFileSync(path, 'utf8'), messageText(one), path);
    }
  });

  it('are CDR of every type, as another library reads it', () => {
    const { encoder, read } = encoderOf(all);
    assert.ok(encoder.write(good, 1));
    assert.deepEqual(read(), good);
    assert.ok(encoder.write({ ...good, int64: 5, string: '' }, 1));
    assert.deepEqual(read(), { ...good, int64: 5n, string: '' });
  });

  it('are copied: a sample object that is used again changes nothing that was logged', () => {
    const { encoder, read } = encoderOf(vehicleTelemetry);
    const sample = { timestamp: 1, ...pose, state: 'first' };
    encoder.write(sample, 1);
    Object.assign(sample, { timestamp: 2, x: 99, state: 'second' });
    encoder.write(sample, 1);
    const [first, second] = [present(read()), present(read())];
    assert.deepEqual([first['timestamp'], first['x'], first['state']], [1, 1.5, 'first']);
    assert.deepEqual([second['timestamp'], second['x'], second['state']], [2, 99, 'second']);
  });

  it('take fleets as lists, Maps and objects', () => {
    const { encoder, read } = encoderOf(fleetEstimation);
    const states = { 0: pose, 12: { ...pose, x: 7 } };
    const expected = [
      { vehicle_id: '0', ...pose },
      { vehicle_id: '12', ...pose, x: 7 },
    ];
    const forms = [
      [
        { vehicleId: 0, ...pose },
        { vehicleId: '12', ...pose, x: 7 },
      ],
      new Map([
        [0, pose],
        [12, { ...pose, x: 7 }],
      ]),
      states,
    ];
    for (const form of forms) {
      assert.ok(encoder.write({ senderId: -3, timestamp: 5, states: form }, 1_234_567_891_000_002));
      const message = present(read());
      assert.deepEqual(message['states'], expected);
      assert.equal(message['sender_id'], '-3');
      const { sec, nsec, nanosec } = message['receive_time'] as Record<string, number>;
      assert.deepEqual([sec, nsec ?? nanosec], [1_234_567_891, 2_000]);
    }
    assert.ok(encoder.write({ senderId: 'a', timestamp: 5, states: [] }, 1));
    assert.deepEqual(present(read())['states'], []);
  });

  it('record NaN and the infinities, and count them', () => {
    const { writer, encoder, read } = encoderOf(vehicleTelemetry);
    assert.ok(encoder.write({ timestamp: 1, ...pose, x: NaN, v: -Infinity }, 1));
    const message = present(read());
    assert.deepEqual(
      [message['x'], message['v'], message['brake'], message['state']],
      [NaN, -Infinity, NaN, ''],
    );
    assert.equal(writer.count('notFinite'), 2);
  });

  it('are refused, counted and named if a value is wrong, and later samples are complete', () => {
    const { writer, encoder, read } = encoderOf(all);
    const wrong: [unknown, RegExp][] = [
      [undefined, /a sample is an object, this is missing/],
      [null, /null/],
      ['text', /a text of 4 characters/],
      [{}, /bool must be true or false, it is missing/],
      [{ ...good, bool: 1 }, /bool must be/],
      [{ ...good, int8: 128 }, /int8 must be an integer from -128 to 127, it is 128/],
      [{ ...good, uint8: -1 }, /uint8/],
      [{ ...good, int16: 1.5 }, /int16/],
      [{ ...good, uint32: 2 ** 32 }, /uint32/],
      [{ ...good, int32: NaN }, /int32/],
      [{ ...good, int64: 2n ** 63n }, /int64/],
      [{ ...good, int64: 2 ** 60 }, /int64/],
      [{ ...good, uint64: -1n }, /uint64/],
      [{ ...good, float64: '3' }, /float64 must be a number/],
      [{ ...good, float32: null }, /float32 must be a number, it is null/],
      [{ ...good, string: 5 }, /string must be a text/],
      [{ ...good, string: 'x'.repeat(257) }, /string has 257 bytes, allowed are 256/],
      [{ ...good, string: 'ü'.repeat(129) }, /string has 258 bytes/],
      [{ ...good, string: 'x'.repeat(1e7) }, /string has 10000000 bytes/],
      [{ ...good, float64: Symbol('s') }, /of type symbol/],
    ];
    const thrower = {
      ...good,
      get int16(): number {
        throw new Error('a getter that throws');
      },
    };
    const proxy = new Proxy(good, {
      get() {
        // Throws null.
        AbortSignal.abort(null).throwIfAborted();
      },
    });
    for (const [sample, problem] of [
      ...wrong,
      [thrower, /reading it threw/],
      [proxy, /reading it threw null/],
    ] as const) {
      assert.equal(encoder.write(sample, 7), false);
      assert.match(encoder.problem, problem);
    }
    assert.equal(writer.count('rejected'), wrong.length + 2);
    assert.deepEqual([writer.count('firstRejected'), writer.count('lastRejected')], [7, 7]);
    assert.ok(encoder.write(good, 8));
    assert.deepEqual(read(), good);
    assert.equal(read(), undefined);
  });

  it('are refused if a fleet is invalid, or changes while it is read', () => {
    const { writer, encoder, read } = encoderOf(fleetEstimation);
    const growing: unknown[] = [];
    growing.push({
      get vehicleId() {
        for (let i = 0; i < 1_000; i++) growing.push({ vehicleId: i, ...pose });
        return 0;
      },
      ...pose,
    });
    assert.ok(encoder.write({ senderId: 1, timestamp: 1, states: [{ vehicleId: 1, ...pose }] }, 1));
    const wrong: [unknown, RegExp][] = [
      [5, /states must be a list, a Map or an object/],
      [[null], /states must be of objects, it is null/],
      [[{ ...pose }], /vehicle_id must be an integer or a text, it is missing/],
      [[{ vehicleId: 1.5, ...pose }], /vehicle_id/],
      [{ 1: { x: 1 } }, /y must be a number/],
      [new Array(257).fill({ vehicleId: 1, ...pose }), /states has 257 elements, allowed are 256/],
      [{ ['x'.repeat(65)]: pose }, /vehicle_id has 65 bytes/],
    ];
    for (const [states, problem] of wrong) {
      assert.equal(encoder.write({ senderId: 1, timestamp: 1, states }, 1), false);
      assert.match(encoder.problem, problem);
    }
    assert.equal(encoder.write({ timestamp: 1, states: [] }, 1), false);
    assert.match(encoder.problem, /sender_id/);
    assert.ok(encoder.write({ senderId: 2, timestamp: 1, states: growing }, 1), 'the list as it was');
    assert.deepEqual((present(read())['states'] as unknown[]).length, 1);
    assert.deepEqual((present(read())['states'] as unknown[]).length, 1);
    assert.equal(writer.count('rejected'), wrong.length + 1);
  });

  it('are refused if one is logged from inside another', () => {
    const { encoder, read } = encoderOf(vehicleTelemetry);
    const sample = {
      timestamp: 1,
      ...pose,
      get brake() {
        assert.equal(encoder.write({ timestamp: 2, ...pose }, 1), false);
        return 0.5;
      },
    };
    assert.ok(encoder.write(sample, 1));
    assert.deepEqual([present(read())['brake'], read()], [0.5, undefined]);
  });
});
