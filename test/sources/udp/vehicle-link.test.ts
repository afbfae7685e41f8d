import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import { LinkMeter } from '../../../src/sources/udp/link-meter.js';
import { VehicleLink, type Verdict } from '../../../src/sources/udp/vehicle-link.js';
import { STANDING } from './v2v-traffic.js';

const S = 1_000_000_000n;
const EPOCH = 1_790_000_000n * S;

/** Takes a datagram at this many seconds, sent just then unless said otherwise. */
function take(
  link: VehicleLink,
  sequence: number,
  at: number,
  how: { session?: string; sender?: string; authenticated?: boolean; sentAt?: number } = {},
): Verdict {
  const { session = 's', sender = '10.0.0.1:1', authenticated = false, sentAt = at } = how;
  const ns = (seconds: number): bigint => BigInt(Math.round(seconds * 1e9));
  return link.take({
    datagram: {
      vehicle: 'car1',
      session,
      sequence,
      sentNs: EPOCH + ns(sentAt),
      body: { kind: 'state', state: STANDING },
    },
    ...{ sender, authenticated, receivedNs: EPOCH + ns(at), monotonicNs: ns(at) },
  });
}

describe('The link to one vehicle', () => {
  it('takes one change of sender for a restart and three in ten seconds for two vehicles', () => {
    const link = new VehicleLink({ maxSkewNs: 30n * S });
    take(link, 1, 0, { session: 'a' });
    take(link, 1, 1, { session: 'b' });
    take(link, 2, 2, { session: 'a' });
    assert.equal(link.isInConflict, false);
    take(link, 2, 3, { session: 'b' });
    assert.equal(link.isInConflict, true);
    assert.equal(link.report()?.conflict, true);
    assert.equal(link.isInConflict, false, 'until it is seen again');
    const slow = new VehicleLink({ maxSkewNs: 30n * S });
    for (let i = 0; i < 8; i++) take(slow, i, i * 20, { session: i % 2 === 0 ? 'a' : 'b' });
    assert.equal(slow.isInConflict, false, 'a vehicle that starts again every 20 s');
  });

  it('sees that the clock of a sender was set, and does not call it jitter', () => {
    const link = new VehicleLink({ maxSkewNs: 30n * S });
    for (let i = 1; i <= 20; i++) take(link, i, i, { sentAt: i < 10 ? i : i + 3_600 });
    const report = link.report();
    assert.equal(report?.clock_steps, 1);
    assert.equal(report.jitter_ms, 0);
    assert.equal(report.received, 20);
    assert.equal(report.restarts, 0);
    take(link, 21, 21);
    assert.equal(link.report()?.clock_steps, 2, 'counted since the start');
  });

  it('reports the loss of a sender that another one replaced, and keeps only a few', () => {
    const link = new VehicleLink({ maxSkewNs: 30n * S });
    take(link, 1, 0, { session: 'lossy' });
    take(link, 5, 0, { session: 'lossy' });
    for (let i = 0; i < 5_000; i++) take(link, 1, 0, { session: `forged${i}` });
    assert.deepEqual(
      link.losses(0n).map(({ session, lost }) => [session, lost.count]),
      [['lossy', 3]],
    );
    assert.ok(present(link.report()).senders.length <= 8);
  });

  it('refuses a session of the past for as long as its datagrams are in the time window', () => {
    const link = new VehicleLink({ maxSkewNs: 30n * S });
    const trusted = { authenticated: true };
    take(link, 1, 0, { ...trusted, session: 'a' });
    for (let i = 0; i < 20; i++) take(link, 1, i, { ...trusted, session: `later${i}` });
    const again = { ...trusted, session: 'a', sender: '6.6.6.6:6', sentAt: 0 };
    assert.equal(take(link, 1, 20, again).kind, 'refused');
    assert.equal(take(link, 1, 31, again).kind, 'refused');
    assert.equal(take(link, 1, 100, { ...trusted, session: 'a' }).kind, 'refused');
    assert.equal(link.report()?.replayed, 2);
    const flood = Array.from(
      { length: 500 },
      (_, i) => take(link, 1, 101, { ...trusted, session: `s${i}` }).kind,
    );
    assert.ok(flood.filter((kind) => kind === 'record').length <= 64, 'sessions are bounded');
  });
});

describe('The meter of a link', () => {
  it('measures jitter as RFC 3550 does', () => {
    const meter = new LinkMeter();
    let expected = 0;
    let last = 0;
    [0, 4, 2, 9, 9, 1].forEach((transitMs, i) => {
      if (i > 0) expected += (Math.abs(transitMs - last) - expected) / 16;
      last = transitMs;
      meter.add(BigInt(i) * S, BigInt(i) * S + BigInt(transitMs) * 1_000_000n);
    });
    assert.equal(meter.jitterMs, Math.round(expected * 1e3) / 1e3);
    assert.deepEqual(meter.takeLatency(), { min: 0, mean: 4.167, max: 9 });
    assert.equal(meter.takeLatency(), null);
  });
});
