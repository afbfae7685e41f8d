import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DurationHistogram } from '../../src/core/duration-histogram.js';

describe('a histogram of durations', () => {
  it('counts each duration in its bucket and all above it, and the longest in the count only', () => {
    const histogram = new DurationHistogram([1, 10, 100]);
    for (const ms of [0.5, 1, 5, 100, 101]) histogram.add(ms);
    assert.deepEqual(histogram.toJson(), {
      boundsMs: [1, 10, 100],
      atMost: [2, 3, 4],
      count: 5,
      sumMs: 207.5,
    });
  });

  it('agrees with counting by hand', () => {
    const bounds = [1, 5, 50];
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true })), (durations) => {
        const histogram = new DurationHistogram(bounds);
        for (const ms of durations) histogram.add(ms);
        assert.deepEqual(
          histogram.toJson().atMost,
          bounds.map((bound) => durations.filter((ms) => ms <= bound).length),
        );
      }),
    );
  });
});
