import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { decodeMessageBatch } from '../../../src/core/message-batch.js';
import { silentLogger } from '../../../src/core/logger.js';
import { MessagesDeriver } from '../../../src/jobs/delivery/messages-deriver.js';
import { drainGroup } from '../../sync/group-world.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { deliverySink, MemoryDelivery, sealStates, statePayload, statesOf } from './delivery-world.js';

describe('the messages of a segment for a broker', function () {
  this.timeout(60_000);

  it('are whole, in order, and have their definition in each batch', async () => {
    await using world = await SyncWorld.create();
    const delivery = new MemoryDelivery();
    const deriver = new MessagesDeriver(fs, { key: 'vin', maxBytes: 10_000 }, silentLogger);
    const states = statesOf(100);
    const huge = { timeNs: 5n, x: 0, v: 0, bytes: new Uint8Array(20_000) };
    await sealStates(world, [huge, ...states], { vin: '1ZZZ5A3T0RF000001' });
    const { complete } = await drainGroup(world, [deliverySink(world, delivery, deriver, { kind: 'kafka' })]);
    assert.ok(complete);
    const batches = delivery.batches.map(decodeMessageBatch);
    assert.ok(batches.length > 2, `${batches.length} batches`);
    for (const [first] of batches) assert.equal(first?.headers['holdfast-kind'], 'schema/1');
    const messages = batches.flat().filter(({ headers }) => headers['holdfast-kind'] === 'message/1');
    assert.deepEqual(
      messages.map(({ key, value, headers }) => [key, Buffer.from(value), headers['holdfast-log-time']]),
      states.map(({ x, v, timeNs }) => [
        '1ZZZ5A3T0RF000001',
        Buffer.from(statePayload(x, v)),
        String(timeNs),
      ]),
    );
  });
});
