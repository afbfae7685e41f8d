import assert from 'node:assert/strict';
import { parseTime } from '../../src/core/parse-time.js';

describe('A time on a command line', () => {
  it('is a date, seconds or nanoseconds', () => {
    const cases: [string, bigint][] = [
      ['2026-11-21T08:15:30.5Z', 1_795_248_930_500_000_000n],
      ['2026-11-21T09:15:30.5+01:00', 1_795_248_930_500_000_000n],
      ['2026-11-21', 1_795_219_200_000_000_000n],
      ['1795248930.5', 1_795_248_930_500_000_000n],
      ['1795248930500000001', 1_795_248_930_500_000_001n],
      ['2300-01-01', 10_413_792_000_000_000_000n],
    ];
    for (const [text, expected] of cases) assert.equal(parseTime(text), expected, text);
  });

  it('lies before the end of the times of MCAP in each form', () => {
    const last = 2n ** 64n - 1n;
    assert.equal(parseTime(String(last)), last);
    for (const text of [String(last + 1n), '18446744074', '2555-01-01T00:00:00Z'])
      assert.equal(parseTime(text), undefined, text);
    for (const text of ['', 'now', '-1', '2026-13-01']) assert.equal(parseTime(text), undefined, text);
  });
});
