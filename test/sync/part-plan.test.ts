import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isHoldfastError } from '../../src/core/errors.js';
import { choosePlan, inferPartBytes, partRange, planParts } from '../../src/sync/part-plan.js';

const limits = { minPartBytes: 5, maxParts: 10_000, maxObjectBytes: 1e12 };

describe('part plan', () => {
  it('covers every byte once, in order, with equal parts but the last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 1, max: 600 }), (bytes, partBytes) => {
        const plan = planParts(bytes, partBytes);
        let at = 0;
        for (let number = 1; number <= plan.count; number++) {
          const range = partRange(plan, number);
          assert.equal(range.start, at);
          if (number < plan.count) assert.equal(range.bytes, partBytes);
          at += range.bytes;
        }
        assert.equal(at, bytes);
      }),
    );
  });

  it('raises the part size if the store requires larger or fewer parts', () => {
    assert.equal(choosePlan(100, 2, limits).partBytes, 5);
    const plan = choosePlan(100 * 2 ** 30, 2 ** 20, { ...limits, maxParts: 1000 });
    assert.ok(plan.count <= 1000);
  });

  it('refuses a file the store cannot hold, naming both sizes', () => {
    assert.throws(
      () => choosePlan(20, 5, { ...limits, maxObjectBytes: 19 }),
      (error) => isHoldfastError(error, 'STORE_REJECTED') && /20 bytes.*19 bytes/.test(error.message),
    );
  });

  it('derives the part size from the parts, and does not guess if they fit no plan', () => {
    const part = (partNumber: number, bytes: number) => ({ partNumber, bytes, etag: '' });
    assert.equal(inferPartBytes(25, [part(1, 10), part(3, 5)]), 10);
    assert.equal(inferPartBytes(25, [part(1, 10), part(2, 9)]), undefined);
    assert.equal(inferPartBytes(25, []), undefined);
  });
});
