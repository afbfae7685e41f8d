import assert from 'node:assert/strict';
import { difference, normalise } from '../../../src/uplink/protocol/circle.js';
import { FieldPredictor } from '../../../src/uplink/protocol/field-predictor.js';
import { TelemetryEncoder } from '../../../src/uplink/protocol/telemetry-encoder.js';
import type { FieldSpec } from '../../../src/uplink/protocol/field-spec.js';
import { field, pace, TICK_NS } from './uplink-world.js';

const circle = { period: 360, lowest: 0 };

function predictor(over: Partial<FieldSpec>, start: number): FieldPredictor {
  const made = new FieldPredictor(field(over));
  made.reset(start);
  return made;
}

function steps(one: FieldPredictor, count: number): number[] {
  return Array.from({ length: count }, () => {
    one.step();
    return one.value;
  });
}

/** Ticks whose value an encoder sends, after the full frame at tick 0. */
function sentAt(spec: FieldSpec, signal: (tick: number) => number, ticks: number): number[] {
  const catalogue = { tickNs: TICK_NS, fields: [spec] };
  const rare = { ...pace, fullTicks: 1e6 };
  const encoder = new TelemetryEncoder({ run: 1n, epoch: 1, catalogue, pace: rare });
  const sent: number[] = [];
  for (let tick = 0; tick <= ticks; tick++) {
    for (const frame of encoder.sample(tick, BigInt(tick * TICK_NS), [signal(tick)])) {
      sent.push(...frame.changes.map(({ position }) => frame.firstTick + position));
    }
  }
  return sent;
}

describe('Predictors', () => {
  it('hold stays at the value that was sent', () => {
    const one = predictor({ predictor: 'hold' }, 10);
    one.step();
    one.accept(14);
    assert.deepEqual(steps(one, 3), [14, 14, 14]);
  });

  it('smooth takes 0.3 of what was sent and 0.7 of the prediction before', () => {
    const one = predictor({ predictor: 'smooth' }, 10);
    one.step();
    one.accept(20);
    assert.equal(one.value, 20, 'at its own sample the value is the one that was sent');
    let before = 10;
    for (const value of steps(one, 5)) {
      const expected = 0.3 * 20 + 0.7 * before;
      assert.ok(Math.abs(value - expected) < 1e-12, `${value}, not ${expected}`);
      before = value;
    }
  });

  it('linear continues the line through the last two values, over the samples between them', () => {
    const one = predictor({ predictor: 'linear' }, 10);
    steps(one, 4);
    one.accept(18);
    assert.deepEqual(steps(one, 2), [20, 22]);
    one.accept(21);
    assert.deepEqual(steps(one, 2), [22.5, 24]);
  });

  it('take the shorter way on a circle, across its end', () => {
    const smooth = predictor({ predictor: 'smooth', circle }, 350);
    smooth.step();
    smooth.accept(10);
    assert.deepEqual(steps(smooth, 1), [356]);
    const linear = predictor({ predictor: 'linear', circle }, 350);
    steps(linear, 2);
    linear.accept(354);
    assert.deepEqual(steps(linear, 4), [356, 358, 0, 2]);
  });

  it('know no value after the robot said so, until it sends one', () => {
    const one = predictor({ predictor: 'linear' }, 10);
    one.reset(NaN);
    assert.ok(steps(one, 2).every(Number.isNaN));
    one.accept(5);
    assert.deepEqual(steps(one, 2), [5, 5]);
  });
});

describe('The dead band', () => {
  it('sends nothing while the value stays within the threshold, and the first value beyond it', () => {
    const spec = field({ predictor: 'hold', threshold: 2 });
    const signal = (tick: number): number => (tick < 30 ? 50 + 2 * (-1) ** tick * Math.min(1, tick) : 52.5);
    assert.deepEqual(
      sentAt(spec, (tick) => (tick === 0 ? 50 : signal(tick)), 40),
      [30],
    );
  });

  it('lets linear follow a ramp with two values, where hold needs one for each threshold', () => {
    const ramp = (tick: number): number => tick * 0.5;
    const [hold, linear] = (['hold', 'linear'] as const).map(
      (name) => sentAt(field({ predictor: name, threshold: 2 }), ramp, 204).length,
    );
    assert.equal(linear, 1);
    assert.equal(hold, 40);
  });

  it('sends nothing for a heading that swings across north', () => {
    const spec = field({ predictor: 'hold', threshold: 5, circle });
    assert.deepEqual(
      sentAt(spec, (tick) => (tick % 2 === 0 ? 359 : 2), 30),
      [],
    );
  });
});

describe('Circles', () => {
  it('have differences of at most half a turn', () => {
    assert.equal(difference(10, 350, circle), 20);
    assert.equal(difference(350, 10, circle), -20);
    assert.equal(difference(180, 0, circle), -180);
    assert.equal(difference(725, 0, circle), 5);
    assert.equal(difference(725, 0, undefined), 725);
  });

  it('bring every value into one turn, also the one just below its beginning', () => {
    assert.equal(normalise(-10, circle), 350);
    assert.equal(normalise(360, circle), 0);
    assert.equal(normalise(-1e-20, circle), 0);
    const radians = { period: 2 * Math.PI, lowest: -Math.PI };
    assert.ok(Math.abs(normalise(4, radians) - (4 - 2 * Math.PI)) < 1e-12);
  });
});
