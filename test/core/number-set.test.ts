import assert from 'node:assert/strict';
import fc from 'fast-check';
import { NumberSet } from '../../src/core/number-set.js';
import { present } from '../../src/core/present.js';

const BLOCK = 4096;

function filled(from: number, to: number, step = 1): NumberSet {
  const set = new NumberSet();
  for (let number = from; number < to; number += step) set.add(number);
  return set;
}

describe('A number set', () => {
  it('has the added numbers and no others, also after reading back and uniting, in any order', () => {
    // Whole blocks, single numbers and the edges between blocks; 2^53 - 1 is the largest there is.
    const base = fc.constantFrom(0, BLOCK, 2 ** 32, Number.MAX_SAFE_INTEGER - 3 * BLOCK);
    const piece = fc.tuple(base, fc.nat(2 * BLOCK), fc.constantFrom(1, 1, 2, BLOCK, BLOCK + 3, 2 * BLOCK));
    const pieces = fc.array(piece, { maxLength: 12 });
    fc.assert(
      fc.property(pieces, pieces, (mine, theirs) => {
        const known = new Set<number>();
        const build = (from: typeof mine): NumberSet => {
          const set = new NumberSet();
          for (const [start, offset, count] of from) {
            for (let number = start + offset; number < start + offset + count; number++) {
              if (!Number.isSafeInteger(number)) break;
              set.add(number);
              known.add(number);
            }
          }
          return set;
        };
        const set = build(mine);
        set.addAll(present(NumberSet.decode(build(theirs).encode())));
        const again = present(NumberSet.decode(set.encode()));
        assert.equal(set.countIn(0, Number.MAX_SAFE_INTEGER), known.size);
        const [from, to] = [BLOCK - 7, 2 * BLOCK + 11];
        assert.equal(set.countIn(from, to), [...known].filter((one) => one >= from && one <= to).length);
        for (const number of known) {
          assert.ok(set.has(number) && again.has(number), `${number} is missing`);
          for (const near of [number - 1, number + 1]) {
            if (near >= 0) assert.equal(again.has(near), known.has(near), `${near}`);
          }
        }
        assert.equal(again.encode(), set.encode());
      }),
      { numRuns: 60 },
    );
  });

  it('keeps contiguous numbers of any length in a few bytes', () => {
    const set = filled(1, 3_000_000);
    assert.ok(set.has(1) && set.has(2_999_999) && !set.has(0) && !set.has(3_000_000));
    assert.ok(set.encode().length < 100);
  });

  it('forgets the oldest of what has holes, and only that', () => {
    const blocks = 1_500;
    const set = filled(0, blocks * BLOCK, BLOCK / 2);
    for (let block = blocks - 1_024; block < blocks; block++) assert.ok(set.has(block * BLOCK));
    assert.ok(!set.has(0));
  });

  it('forgets the oldest of very many runs', () => {
    const set = new NumberSet();
    for (let run = 0; run < 1_100; run++) {
      for (let i = 0; i < BLOCK; i++) set.add(run * 2 * BLOCK + i);
    }
    assert.ok(!set.has(0) && set.has(1_099 * 2 * BLOCK) && set.has(80 * 2 * BLOCK));
  });

  it('is not read from damaged text', () => {
    const text = filled(5, 30_000, 3).encode();
    for (const bad of ['', 'AAAA', text.slice(0, 40), `A${text.slice(1)}`]) {
      assert.equal(NumberSet.decode(bad), undefined, bad.slice(0, 20));
    }
  });
});
