import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Priority } from '../../src/core/message.js';
import {
  freeFloor,
  planEvictions,
  shortageOf,
  type SpaceLimits,
  type WhenFull,
} from '../../src/seal/retention-plan.js';
import type { SealedObject } from '../../src/seal/sealed-index.js';

const limits: SpaceLimits = { minFreeBytes: 100, minFreePercent: 50, maxBytes: 0, slackBytes: 20 };
const disk = { freeBytes: 1000, totalBytes: 1000, usedBytes: 0, owedBytes: 0, sealBytes: 0 };

const object = (number: number, priority: Priority, receipt: boolean, bytes = 10): SealedObject => ({
  name: `o${number}`,
  robot: 'r',
  number,
  priority,
  bytes,
  receipt: receipt ? 'seen' : 'none',
});

const plan = (objects: SealedObject[], bytes: number, whenFull: WhenFull, limit = 100): string[] => {
  const { verified, unverified } = planEvictions({ objects, mayGo: () => true, bytes, whenFull, limit });
  return [...verified, ...unverified].map(({ name }) => name);
};

describe('the retention plan', () => {
  it('takes the smaller of bytes and percentage as the floor', () => {
    assert.equal(freeFloor(limits, 1000), 100);
    assert.equal(freeFloor(limits, 150), 75);
    assert.equal(freeFloor({ ...limits, minFreePercent: 0 }, 1000), 0);
  });

  it('is short of nothing until the floor is reached, then of what gives slack beyond it', () => {
    assert.equal(shortageOf(limits, { ...disk, freeBytes: 100 }, false), undefined);
    assert.deepEqual(shortageOf(limits, { ...disk, freeBytes: 99 }, false), {
      bytes: 21,
      reason: 'free_space',
    });
    assert.deepEqual(shortageOf(limits, { ...disk, freeBytes: 110 }, true), {
      bytes: 10,
      reason: 'free_space',
    });
    assert.equal(shortageOf(limits, { ...disk, freeBytes: 120 }, true), undefined);
  });

  it('counts ballast that was given up as missing', () => {
    const use = { ...disk, freeBytes: 150, owedBytes: 50 };
    assert.deepEqual(shortageOf(limits, use, true), { bytes: 20, reason: 'free_space' });
  });

  it('keeps the space that sealing needs where that is more than the floor', () => {
    const use = { ...disk, freeBytes: 150, sealBytes: 160 };
    assert.deepEqual(shortageOf(limits, use, false), { bytes: 30, reason: 'free_space' });
    assert.equal(shortageOf(limits, { ...use, sealBytes: 90 }, false), undefined);
  });

  it('acts before the quota is passed, by one slack', () => {
    const quota = { ...limits, maxBytes: 400 };
    assert.equal(shortageOf(quota, { ...disk, usedBytes: 380 }, false), undefined);
    assert.deepEqual(shortageOf(quota, { ...disk, usedBytes: 381 }, false), { bytes: 21, reason: 'quota' });
  });

  const mixed = [
    object(1, 'high', false),
    object(2, 'normal', true),
    object(3, 'low', false),
    object(4, 'normal', false),
    object(5, 'low', true),
    object(6, 'low', false),
  ];

  it('evicts verified segments first, oldest first, under any policy', () => {
    for (const policy of ['stop', 'drop-oldest', 'drop-lowest'] as const) {
      assert.deepEqual(plan(mixed, 15, policy), ['o2', 'o5']);
    }
  });

  it('evicts nothing else under stop', () => {
    assert.deepEqual(plan(mixed, 1000, 'stop'), ['o2', 'o5']);
  });

  it('continues with the oldest under drop-oldest', () => {
    assert.deepEqual(plan(mixed, 40, 'drop-oldest'), ['o2', 'o5', 'o1', 'o3']);
  });

  it('continues with the oldest of the lowest class under drop-lowest', () => {
    assert.deepEqual(plan(mixed, 1000, 'drop-lowest'), ['o2', 'o5', 'o3', 'o6', 'o4', 'o1']);
  });

  it('never names an unverified segment while a verified one stays, nor more than are needed', () => {
    const objects = fc.array(
      fc.record({
        priority: fc.constantFrom<Priority>('low', 'normal', 'high'),
        receipt: fc.boolean(),
        bytes: fc.integer({ min: 1, max: 50 }),
      }),
      { maxLength: 40 },
    );
    const policies = fc.constantFrom<WhenFull>('stop', 'drop-oldest', 'drop-lowest');
    fc.assert(
      fc.property(
        objects,
        fc.integer({ min: 1, max: 900 }),
        policies,
        fc.integer({ min: 1, max: 50 }),
        (specs, bytes, whenFull, limit) => {
          const all = specs.map((spec, i) => object(i, spec.priority, spec.receipt, spec.bytes));
          const result = planEvictions({ objects: all, mayGo: () => true, bytes, whenFull, limit });
          const chosen = [...result.verified, ...result.unverified];
          const freed = chosen.reduce((sum, one) => sum + one.bytes, 0);
          assert.equal(new Set(chosen).size, chosen.length);
          assert.ok(chosen.length <= limit);
          assert.equal(result.shortBytes, Math.max(0, bytes - freed));
          const last = chosen.at(-1);
          if (last) assert.ok(freed - last.bytes < bytes, 'one more than needed');
          const verifiedLeft = all.filter((one) => one.receipt === 'seen').length - result.verified.length;
          if (result.unverified.length > 0) assert.equal(verifiedLeft, 0);
          if (whenFull === 'stop') assert.equal(result.unverified.length, 0);
          const numbers = result.verified.map((one) => one.number);
          assert.deepEqual(
            numbers,
            [...numbers].sort((a, b) => a - b),
          );
        },
      ),
    );
  });
});
