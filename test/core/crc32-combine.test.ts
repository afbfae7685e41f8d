import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { crc32Combine } from '../../src/core/crc32-combine.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';

describe('Combining two CRC-32s', () => {
  it('gives the sum that zlib gives for both byte strings together', () => {
    const random = seededBytes(7);
    for (const length of [0, 1, 2, 3, 7, 8, 31, 255, 256, 4096, 65_535, 65_536, 1_000_003]) {
      const first = Buffer.from(random(1 + (length % 977)));
      const second = Buffer.from(random(length));
      const whole = crc32(Buffer.concat([first, second]));
      const sumOfSecond = length === 0 ? 0 : crc32(second);
      assert.equal(crc32Combine(crc32(first), sumOfSecond, length), whole, `${length} bytes`);
      assert.equal(crc32Combine(0, sumOfSecond, length), sumOfSecond, `nothing before ${length} bytes`);
    }
  });

  it('remembers a bounded number of lengths', () => {
    const tail = Buffer.from([1, 2, 3]);
    for (let length = 0; length < 10_000; length++) crc32Combine(1, 2, length);
    const head = Buffer.from('head');
    assert.equal(crc32Combine(crc32(head), crc32(tail), 3), crc32(Buffer.concat([head, tail])));
  });

  it('works for lengths above 4 GiB', () => {
    const block = Buffer.alloc(2 ** 20);
    const sumOf = (doublings: number): number => {
      let sum = crc32(block);
      for (let i = 0, bytes = block.length; i < doublings; i++, bytes *= 2)
        sum = crc32Combine(sum, sum, bytes);
      return sum;
    };
    // 2^33 zeros as two halves, and as a quarter and the rest.
    const quarter = sumOf(11);
    const half = sumOf(12);
    const rest = crc32Combine(half, quarter, 2 ** 31);
    assert.equal(crc32Combine(quarter, rest, 3 * 2 ** 31), sumOf(13));
  });
});
