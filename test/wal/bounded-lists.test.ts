import assert from 'node:assert/strict';
import { present } from '../../src/core/present.js';
import { ClockSteps, MAX_CLOCK_STEPS, WaitingClockSteps } from '../../src/wal/clock-steps.js';
import { FaultList, MAX_FAULTS } from '../../src/wal/fault-list.js';

const step = (n: number) => ({ at: String(n), stepNs: String(n % 2 === 0 ? 1_000 : -999) });

describe('lists that grow with time', () => {
  it('list the first jumps of the wall clock one by one, and the sum of the others', () => {
    const steps = new ClockSteps();
    for (let n = 0; n < 100_000; n++) steps.add(step(n));
    assert.equal(steps.list.length, MAX_CLOCK_STEPS);
    assert.equal(steps.merged, 100_000 - MAX_CLOCK_STEPS);
    assert.equal(present(steps.list.at(-1)).at, '99999');
    assert.equal(
      steps.list.reduce((sum, { stepNs }) => sum + BigInt(stepNs), 0n),
      50_000n,
    );
  });

  it('lose no jump that comes while a commit is under way', () => {
    const waiting = new WaitingClockSteps();
    for (let n = 0; n < MAX_CLOCK_STEPS; n++) waiting.add(step(n));
    const committing = waiting.list;
    for (let n = 0; n < 500; n++) waiting.add({ at: String(n), stepNs: '7' });
    waiting.taken(committing.length);
    assert.deepEqual(waiting.list, [{ at: '499', stepNs: '3500' }]);
    waiting.add(step(2));
    waiting.taken(1);
    assert.deepEqual(waiting.list, [step(2)]);
  });

  it('list the first faults of a segment, and count the others', () => {
    const faults = new FaultList();
    for (let n = 0; n < 1_000_000; n++) faults.add(`sequence ${n}`, 'the payload fails its CRC');
    assert.deepEqual([faults.list.length, faults.leftOut, faults.count], [MAX_FAULTS, 999_000, 1_000_000]);
  });
});
