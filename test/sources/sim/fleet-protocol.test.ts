import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  FrameReader,
  decodeAck,
  decodeChannelList,
  decodeHello,
  decodeMessage,
  encodeAck,
  encodeChannelList,
  encodeFrame,
  encodeHello,
  encodeMessageHead,
} from '../../../src/sources/sim/fleet-protocol.js';
import { ros2Schema } from '../../../src/core/ros/schemas.js';

const onlyBody = (bytes: Uint8Array): Uint8Array => new FrameReader().push(bytes)[0]!.body;

describe('The fleet protocol', function () {
  this.timeout(30_000);

  it('gives the frames back however the stream is cut', () => {
    const frame = fc.record({
      kind: fc.integer({ min: 0, max: 255 }),
      body: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(60)), (frames, cuts) => {
        const stream = Buffer.concat(frames.map(({ kind, body }) => encodeFrame(kind, body)));
        const reader = new FrameReader();
        const read = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          read.push(...reader.push(stream.subarray(at, at + cut)));
          at += cut;
        }
        assert.deepEqual(
          read.map(({ kind, body }) => ({ kind, body: [...body] })),
          frames.map(({ kind, body }) => ({ kind, body: [...body] })),
        );
      }),
    );
  });

  it('keeps its bytes: version 1 frames look like this', () => {
    assert.equal(encodeHello('listener').toString('hex'), '080000000148' + '46534d' + '0100' + '00');
    assert.equal(encodeAck(258).toString('hex'), '0900000003' + '0201000000000000');
    const head = encodeMessageHead(3, 7, 1_000_000_001n, 2);
    assert.equal(head.toString('hex'), '1700000084' + '03000000' + '0700000000000000' + '01ca9a3b00000000');
  });

  it('carries messages, channel lists and confirmations unchanged', () => {
    const data = Buffer.from('payload');
    const head = encodeMessageHead(9, 2 ** 40, -5n, data.length);
    const message = decodeMessage(onlyBody(Buffer.concat([head, data])));
    assert.deepEqual(
      { ...message, data: Buffer.from(message.data) },
      {
        ...{ channel: 9, sequence: 2 ** 40, stamp: -5n },
        data,
      },
    );
    const schema = ros2Schema('sensor_msgs/Imu');
    const channels = ['/a', '/b'].map((topic) => ({
      ...{ topic, encoding: 'cdr', schema, metadata: { k: 'v' }, latched: topic === '/b' },
    }));
    assert.deepEqual(decodeChannelList(onlyBody(encodeChannelList(channels))), channels);
    assert.equal(decodeAck(onlyBody(encodeAck(2 ** 50))), 2 ** 50);
    assert.deepEqual(decodeHello(onlyBody(encodeHello('control'))), { version: 1, role: 'control' });
  });

  it('refuses a length that cannot be', () => {
    assert.throws(() => new FrameReader().push(Buffer.from('HTTP/1.1 200')), RangeError);
    assert.throws(() => new FrameReader().push(Buffer.alloc(8)), RangeError);
  });
});
