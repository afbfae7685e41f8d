import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  backoffMs,
  initialLink,
  nextLink,
  type LinkEvent,
  type LinkPhase,
  type LinkView,
} from '../../src/sync/link-state.js';

const in2s = (): number => 2000;
const failed: LinkEvent = { kind: 'failed', at: 5n };

function view(phase: LinkPhase, failures = 1): LinkView {
  return { phase, failures, retryAt: 7n };
}

describe('link state machine', () => {
  const expected: readonly (readonly [LinkPhase, LinkEvent['kind'], LinkPhase])[] = [
    ['unknown', 'probe', 'probing'],
    ['unknown', 'probe-answered', 'online'],
    ['unknown', 'succeeded', 'unknown'],
    ['unknown', 'failed', 'waiting'],
    ['probing', 'probe', 'probing'],
    ['probing', 'probe-answered', 'online'],
    ['probing', 'succeeded', 'probing'],
    ['probing', 'failed', 'waiting'],
    ['online', 'probe', 'online'],
    ['online', 'probe-answered', 'online'],
    ['online', 'succeeded', 'online'],
    ['online', 'failed', 'waiting'],
    ['waiting', 'probe', 'probing'],
    ['waiting', 'probe-answered', 'online'],
    ['waiting', 'succeeded', 'probing'],
    ['waiting', 'failed', 'waiting'],
  ];
  for (const [from, kind, to] of expected) {
    it(`${from}, ${kind}: ${to}`, () => {
      const event = kind === 'failed' ? failed : ({ kind } as LinkEvent);
      assert.equal(nextLink(view(from), event, in2s).phase, to);
    });
  }

  it('counts three parts cut by one reset as one failure', () => {
    const once = nextLink(view('online', 0), failed, in2s);
    assert.deepEqual(nextLink(once, failed, in2s), once);
    assert.equal(once.failures, 1);
    assert.equal(once.retryAt, 2_000_000_005n);
  });

  it('shortens the next wait only after real work, not after a probe', () => {
    const waited = nextLink(view('online', 3), failed, in2s);
    const probed = nextLink(nextLink(waited, { kind: 'probe' }, in2s), { kind: 'probe-answered' }, in2s);
    assert.equal(probed.failures, 4);
    assert.equal(nextLink(probed, { kind: 'succeeded' }, in2s).failures, 0);
  });

  it('waits 2, 4, 8 ... and never more than 120 s, less the jitter', () => {
    const backoff = { firstMs: 2000, maxMs: 120_000, jitter: 0.25 };
    assert.deepEqual(
      [1, 2, 3, 6, 7, 1000].map((failures) => backoffMs(backoff, failures, 0)),
      [2000, 4000, 8000, 64_000, 120_000, 120_000],
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, random) => {
          const ms = backoffMs(backoff, n, random);
          assert.ok(ms >= 1500 && ms <= 120_000);
        },
      ),
    );
  });

  it('starts unknown, without a failure', () => {
    assert.deepEqual(initialLink, { phase: 'unknown', failures: 0, retryAt: 0n });
  });
});
