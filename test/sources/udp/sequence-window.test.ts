import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DatagramStream } from '../../../src/sources/udp/datagram-stream.js';
import {
  MAX_JUMP,
  REORDER_TIME_NS,
  REORDER_WINDOW,
  SequenceWindow,
} from '../../../src/sources/udp/sequence-window.js';

describe('The window of numbers', () => {
  it('accounts for every number once, however they are lost, doubled and shuffled within the window', () => {
    const fates = fc.array(
      fc.record({
        lost: fc.boolean(),
        copies: fc.integer({ min: 1, max: 3 }),
        delay: fc.nat(REORDER_WINDOW / 2),
      }),
      { minLength: 1, maxLength: 400 },
    );
    fc.assert(
      fc.property(fates, fc.nat(1_000_000), (plan, start) => {
        const arriving = plan.flatMap(({ lost, copies, delay }, i) =>
          lost
            ? []
            : Array.from({ length: copies }, (_, copy) => ({ number: start + i, at: i + delay + copy / 4 })),
        );
        arriving.sort((a, b) => a.at - b.at);
        const window = new SequenceWindow();
        const taken = new Set<number>();
        let duplicates = 0;
        let first = Infinity;
        let highest = -1;
        let lost = 0;
        for (const { number } of arriving) {
          const arrival = window.take(number, 0n);
          if (arrival === 'duplicate') duplicates++;
          else {
            assert.ok(!taken.has(number), `${number} twice`);
            taken.add(number);
          }
          if (first === Infinity) first = number;
          highest = Math.max(highest, number);
          lost += window.expire(0n)?.count ?? 0;
        }
        lost += window.finish()?.count ?? 0;
        const inside = [...taken].filter((number) => number > first).length + 1;
        if (taken.size > 0) assert.equal(lost, highest - first + 1 - inside);
        assert.equal(taken.size + duplicates, arriving.length);
      }),
      { numRuns: 300 },
    );
  });

  it('counts a number as lost only when the window or the time has passed', () => {
    const window = new SequenceWindow();
    window.take(1, 0n);
    window.take(3, 0n);
    assert.equal(window.expire(REORDER_TIME_NS - 1n), undefined);
    assert.deepEqual(window.expire(REORDER_TIME_NS), { count: 1, ranges: 1, first: 2, last: 2 });
    assert.equal(window.take(2, REORDER_TIME_NS), 'late');
    const byNumbers = new SequenceWindow();
    byNumbers.take(1, 0n);
    for (let n = 3; n < 2 + REORDER_WINDOW; n++) byNumbers.take(n, 0n);
    assert.equal(byNumbers.expire(0n), undefined);
    byNumbers.take(2 + REORDER_WINDOW, 0n);
    assert.deepEqual(byNumbers.expire(0n), { count: 1, ranges: 1, first: 2, last: 2 });
  });

  it('holds only its window, for any input', () => {
    const window = new SequenceWindow(Infinity);
    for (let n = 0; n < 1e6; n += 2) window.take(n, 0n);
    // Every odd number from 1 to 64 before the highest, 999,998.
    assert.equal(window.expire(0n)?.count, (1e6 - REORDER_WINDOW) / 2 - 1);
  });
});

describe('The stream of one sender', () => {
  const take = (stream: DatagramStream, numbers: readonly number[], sentNs = 0n): string[] =>
    numbers.map((number, i) => stream.take(number, sentNs + BigInt(i + 1), 0n));

  it('starts again when a number comes again with another time, and when old numbers were sent later', () => {
    const stream = new DatagramStream(false);
    take(stream, [1, 2, 3]);
    assert.deepEqual(take(stream, [1, 2, 3, 4], 1_000n), ['renumbered', 'next', 'next', 'next']);
    const long = new DatagramStream(false);
    take(
      long,
      Array.from({ length: 500 }, (_, i) => i),
    );
    assert.deepEqual(take(long, [7, 8], 1_000_000n), ['renumbered', 'next']);
    assert.equal(long.finish(), undefined);
  });

  it('starts again after two old numbers in a row if the clock of the sender was set back', () => {
    const stream = new DatagramStream(false);
    take(
      stream,
      Array.from({ length: 500 }, (_, i) => i),
      1_000_000n,
    );
    assert.deepEqual(take(stream, [7, 8, 9]), ['stale', 'renumbered', 'next']);
  });

  it('does not believe that a million messages were lost at once', () => {
    const stream = new DatagramStream(false);
    assert.deepEqual(take(stream, [1, 3 + MAX_JUMP, 4 + MAX_JUMP]), ['next', 'renumbered', 'next']);
    assert.equal(stream.finish(), undefined);
  });

  it('never starts again if its numbers are authenticated', () => {
    const stream = new DatagramStream(true);
    take(
      stream,
      Array.from({ length: 500 }, (_, i) => i),
    );
    assert.deepEqual(take(stream, [7, 8, 499], 1_000_000n), ['stale', 'stale', 'duplicate']);
    assert.deepEqual(take(stream, [3 * MAX_JUMP]), ['next']);
    assert.equal(stream.finish()?.count, 3 * MAX_JUMP - 500);
  });
});
