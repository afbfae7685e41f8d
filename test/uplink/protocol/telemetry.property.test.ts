import assert from 'node:assert/strict';
import { Random } from '../../../src/core/random.js';
import { everyField, field, TICK_NS, UplinkWorld } from './uplink-world.js';

/** Seeds of the worlds; a failure names its seed. */
const SEEDS = 25;
const TICKS = 1_000;

function eachSeed(run: (seed: number) => void): void {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      run(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
}

describe('Telemetry over a link that loses, doubles and reorders frames', () => {
  it('shows every sample of a good link, within the thresholds', () => {
    eachSeed((seed) => {
      const world = new UplinkWorld(seed);
      for (let tick = 0; tick < 300; tick++) world.step();
      // What the last frame does not cover yet.
      assert.ok(world.shown.size >= 290, `${world.shown.size} of 300 samples`);
    });
  });

  it('shows no value that is further from the measured one than the threshold', () => {
    let shown = 0;
    let measured = 0;
    eachSeed((seed) => {
      const world = new UplinkWorld(seed);
      const fate = new Random(seed * 7_919);
      for (let tick = 0; tick < TICKS; tick++) {
        const chance = fate.unit();
        if (chance < 0.004) world.restartRobot();
        else if (chance < 0.008) world.restartGround();
        else if (chance < 0.014) world.reconnect();
        else if (chance < 0.018) world.jumpClock();
        else if (chance < 0.022) world.stall();
        if (tick % 100 === 0) {
          const isCalm = fate.unit() < 0.3;
          world.weather = {
            loss: isCalm ? 0 : fate.between(0, 0.4),
            doubling: isCalm ? 0 : fate.between(0, 0.5),
            delayTicks: isCalm ? 0 : Math.floor(fate.between(0, 20)),
          };
        }
        world.step();
      }
      shown += world.shown.size;
      measured += world.measured.size;
    });
    // A ground that shows nothing would pass otherwise.
    assert.ok(shown > measured * 0.2, `${shown} of ${measured} samples were shown`);
  });

  it('shows values again soon after the link is good again, whatever happened before', () => {
    eachSeed((seed) => {
      const world = new UplinkWorld(seed);
      world.weather = { loss: 0.7, doubling: 0.5, delayTicks: 10 };
      for (let tick = 0; tick < 100; tick++) world.step();
      if (seed % 2 === 0) world.restartGround();
      world.weather = { loss: 0, doubling: 0, delayTicks: 0 };
      // Until late packets are gone and a requested full frame and its catalogue have arrived.
      for (let tick = 0; tick < 40; tick++) world.step();
      assert.ok(world.knowsRecent(11));
    });
  });

  it('recovers by periodic full frames if requests never arrive', () => {
    const world = new UplinkWorld(5);
    for (let tick = 0; tick < 20; tick++) world.step();
    world.weather = { loss: 1, doubling: 0, delayTicks: 0 };
    for (let tick = 0; tick < 40; tick++) world.step();
    assert.ok(!world.knowsRecent(11));
    world.weather = { loss: 0, doubling: 0, delayTicks: 0 };
    for (let tick = 0; tick < 60; tick++) world.step();
    assert.ok(world.knowsRecent(11));
  });

  it('changes the fields in the middle of an epoch', () => {
    eachSeed((seed) => {
      const world = new UplinkWorld(seed);
      world.weather = { loss: 0.2, doubling: 0.2, delayTicks: 3 };
      for (let change = 0; change < 10; change++) {
        for (let tick = 0; tick < 30; tick++) world.step();
        // The same signals with other thresholds, so that a frame taken for the wrong catalogue is noticed.
        const fields = everyField.map((spec) =>
          field({ ...spec, threshold: 2 ** -change, quantum: 2 ** -change / 8 }),
        );
        world.changeFields({ tickNs: TICK_NS, fields });
      }
      assert.ok(world.shown.size > 50);
    });
  });
});
