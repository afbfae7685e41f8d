import assert from 'node:assert/strict';
import { FieldThinner } from '../../../src/jobs/delivery/field-thinner.js';
import type { FieldSpec } from '../../../src/uplink/protocol/field-spec.js';

const MS = 1_000_000n;
const spec = (over: Partial<FieldSpec> = {}): FieldSpec => ({
  ...{ topic: '/a', path: 'x', unit: '', threshold: 1, quantum: 0.125, everyTicks: 100, predictor: 'hold' },
  ...over,
});

/** Which of these values, each at its time in milliseconds, are written. */
function written(values: readonly (readonly [atMs: number, value: number])[], field = spec()): number[] {
  const thinner = new FieldThinner(field, 1_000_000);
  const times = values
    .filter(([atMs, value]) => thinner.take(BigInt(atMs) * MS, value))
    .map(([atMs]) => atMs);
  const last = thinner.end();
  return last === undefined ? times : [...times, Number(last.timeNs / MS)];
}

describe('the choice of values for a time series', () => {
  it('writes the first and the last value, and between them what passes the threshold', () => {
    assert.deepEqual(
      written([
        [0, 5],
        [200, 5.9],
        [400, 6.1],
        [600, 6.2],
        [800, 6.3],
      ]),
      [0, 400, 800],
    );
  });

  it('writes no more than the rate allows, and takes a message that comes a little early', () => {
    const jittered = Array.from(
      { length: 100 },
      (_, i) => [i * 100 + (i % 2 === 0 ? 8 : -8), i * 10] as const,
    );
    assert.equal(written(jittered).length, 100);
    const fast = Array.from({ length: 1_000 }, (_, i) => [i * 10, i * 10] as const);
    const count = written(fast).length;
    assert.ok(count >= 99 && count <= 102, `${count} of 10 s at 10 Hz`);
  });

  it('writes a value that stands still every 10 s', () => {
    const still = Array.from({ length: 251 }, (_, i) => [i * 100, 7] as const);
    assert.deepEqual(written(still), [0, 10_000, 20_000, 25_000]);
  });

  it('measures a circular field the shorter way', () => {
    const circle = spec({ threshold: 5, circle: { period: 360, lowest: -180 } });
    assert.deepEqual(
      written(
        [
          [0, 179],
          [200, -179],
          [400, -170],
          [600, -170],
        ],
        circle,
      ),
      [0, 400, 600],
    );
  });

  it('never writes what is not a number', () => {
    assert.deepEqual(
      written([
        [0, NaN],
        [200, Infinity],
        [400, 3],
        [600, NaN],
      ]),
      [400],
    );
  });
});
