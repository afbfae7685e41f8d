import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import { Random } from '../../../src/core/random.js';
import { PayloadPool, type Payload } from '../../../src/sources/ros/payload-pool.js';

const release = ({ lease }: Payload): void => present(lease).release();
const MIB = 1024 * 1024;

describe('the memory of large payloads', () => {
  it('is used again after it came back, and never by two payloads at a time', () => {
    const random = new Random(3);
    const pool = new PayloadPool();
    const held: { payload: Payload; mark: number }[] = [];
    const blocks = new Set<ArrayBufferLike>();
    for (let mark = 0; mark < 5_000; mark++) {
      if (held.length > 0 && (held.length > 12 || random.unit() < 0.45)) {
        const [one] = held.splice(Math.floor(random.unit() * held.length), 1);
        const { payload, mark: its } = present(one);
        const whole = Buffer.alloc(payload.data.byteLength, its % 251);
        assert.ok(whole.equals(payload.data), `payload ${its} was written over`);
        release(payload);
        // Again: it is another payload's by now.
        release(payload);
      }
      const payload = pool.take(32_768 + Math.floor(random.unit() * 8_000));
      payload.data.fill(mark % 251);
      blocks.add(payload.data.buffer);
      held.push({ payload, mark });
    }
    assert.ok(blocks.size < 60, `${blocks.size} blocks for 13 payloads at a time`);
  });

  it('has at most an eighth more than the payload', () => {
    const pool = new PayloadPool();
    for (let bytes = 32 * 1024; bytes < 40 * MIB; bytes = Math.ceil(bytes * 1.037)) {
      const { data } = pool.take(bytes);
      assert.equal(data.byteLength, bytes);
      assert.ok(data.buffer.byteLength <= bytes * 1.125, `${data.buffer.byteLength} bytes for ${bytes}`);
    }
  });

  it('is kept while it is needed again within a second, and given up afterwards', () => {
    const pool = new PayloadPool();
    const burst = (payloads: number): void =>
      Array.from({ length: payloads }, () => pool.take(MIB)).forEach(release);
    burst(10);
    assert.equal(pool.idleBytes, 10 * MIB);
    pool.trim();
    burst(4);
    pool.trim();
    assert.equal(pool.idleBytes, 4 * MIB, 'six were idle all the time');
    pool.trim();
    assert.equal(pool.idleBytes, 0);
  });

  it('is bounded while it is idle', () => {
    const pool = new PayloadPool();
    Array.from({ length: 100 }, () => pool.take(MIB)).forEach(release);
    assert.equal(pool.idleBytes, 64 * MIB);
  });
});
