import assert from 'node:assert/strict';
import { ownPayload, readMessageHead } from '../../../src/sources/foxglove/foxglove-protocol.js';

describe('A Foxglove message frame', () => {
  const frame = Buffer.from([1, 7, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb]);

  it('is read little endian', () => {
    assert.deepEqual(readMessageHead(frame), { subscription: 7, timestamp: 265n });
  });

  it('gives its payload up without keeping what was read beside it', () => {
    const read = Buffer.alloc(65_536);
    frame.copy(read, 100);
    const payload = ownPayload(read.subarray(100, 100 + frame.length));
    assert.deepEqual([...payload], [0xaa, 0xbb]);
    assert.equal(payload.buffer.byteLength, 2);
  });

  it('is not copied when its memory is its own', () => {
    const alone = Buffer.from(Uint8Array.from(frame).buffer);
    assert.equal(ownPayload(alone).buffer, alone.buffer);
  });
});
