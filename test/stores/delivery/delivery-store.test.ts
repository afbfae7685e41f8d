import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import { batchKey, deliveryMarkerKey } from '../../../src/core/delivery.js';
import { eventually } from '../../../src/testing/waiting.js';
import { drainGroup, evictsAsVerified, openGroup, sinkOf } from '../../sync/group-world.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { MemoryStore } from '../../support/memory-store.js';
import { deliverySink, MemoryDelivery, sealStates, statesOf } from '../../jobs/delivery/delivery-world.js';

describe('a server that keeps no objects, as a store', function () {
  this.timeout(60_000);
  let world: SyncWorld;
  let delivery: MemoryDelivery;

  beforeEach(async () => {
    world = await SyncWorld.create();
    delivery = new MemoryDelivery();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const recordsOf = async (folder: string): Promise<string[]> =>
    fs.readdir(join(world.folder.sinks, 'delivered', folder)).catch(() => []);

  it('continues after a restart with the first batch that was not acknowledged', async () => {
    await sealStates(world, statesOf(12_000));
    let isHanging = false;
    delivery.refuse = (batch) => {
      if (batch < 2) return;
      isHanging = true;
      return new Promise(() => undefined);
    };
    const group = await openGroup(world, [deliverySink(world, delivery)]);
    const end = new AbortController();
    const drained = group.drain(end.signal);
    await eventually(() => isHanging, 'the third batch');
    end.abort();
    await drained;
    await group.close();
    assert.equal(delivery.batches.length, 2);
    delivery.refuse = () => undefined;
    const { complete } = await drainGroup(world, [deliverySink(world, delivery)]);
    assert.ok(complete);
    const lines = delivery.batches.flatMap((batch) => gunzipSync(batch).toString().trimEnd().split('\n'));
    // Two units, so two lines for each message.
    assert.equal(lines.length, 24_000);
    assert.equal(new Set(lines).size, 24_000);
  });

  it('keeps one marker for a segment, and no record of its batches', async () => {
    const { name } = await sealStates(world, statesOf(12_000));
    await drainGroup(world, [deliverySink(world, delivery)]);
    assert.deepEqual(await recordsOf('segments'), [name]);
    assert.deepEqual(await recordsOf('batches'), []);
    await drainGroup(world, [deliverySink(world, delivery)]);
    assert.equal(delivery.batches.length, 5);
  });

  it('removes the markers of segments that nothing asks for', async () => {
    const gone = await sealStates(world, statesOf(3));
    await drainGroup(world, [deliverySink(world, delivery)]);
    for (const end of ['.mcap', '.json']) await fs.rm(join(world.folder.sealed, gone.name + end));
    const next = await sealStates(world, statesOf(3));
    await drainGroup(world, [deliverySink(world, delivery)]);
    assert.deepEqual(await recordsOf('segments'), [next.name]);
  });

  it('delivers again when the records are lost', async () => {
    await sealStates(world, statesOf(3));
    await drainGroup(world, [deliverySink(world, delivery)]);
    await fs.rm(world.folder.sinks, { recursive: true });
    const { complete } = await drainGroup(world, [deliverySink(world, delivery)]);
    assert.deepEqual([complete, delivery.batches.length], [true, 2]);
    assert.deepEqual(delivery.batches[1], delivery.batches[0]);
  });

  it('is no copy of a segment, and a local copy waits for it', async () => {
    const sealed = await sealStates(world, statesOf(3));
    await drainGroup(world, [deliverySink(world, delivery)]);
    assert.equal(await evictsAsVerified(world, sealed), false);
    const whole = sinkOf(new MemoryStore());
    await drainGroup(world, [whole, deliverySink(world, delivery)]);
    assert.equal(await evictsAsVerified(world, sealed), true);
    const later = await sealStates(world, statesOf(3));
    delivery.refuse = () => Promise.reject(new Error('down'));
    const group = await openGroup(world, [whole, deliverySink(world, delivery)]);
    const end = new AbortController();
    const drained = group.drain(end.signal);
    await eventually(() => group.status().sinks?.[0]?.segments.verified === 1, 'the store');
    assert.equal(await evictsAsVerified(world, later), false);
    end.abort();
    await drained;
    await group.close();
  });

  it('refuses a batch that it has delivered, and knows its size and sums', async () => {
    const { store } = deliverySink(world, delivery);
    await store.readId();
    const key = batchKey('a.r1', 1);
    const data = Buffer.from('some points');
    await store.put(key, data, { ifAbsent: true });
    await assert.rejects(store.put(key, data, { ifAbsent: true }), (e) =>
      isHoldfastError(e, 'OBJECT_EXISTS'),
    );
    assert.equal(delivery.batches.length, 1);
    assert.deepEqual(await store.head(key), { key, bytes: data.length });
    const wrong = { bytes: data.length, crc32: 1 };
    await assert.rejects(store.verify(key, wrong), (e) => isHoldfastError(e, 'OBJECT_CORRUPT'));
    await assert.rejects(store.verify(batchKey('a.r1', 2), wrong), (e) =>
      isHoldfastError(e, 'OBJECT_MISSING'),
    );
    await store.put(deliveryMarkerKey('a.r1'), Buffer.from('done'));
    assert.equal(await store.head(key), undefined);
    await store[Symbol.asyncDispose]();
  });
});
