import assert from 'node:assert/strict';
import fc from 'fast-check';
import { present } from '../../src/core/present.js';
import { jumpGap, numberingGaps } from '../../src/ingest/numbering.js';
import { makeChannel } from './ingest-support.js';

describe('Numbering', () => {
  const channel = makeChannel('/odom');

  it('reports nothing if nothing is missing', () => {
    const event = { kind: 'numbering', channel, delivered: 10, next: 11 } as const;
    assert.deepEqual(numberingGaps(event, { received: 10, settled: 0, afterKill: false }), []);
    assert.deepEqual(numberingGaps(event, { received: undefined, settled: 10, afterKill: true }), []);
  });

  it('separates messages lost in a kill from messages without a listener', () => {
    const event = {
      kind: 'numbering',
      channel,
      delivered: 20,
      next: 31,
      deliveredAt: 5n,
      nextAt: 9n,
    } as const;
    const gaps = numberingGaps(event, { received: undefined, settled: 15, afterKill: true });
    assert.deepEqual(
      gaps.map(({ gap }) => [
        gap.reason,
        gap.count,
        gap.firstSourceSequence,
        gap.lastSourceSequence,
        gap.lastTime,
      ]),
      [
        ['lost_in_kill', 5, 16, 20, 5n],
        ['missed_while_down', 10, 21, 30, 9n],
      ],
    );
    assert.equal(gaps[1]?.gap.settledThrough, 30);
  });

  it('blames the connection while this process lived, and a stop if there was no kill', () => {
    const event = { kind: 'numbering', channel, delivered: 20, next: 21 } as const;
    const reason = (received: number | undefined, afterKill: boolean): string | undefined =>
      numberingGaps(event, { received, settled: 10, afterKill })[0]?.gap.reason;
    assert.equal(reason(12, true), 'source_lost');
    assert.equal(reason(undefined, false), 'missed_while_down');
  });

  it('accounts for every number between the settled and the next one, once', () => {
    const numbers = fc.nat(50);
    fc.assert(
      fc.property(
        numbers,
        numbers,
        numbers,
        fc.option(numbers, { nil: undefined }),
        (delivered, more, settled, received) => {
          const next = delivered + more + 1;
          const gaps = numberingGaps(
            { kind: 'numbering', channel, delivered, next },
            { received, settled, afterKill: true },
          );
          const told = gaps.flatMap(({ gap }) =>
            Array.from({ length: present(gap.count) }, (_, i) => present(gap.firstSourceSequence) + i),
          );
          const have = Math.max(received ?? 0, settled);
          const expected = Array.from({ length: Math.max(0, next - 1 - have) }, (_, i) => have + 1 + i);
          assert.deepEqual(told, expected);
        },
      ),
    );
  });

  it('notices a jump between two numbers of one connection', () => {
    assert.equal(jumpGap(channel, -1, 500, 1n), undefined);
    assert.equal(jumpGap(channel, 5, 6, 1n), undefined);
    assert.equal(jumpGap(channel, 5, 5, 1n), undefined);
    const gap = jumpGap(channel, 5, 9, 7n)?.gap;
    assert.deepEqual([gap?.count, gap?.firstSourceSequence, gap?.lastSourceSequence], [3, 6, 8]);
  });
});
