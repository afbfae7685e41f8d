import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import { PayloadPool, type Payload } from '../../../src/sources/ros/payload-pool.js';

const release = ({ lease }: Payload): void => present(lease).release();
const MIB = 1024 * 1024;

/** A pool and what it lends. */
function lending() {
  const lent = new Map<number, Uint8Array>();
  let last = 0;
  const unneeded: number[] = [];
  const borrower = {
    addBlock: (memory: Uint8Array): number => {
      lent.set(++last, memory);
      return last;
    },
    trimBlocks: (): readonly number[] => unneeded.splice(0),
  };
  return { pool: new PayloadPool(borrower, 10 * MIB), lent, unneeded };
}

describe('the memory of large payloads', () => {
  it('is lent once it came back, and never while a payload lies in it', () => {
    const { pool, lent } = lending();
    const first = pool.allocate(100_000);
    assert.equal(lent.size, 0);
    release(first);
    // Again: it is the borrower's by now.
    release(first);
    assert.deepEqual([...lent.keys()], [1]);
    assert.equal(present(lent.get(1)).buffer, first.data.buffer);
    const second = pool.takeBack(1, 90_000);
    assert.equal(second.data.byteLength, 90_000);
    assert.equal(second.data.buffer, first.data.buffer);
    assert.equal(pool.lentBytes, 0);
    assert.throws(() => pool.takeBack(1, 90_000), 'it is a payload now');
    release(first);
    assert.equal(lent.size, 1, 'the first payload has no memory any more');
    release(second);
    assert.deepEqual([...lent.keys()], [1, 2]);
  });

  it('has at most an eighth more than the payload', () => {
    const { pool } = lending();
    for (let bytes = 32 * 1024; bytes < 40 * MIB; bytes = Math.ceil(bytes * 1.037)) {
      const { data } = pool.allocate(bytes);
      assert.equal(data.byteLength, bytes);
      assert.ok(data.buffer.byteLength <= bytes * 1.125, `${data.buffer.byteLength} bytes for ${bytes}`);
    }
  });

  it('is given up if the borrower did not need it', () => {
    const { pool, unneeded } = lending();
    Array.from({ length: 3 }, () => pool.allocate(MIB)).forEach(release);
    assert.equal(pool.lentBytes, 3 * MIB);
    unneeded.push(1, 3);
    pool.trim();
    assert.equal(pool.lentBytes, MIB);
    assert.throws(() => pool.takeBack(3, 1), 'it is given up');
  });

  it('is lent up to its bound', () => {
    const { pool, lent } = lending();
    Array.from({ length: 20 }, () => pool.allocate(MIB)).forEach(release);
    assert.equal(pool.lentBytes, 10 * MIB);
    assert.equal(lent.size, 10);
  });

  it('is not lent to a borrower that has ended', () => {
    const { pool, lent } = lending();
    const payload = pool.allocate(MIB);
    pool.close();
    release(payload);
    assert.equal(lent.size + pool.lentBytes, 0);
  });
});
