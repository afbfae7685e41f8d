import assert from 'node:assert/strict';
import { StoredTicks } from '../../src/ground/stored-ticks.js';
import type { Stored } from '../../src/uplink/protocol/outbox-codec.js';
import { SimulatedClock } from '../support/simulated-clock.js';

describe('The confirmations of live samples', () => {
  it('are one message for ticks that follow each other, in a later turn', async () => {
    const clock = new SimulatedClock();
    const sent: Stored[] = [];
    const stored = new StoredTicks(clock, (one) => sent.push(one));
    stored.add(7n, 10, 1);
    stored.add(7n, 11, 3);
    stored.add(7n, 15, 1);
    stored.add(8n, 16, 1);
    assert.deepEqual(sent, []);
    await clock.advance(0);
    const ranges = sent.map(({ run, firstTick, ticks }) => [run, firstTick, ticks]);
    // Tick 14 is not durable.
    assert.deepEqual(ranges, [
      [7n, 10, 4],
      [7n, 15, 1],
      [8n, 16, 1],
    ]);
    stored.add(8n, 17, 1);
    await clock.advance(0);
    assert.deepEqual(sent.slice(3), [{ kind: 'stored', run: 8n, firstTick: 17, ticks: 1 }]);
  });
});
