import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { createRing, RECORD_HEAD_BYTES, RingReader, RingWriter } from '../../../src/logger/source/ring.js';

/** A record whose body is `length` bytes of `fill`. */
function put(writer: RingWriter, length: number, fill: number, us = 1): boolean {
  const offset = writer.reserve(RECORD_HEAD_BYTES + length);
  if (offset < 0) return false;
  writer.bytes.fill(fill, offset + RECORD_HEAD_BYTES, offset + RECORD_HEAD_BYTES + length);
  writer.commit(offset, offset + RECORD_HEAD_BYTES + length, us);
  return true;
}

describe('the ring of a logger', () => {
  it('returns every entry, for any sizes and any time of reading (model)', () => {
    const action = fc.oneof(
      fc.record({ length: fc.integer({ min: 0, max: 90 }), fill: fc.integer({ min: 0, max: 255 }) }),
      fc.constant('take' as const),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 300 }), fc.integer({ min: 2, max: 12 }), (actions, limit) => {
        const writer = new RingWriter(createRing(400), limit);
        const reader = new RingReader(writer.shared);
        const model: { length: number; fill: number; us: number }[] = [];
        let us = 0;
        for (const one of actions) {
          if (one === 'take') {
            const entry = reader.take();
            const expected = model.shift();
            assert.equal(entry?.receivedUs, expected?.us);
            if (!entry || !expected) continue;
            assert.deepEqual([...entry.data.subarray(0, 4)], [0, 1, 0, 0]);
            assert.deepEqual([...entry.data.subarray(4)], new Array(expected.length).fill(expected.fill));
          } else if (put(writer, one.length, one.fill, ++us)) model.push({ ...one, us });
          else assert.ok(model.length > 0, 'an empty ring has room for any of these');
          assert.equal(writer.entries, model.length);
          assert.ok(model.length <= limit && writer.usedBytes <= writer.capacity);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('holds so many records and not one more', () => {
    const writer = new RingWriter(createRing(100_000), 16);
    for (let i = 0; i < 16; i++) assert.ok(put(writer, 8, i));
    assert.equal(put(writer, 8, 0), false);
    new RingReader(writer.shared).take();
    assert.ok(put(writer, 8, 0));
    assert.equal(put(writer, 8, 0), false);
  });

  it('continues for a new reader at the place of the last one', () => {
    const writer = new RingWriter(createRing(1_000), 100);
    for (let i = 1; i <= 5; i++) put(writer, 8, i, i);
    new RingReader(writer.shared).take();
    const second = new RingReader(writer.shared);
    assert.deepEqual([second.take()?.receivedUs, second.take()?.receivedUs], [2, 3]);
    assert.equal(second.count('taken'), 3);
  });

  it('loses and tears nothing between two threads', async function () {
    this.timeout(30_000);
    const COUNT = 30_000;
    const writer = new RingWriter(createRing(2_000), 20);
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.url).then(({ RingReader }) => {
        const reader = new RingReader(workerData.shared);
        let next = 1;
        let wrong = 0;
        while (next <= workerData.count) {
          const entry = reader.take();
          if (entry === undefined) continue;
          const length = next % 90;
          if (entry.receivedUs !== next || entry.data.length !== length + 4) wrong++;
          for (let i = 4; i < entry.data.length; i++) if (entry.data[i] !== next % 251) wrong++;
          next++;
        }
        parentPort.postMessage(wrong);
      });`;
    const url = new URL('../../../src/logger/source/ring.js', import.meta.url).href;
    const reader = new Worker(script, {
      eval: true,
      workerData: { url, shared: writer.shared, count: COUNT },
    });
    const wrong = new Promise<number>((resolve, reject) => {
      reader.once('message', resolve);
      reader.once('error', reject);
    });
    for (let n = 1; n <= COUNT;) {
      if (put(writer, n % 90, n % 251, n)) n++;
      // Let the reader on one core have its turn, and its start.
      else if (writer.entries === 20) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await wrong, 0);
    await reader.terminate();
  });
});
