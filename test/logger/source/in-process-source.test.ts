import assert from 'node:assert/strict';
import { InProcessSource, type OwnTopic } from '../../../src/logger/source/in-process-source.js';
import { messageSchema } from '../../../src/core/ros/message-schema.js';
import { localEstimation, vehicleTelemetry } from '../../../src/core/ros/vehicle-messages.js';
import { sourceContract } from '../../../src/testing/source-contract.js';
import { Probe } from '../../../src/testing/source-probe.js';

const topics: OwnTopic[] = [vehicleTelemetry, localEstimation].map((definition, index) => ({
  topic: `/vehicle_${index}/log`,
  schema: messageSchema(definition),
  metadata: {},
}));

/** A source with somebody behind it who sends what is taken. */
function busySource(): { readonly source: InProcessSource; close(): Promise<void> } {
  const source = new InProcessSource('logger:');
  let sent = 0;
  const timer = setInterval(() => {
    while (sent < 200 && source.canTake) {
      const at = BigInt(sent + 1) * 1_000_000n;
      source.send(topics[sent % 2]!, Buffer.from(`message ${sent++}`), at);
    }
  }, 1);
  timer.unref();
  return {
    source,
    close: () => {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}

sourceContract('the source of loggers', { healthy: () => Promise.resolve(busySource()) });

describe('the source of loggers', () => {
  it('accepts nothing without a subscriber, and reports the missing messages to the next one', () => {
    const source = new InProcessSource('logger:');
    assert.equal(source.canTake, false);
    const probe = new Probe(source);
    assert.equal(source.canTake, true);
    const gap = { reason: 'queue_full_drop_newest' as const, count: 3, firstTime: 1n, lastTime: 2n };
    source.gap(topics[0]!, gap);
    assert.deepEqual(probe.events.at(-1), {
      kind: 'gap',
      gap: { ...gap, robot: 'vehicle_0', topic: '/vehicle_0/log' },
    });
    probe.abort();
    assert.equal(source.canTake, false);
  });
});
