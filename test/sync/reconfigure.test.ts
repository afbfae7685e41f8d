import assert from 'node:assert/strict';
import { isHoldfastError } from '../../src/core/errors.js';
import { BandwidthLimit } from '../../src/sync/bandwidth-limit.js';
import { syncDefaults } from '../../src/sync/sync-options.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, realClock, SyncWorld } from './sync-world.js';
import { eventually } from '../../src/testing/waiting.js';

describe('sync options that change while it runs', () => {
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('are all applied, or none, with the names of those that are fixed or invalid', async () => {
    const engine = await world.open(new MemoryStore());
    assert.deepEqual(engine.reconfigure({ order: 'newest-first', pollIntervalMs: 7 }), [
      'order',
      'pollIntervalMs',
    ]);
    assert.deepEqual(engine.reconfigure({ order: 'newest-first' }), []);
    assert.throws(
      () => engine.reconfigure({ partBytes: 64 * KIB, order: 'priority' }),
      (error) => isHoldfastError(error, 'STATE_REFUSED') && /partBytes/.test(error.message),
    );
    assert.throws(
      () => engine.reconfigure({ pollIntervalMs: 1 }),
      (error) => isHoldfastError(error, 'CONFIG_INVALID'),
    );
    assert.deepEqual(engine.reconfigure({ order: 'newest-first', pollIntervalMs: 7 }), []);
    await engine.close();
  });

  it('frees what waits for bandwidth when the limit is raised or taken away', async () => {
    for (const next of [0, 1e9]) {
      const limit = new BandwidthLimit(realClock, 1);
      const { signal } = new AbortController();
      await limit.take(1_000, signal);
      const waiting = Promise.all([limit.take(1, signal), limit.take(1, signal)]);
      limit.change(next);
      await waiting;
    }
  });

  it('apply a larger bandwidth and a shorter poll interval at once', async () => {
    const store = new MemoryStore();
    const slow = { bandwidthBytesPerS: 1, pollIntervalMs: 3_600_000 };
    const engine = await world.open(store, { options: slow });
    const stop = new AbortController();
    const running = engine.run(stop.signal);
    await eventually(() => engine.status().link === 'online', 'online');
    for (let n = 0; n < 3; n++) await world.seal(20 * KIB);
    engine.reconfigure({ pollIntervalMs: 5 });
    await eventually(() => engine.status().current !== undefined, 'on its way');
    assert.equal(engine.status().segments.verified, 0);
    engine.reconfigure({ bandwidthBytesPerS: 0 });
    await eventually(() => engine.status().segments.verified === 3, 'there');
    stop.abort();
    await running;
    await engine.close();
    await world.assertStoredOnce(store.content);
  });

  it('sorts what waits by the new order', async () => {
    const sealed = [];
    for (let n = 0; n < 4; n++) sealed.push(await world.seal(100));
    const order: string[] = [];
    const engine = await world.open(new MemoryStore(), { options: { segmentsInFlight: 1 } });
    engine.onEvent((event) => {
      if (event.kind === 'segment-synced') order.push(event.segment);
    });
    engine.reconfigure({ ...syncDefaults, partBytes: 4 * KIB, segmentsInFlight: 1, order: 'newest-first' });
    await engine.drain(AbortSignal.timeout(10_000));
    await engine.close();
    assert.deepEqual(order, sealed.map(({ name }) => name).reverse());
  });
});
