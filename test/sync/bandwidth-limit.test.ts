import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BandwidthLimit } from '../../src/sync/bandwidth-limit.js';
import { TestClock } from '../support/test-clock.js';

const never = new AbortController().signal;

describe('bandwidth limit', () => {
  it('keeps the average for any sizes, and wastes at most the debt of one call', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3_000_000 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1000, max: 10_000_000 }),
        async (sizes, bytesPerS) => {
          const clock = new TestClock();
          const limit = new BandwidthLimit(clock, bytesPerS);
          for (const bytes of sizes) await limit.take(bytes, never);
          const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
          const seconds = clock.nowMs / 1000 + 0.25;
          const owed = sizes.at(-1) ?? 0;
          assert.ok(total - owed <= seconds * bytesPerS * 1.001 + 1, 'never faster');
          assert.ok(seconds <= total / bytesPerS + 0.25 + sizes.length * 0.002, 'never much slower');
        },
      ),
      { numRuns: 200 },
    );
  });

  it('does not wait without a limit', async () => {
    const clock = new TestClock();
    await new BandwidthLimit(clock, 0).take(1e12, never);
    assert.equal(clock.nowMs, 0);
  });

  it('stops waiting when told to', async () => {
    const stop = new AbortController();
    const limit = new BandwidthLimit(new TestClock(), 10);
    await limit.take(1000, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(limit.take(1, stop.signal), /enough/);
  });
});
