import assert from 'node:assert/strict';
import { WallOffset } from '../../src/logger/wall-clock.js';

describe('the wall clock of a logger', () => {
  it('keeps its offset while the clocks agree, and follows a step that was seen twice', () => {
    const offset = new WallOffset(1_000);
    // Whole milliseconds of the wall clock against fractions of the other.
    for (let now = 0; now < 100; now += 7.3) assert.equal(offset.update(Math.floor(now + 1_000), now), false);
    assert.equal(offset.ms, 1_000);
    assert.equal(offset.update(61_200, 200), false, 'once may be a thread that had to wait');
    assert.equal(offset.update(1_400, 400), false);
    assert.equal(offset.update(61_600, 600), false);
    assert.equal(offset.update(61_800, 800), true);
    assert.equal(offset.ms, 61_000.5);
    for (const now of [900, 1_000]) offset.update(now - 5_000, now);
    assert.equal(offset.ms, -4_999.5, 'back too');
  });
});
