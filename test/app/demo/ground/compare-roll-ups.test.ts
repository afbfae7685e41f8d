import assert from 'node:assert/strict';
import { wrongRollUps, type StoredRollUp } from '../../../../src/app/demo/ground/compare-roll-ups.js';

const S = 1_000_000_000n;
const samples = [3, 1, null, 2, 7].map((value, i) => ({ atNs: 5n * S + BigInt(i) * 300_000_000n, value }));
const first: StoredRollUp = { atNs: 5n * S, count: 3, min: 1, max: 3, last: 2 };
const second: StoredRollUp = { atNs: 6n * S, count: 1, min: 7, max: 7, last: 7 };
const wrong = (...rollUps: readonly StoredRollUp[]): number => wrongRollUps(samples, rollUps, S);

describe('the comparison of roll-ups and samples', () => {
  it('accepts what the samples give, in any order, and the whole in one', () => {
    assert.equal(wrong(first, second), 0);
    assert.equal(wrongRollUps(samples.toReversed(), [first, second], S), 0);
    const whole = { atNs: 0n, count: 4, min: 1, max: 7, last: 7 };
    assert.equal(wrongRollUps(samples, [whole], 60n * S), 0);
  });

  it('finds a roll-up that is missing, and one of no sample', () => {
    assert.equal(wrong(first), 1);
    assert.equal(wrong(first, second, { ...second, atNs: 9n * S }), 1);
    assert.equal(wrong(), 2);
  });

  for (const [name, value] of [
    ['count', 4],
    ['min', 0],
    ['max', 4],
    ['last', 3],
  ] as const) {
    it(`finds another ${name}`, () => assert.equal(wrong({ ...first, [name]: value }, second), 1));
  }
});
