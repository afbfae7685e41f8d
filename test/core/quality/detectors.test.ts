import assert from 'node:assert/strict';
import fc from 'fast-check';
import { present } from '../../../src/core/present.js';
import { RateWindows, type RateWindow } from '../../../src/core/quality/rate-windows.js';
import { RobustWindow } from '../../../src/core/quality/robust-window.js';
import { StampSteps } from '../../../src/core/quality/stamp-steps.js';
import { ThinnedSample } from '../../../src/core/quality/thinned-sample.js';
import { UnchangedRun, type MessageRun } from '../../../src/core/quality/unchanged-run.js';

/** The textbook's median: of an even number the mean of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function naiveScore(window: readonly number[], value: number): number | undefined {
  const middle = median(window);
  const distances = window.map((one) => Math.abs(one - middle));
  const mad = 1.4826 * median(distances);
  const mean = (1.253314 * distances.reduce((sum, one) => sum + one, 0)) / window.length;
  const scale = mad > 0 ? mad : mean > 0 ? mean : 0.01 * Math.abs(middle);
  return scale === 0 ? undefined : Math.abs(value - middle) / scale;
}

describe('the detectors of quality and anomalies', () => {
  // Of a size at which the order of the operations does not matter.
  const number = fc.integer({ min: -1e9, max: 1e9 }).map((value) => value / 128);
  // Few different values, so that ties and windows of equal values are common.
  const measured = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    number,
    fc.constantFrom(NaN, Infinity, -Infinity),
  );

  it('score a value as the textbook does over the last values, NaN and infinities aside', () => {
    fc.assert(
      fc.property(
        fc.array(measured, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        number,
        (values, size, value) => {
          const window = new RobustWindow(size);
          for (const one of values) window.add(one);
          const kept = values.filter(Number.isFinite).slice(-size);
          assert.equal(window.count, kept.length);
          if (kept.length === 0) {
            assert.equal(window.score(value), undefined);
            return;
          }
          close(window.median(), median(kept));
          close(window.score(value), naiveScore(kept, value));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('keep their score sharp in spite of outliers', () => {
    const window = new RobustWindow(100);
    for (let i = 0; i < 100; i++) window.add(i % 4 === 0 ? 1e6 : Math.sin(i));
    assert.ok(present(window.score(50)) > 20);
  });

  it('cut the same rows of unchanged values as a comparison of all neighbours', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, -0, 1, NaN), { minLength: 1, maxLength: 40 }), (values) => {
        const run = new UnchangedRun();
        const found: MessageRun[] = [];
        values.forEach((value, index) => {
          const ended = run.step(Object.is(value, values[index - 1]), BigInt(index));
          if (ended) found.push(ended);
        });
        found.push(present(run.current));
        const expected: MessageRun[] = [];
        for (let from = 0; from < values.length;) {
          let to = from;
          while (to + 1 < values.length && Object.is(values[to + 1], values[from])) to++;
          expected.push({ from: BigInt(from), to: BigInt(to), messages: to - from + 1 });
          from = to + 1;
        }
        assert.deepEqual(found, expected);
      }),
    );
  });

  it('count in windows the same as a count over all times', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 50 }),
        (raw, length) => {
          const times = raw.sort((a, b) => a - b).map(BigInt);
          const windows = new RateWindows(BigInt(length));
          const found: RateWindow[] = [];
          for (const time of times) {
            found.push(...windows.close(time));
            windows.add(time);
          }
          const until = present(times.at(-1)) + 200n;
          found.push(...windows.close(until));
          // Without gaps, in whole windows, up to the last one that has ended, and with the right counts.
          let at = times[0]!;
          for (const { from, to, messages } of found) {
            assert.equal(from, at);
            assert.equal((to - from) % BigInt(length), 0n);
            assert.equal(messages, times.filter((time) => time >= from && time < to).length);
            if (messages > 0) assert.equal(to - from, BigInt(length));
            at = to;
          }
          assert.ok(until - at < BigInt(length));
        },
      ),
    );
  });

  it('find a step of the stamps if the definition has a stamp, and only then', () => {
    const pair = fc.tuple(fc.bigInt({ min: 0n, max: 100n }), fc.bigInt({ min: 0n, max: 20n }));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 40 }), (pairs) => {
        const steps = new StampSteps(5n, 10n);
        let logTime = 0n;
        let before: { stamp: bigint; logTime: bigint } | undefined;
        for (const [stamp, passed] of pairs) {
          logTime += passed;
          const step = before && stamp - before.stamp;
          const expected =
            step === undefined
              ? undefined
              : step < -5n
                ? { kind: 'backward' as const, byNs: -step }
                : step > 10n + passed
                  ? { kind: 'forward' as const, byNs: step - passed }
                  : undefined;
          assert.deepEqual(steps.add(stamp, logTime), expected);
          before = { stamp, logTime };
        }
      }),
    );
  });

  it('give exact quantiles up to the bound, and near ones of an even sample beyond', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer(), { minLength: 1, maxLength: 64 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const sample = new ThinnedSample(64);
          for (const value of values) sample.add(value);
          const sorted = [...values].sort((a, b) => a - b);
          assert.equal(sample.quantile(share), sorted[Math.max(0, Math.ceil(share * values.length) - 1)]);
        },
      ),
    );
    const sample = new ThinnedSample(64);
    for (let i = 0; i < 10_000; i++) sample.add(i);
    assert.ok(sample.kept <= 64 && sample.kept > 32);
    assert.ok(Math.abs(present(sample.quantile(0.5)) - 5_000) < 400);
  });
});

function close(actual: number | undefined, expected: number | undefined): void {
  if (actual === undefined || expected === undefined) assert.equal(actual, expected);
  else
    assert.ok(Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected)), `${actual} ${expected}`);
}
