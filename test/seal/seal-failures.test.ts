import assert from 'node:assert/strict';
import { HoldfastError } from '../../src/core/errors.js';
import { SealFailures } from '../../src/seal/seal-failures.js';
import { systemError } from '../wal/faulty-fs.js';

const ID = 'a';
const own = new Error('heap out of memory');
const full = new HoldfastError('DISK_FULL', 'no room');
const refused = systemError('EMFILE');

describe('failures of sealing', () => {
  const nexts = (failures: SealFailures, ...errors: readonly unknown[]): string[] =>
    errors.map((error) => failures.note(ID, error).next);

  it('lead to sparing sealing after three, and out of the queue after three more', () => {
    const failures = new SealFailures();
    assert.deepEqual(nexts(failures, own, own, own), ['again', 'again', 'sparing']);
    assert.equal(failures.isSparing(ID), true);
    assert.deepEqual(nexts(failures, own, own, own), ['again', 'again', 'aside']);
    failures.forget(ID);
    assert.equal(failures.isSparing(ID), false);
    assert.deepEqual(failures.note(ID, own), { kind: 'own', count: 1, next: 'again' });
  });

  it('of a full disk are tried again for as long as it takes, the way it was', () => {
    const failures = new SealFailures();
    assert.deepEqual([...new Set(nexts(failures, ...Array.from({ length: 20 }, () => full)))], ['again']);
    assert.equal(failures.isSparing(ID), false);
    const fromWorker = new HoldfastError('SEAL_FAILED', 'no', { facts: { system: 'ENOSPC' } });
    assert.deepEqual(failures.note(ID, fromWorker), { kind: 'disk', count: 21, next: 'again' });
  });

  it('of the system lead to sparing sealing, and never out of the line', () => {
    const failures = new SealFailures();
    const ten = Array.from({ length: 10 }, () => refused);
    assert.deepEqual(
      nexts(failures, ...ten).filter((next) => next !== 'again'),
      ['sparing'],
    );
    assert.deepEqual(nexts(failures, own), ['aside'], 'the segment itself was at fault at last');
  });

  it('count as refusals since the drain began, unless the segment itself is at fault', () => {
    const failures = new SealFailures();
    failures.note(ID, full);
    failures.note('b', own);
    assert.deepEqual([failures.isRefused(ID), failures.isRefused('b')], [true, false]);
    failures.beginDrain();
    assert.equal(failures.isRefused(ID), false);
    failures.note(ID, refused);
    assert.equal(failures.isRefused(ID), true);
  });
});
