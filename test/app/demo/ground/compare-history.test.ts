import assert from 'node:assert/strict';
import { compareHistory, type StoredSample } from '../../../../src/app/demo/ground/compare-history.js';
import type { RecordedSamples } from '../../../../src/app/demo/ground/recorded-samples.js';
import { present } from '../../../../src/core/present.js';

const TICK = 100_000_000n;
const TICKS = 90;

/** A heading that turns through north; one tick has no value. */
function recorded(): RecordedSamples {
  const due = Array.from({ length: TICKS }, (_, i) => BigInt(i + 1) * TICK);
  return {
    spec: {
      ...{ topic: '/car/telemetry', path: 'theta', unit: '°', threshold: 5, quantum: 0.625, everyTicks: 1 },
      ...{ predictor: 'hold', circle: { period: 360, lowest: 0 } },
    },
    life: { fromNs: 0n, toNs: BigInt(TICKS + 20) * TICK, isKilled: true },
    ...{ due, values: new Map(due.map((at, i) => [at, i === 7 ? NaN : (350 + i) % 360])) },
    lastMessageNs: BigInt(TICKS) * TICK,
  };
}

function stored(error: number): StoredSample[] {
  return [...recorded().values].map(([atNs, value]) => ({
    atNs,
    value: Number.isNaN(value) ? null : (value + error) % 360,
  }));
}

const compare = (samples: readonly StoredSample[]) => present(compareHistory('car', [recorded()], samples));

describe('the comparison of history and recording', () => {
  it('accepts values within the threshold, also on the other side of north', () => {
    const { compared, outside, holes, twice, worst } = compare(stored(4));
    assert.deepEqual(
      { compared, outside, holes, twice },
      { compared: TICKS, outside: 0, holes: 0, twice: 0 },
    );
    assert.ok(Math.abs(worst - 0.8) < 1e-9);
  });

  it('finds values outside the threshold, and a value where the robot had none', () => {
    assert.equal(compare(stored(6)).outside, TICKS - 1);
    const made = stored(0).map(({ atNs }) => ({ atNs, value: 0 }));
    assert.ok(compare(made).outside > 0);
    assert.equal(compare([{ atNs: 150_000_000n, value: 350 }]).outside, 1);
  });

  it('finds holes and doubled samples', () => {
    const all = stored(0);
    assert.equal(compare(all.filter((_, i) => i !== 20)).holes, 1);
    assert.equal(compare(all.filter((_, i) => i < 20 || i >= 25)).holes, 5);
    assert.equal(compare(all.slice(0, TICKS - 13)).holes, 3);
    assert.ok(compare([]).holes > 20);
    assert.equal(compare([...all, present(all[3])]).twice, 1);
  });

  it('demands a slow sample only when its period has passed', () => {
    const { spec, ...rest } = recorded();
    const slow = { ...rest, spec: { ...spec, everyTicks: 10 } };
    const tenths = stored(0).filter((_, i) => i % 10 === 3);
    assert.equal(present(compareHistory('car', [slow], tenths)).holes, 0);
    const lacking = tenths.filter((_, i) => i !== 4);
    assert.equal(present(compareHistory('car', [slow], lacking)).holes, 1);
  });

  it('lets the uplink start after the first message', () => {
    assert.equal(compare(stored(0).slice(20)).holes, 0);
    assert.ok(compare(stored(0).slice(60)).holes > 5);
  });

  it('demands nothing of the last second before a kill, and compares nothing after the last message', () => {
    const all = stored(0);
    assert.equal(compare(all.slice(0, TICKS - 10)).holes, 0);
    const later = { atNs: BigInt(TICKS + 1) * TICK, value: 99 };
    const { beforeKill, outside } = compare([...all, later]);
    assert.deepEqual([beforeKill, outside], [1, 0]);
  });
});
