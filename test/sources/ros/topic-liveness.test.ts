import assert from 'node:assert/strict';
import fc from 'fast-check';
import { present } from '../../../src/core/present.js';
import {
  TopicLiveness,
  type LivenessOffer,
  type LivenessVerdict,
  type SilenceRule,
} from '../../../src/sources/ros/topic-liveness.js';

const rule: SilenceRule = { silentAfterMs: 10_000, periods: 10 };
const plain: LivenessOffer = { latched: false, deadlineMs: undefined };
const POLL_MS = 100;

/** A topic whose messages come at given times, looked at every 100 ms. */
class Run {
  readonly liveness: TopicLiveness;
  readonly verdicts: (readonly [atMs: number, verdict: LivenessVerdict])[] = [];
  nowMs = 0;

  constructor(
    readonly offer: LivenessOffer = plain,
    options: Partial<SilenceRule> = {},
  ) {
    this.liveness = new TopicLiveness({ ...rule, ...options });
  }

  /** Times of messages, in order; then looks on until `untilMs`. */
  go(times: readonly number[], untilMs: number): this {
    const left = [...times];
    while (this.nowMs < untilMs) {
      this.nowMs += POLL_MS;
      while (left[0] !== undefined && left[0] <= this.nowMs) {
        left.shift();
        this.liveness.arrived();
      }
      const verdict = this.liveness.tick(this.nowMs, this.offer);
      if (verdict === 'due' || verdict === 'returned') this.verdicts.push([this.nowMs, verdict]);
    }
    return this;
  }

  every(periodMs: number, count: number): this {
    const from = this.nowMs;
    const times = Array.from({ length: count }, (_, index) => from + (index + 1) * periodMs);
    return this.go(times, from + count * periodMs);
  }

  quiet(forMs: number): this {
    return this.go([], this.nowMs + forMs);
  }
}

describe('The liveness of a topic', () => {
  it('is lost ten usual periods after the last message, and no sooner than the time that is set', () => {
    assert.deepEqual(new Run().every(20, 1_000).quiet(9_900).verdicts, []);
    assert.deepEqual(new Run().every(20, 1_000).quiet(10_500).verdicts, [[30_000, 'due']]);
    assert.deepEqual(new Run().every(5_000, 20).quiet(49_000).verdicts, []);
    assert.deepEqual(new Run().every(5_000, 20).quiet(51_000).verdicts, [[150_000, 'due']]);
    assert.deepEqual(new Run(plain, { silentAfterMs: 0 }).every(20, 1_000).quiet(1e6).verdicts, []);
  });

  it('is tried again after 10 s, 20 s, 40 s and so on up to every 5 minutes', () => {
    const { verdicts } = new Run().every(100, 100).quiet(1_500_000);
    const pauses = verdicts.slice(1).map(([at], index) => (at - verdicts[index]![0]) / 1_000);
    assert.deepEqual(pauses.slice(0, 7), [10, 20, 40, 80, 160, 300, 300]);
    assert.ok(pauses.length < 15, 'bounded');
  });

  it('is back with the next message, and can be lost again', () => {
    const run = new Run().every(100, 100).quiet(15_000);
    assert.equal(run.liveness.silentSinceMs, 10_000);
    run.every(100, 100);
    assert.equal(run.liveness.silentSinceMs, undefined);
    run.quiet(11_000);
    assert.deepEqual(
      run.verdicts.map(([, verdict]) => verdict),
      ['due', 'returned', 'due'],
      String(run.verdicts),
    );
  });

  it('is not judged of topics that are latched, rare, came a few times, or come in bursts', () => {
    const latched = { latched: true, deadlineMs: undefined };
    assert.deepEqual(new Run(latched).every(100, 100).quiet(1e6).verdicts, []);
    assert.deepEqual(new Run().every(70_000, 20).quiet(3e6).verdicts, []);
    assert.deepEqual(new Run().every(100, 10).quiet(1e6).verdicts, []);
    const bursts = new Run();
    for (let round = 0; round < 20; round++) bursts.every(100, 5).quiet(3_000);
    assert.deepEqual(bursts.quiet(1e6).verdicts, []);
  });

  it('allows a topic that pauses by itself its usual pause, from the third on', () => {
    const run = new Run();
    for (let round = 0; round < 6; round++) run.every(100, 100).quiet(60_000);
    const lost = run.verdicts.filter(([, verdict]) => verdict === 'returned').length;
    assert.equal(lost, 2);
    run.every(100, 100).quiet(200_000);
    assert.equal(present(run.verdicts.at(-1))[1], 'due');
  });

  it('is judged by an offered deadline alone, also before the first message and of latched topics', () => {
    for (const latched of [false, true]) {
      const { verdicts } = new Run({ latched, deadlineMs: 8_000 }).quiet(17_000);
      assert.deepEqual(verdicts, [[16_100, 'due']], String(latched));
    }
  });

  it('is judged of all publishers together: one of three may stop unnoticed, not all of them', () => {
    const times = (periodMs: number, offsetMs: number, untilMs: number): number[] =>
      Array.from(
        { length: (untilMs - offsetMs) / periodMs },
        (_, index) => offsetMs + (index + 1) * periodMs,
      );
    const merged = [times(500, 0, 60_000), times(500, 200, 600_000), times(700, 100, 600_000)]
      .flat()
      .sort((a, b) => a - b);
    const run = new Run().go(merged, 600_000);
    assert.equal(run.verdicts.length, 0);
    run.quiet(15_000);
    const verdicts = run.verdicts.map(([atMs, verdict]) => [
      atMs >= present(merged.at(-1)) + 10_000,
      verdict,
    ]);
    assert.deepEqual(verdicts, [[true, 'due']]);
  });

  it('raises no false alarm for any periodic topic, however much its messages jitter or a few are lost', () => {
    const topic = fc.record({
      periodMs: fc.integer({ min: 5, max: 20_000 }),
      jitter: fc.array(fc.double({ min: 0, max: 0.9, noNaN: true }), { minLength: 60, maxLength: 200 }),
      isLost: fc.infiniteStream(fc.nat({ max: 9 })),
    });
    fc.assert(
      fc.property(topic, ({ periodMs, jitter, isLost }) => {
        let lostBefore = false;
        const times = jitter.flatMap((part, index) => {
          // A tenth, and never two in a row.
          lostBefore = !lostBefore && isLost.next().value === 0;
          return lostBefore ? [] : [(index + 1 + part) * periodMs];
        });
        const run = new Run().go(times, present(times.at(-1)));
        assert.deepEqual(run.verdicts, []);
      }),
      { numRuns: 50 },
    );
  });
});
