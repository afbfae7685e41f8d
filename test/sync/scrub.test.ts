import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import { manifestKey } from '../../src/core/manifest.js';
import type { SyncEngine } from '../../src/sync/sync-engine.js';
import type { SyncOptions } from '../../src/sync/sync-options.js';
import { MemoryStore } from '../support/memory-store.js';
import { evictAll, holds } from './last-copy-world.js';
import { realClock, SyncWorld } from './sync-world.js';
import { eventually } from '../../src/testing/waiting.js';
import { firstOf } from '../support/first-of.js';

const fast: { options: Partial<SyncOptions> } = { options: { scrubPerHour: 3_600_000 } };

describe('the scrub of a store', () => {
  let world: SyncWorld;
  let store: MemoryStore;
  beforeEach(async () => {
    world = await SyncWorld.create();
    for (let i = 0; i < 4; i++) await world.seal(100 + i);
    store = new MemoryStore();
    await world.drain(store);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const during = async (until: (engine: SyncEngine) => boolean, options = fast): Promise<void> => {
    const engine = await world.open(store, options);
    const end = new AbortController();
    const run = engine.run(end.signal);
    try {
      await eventually(() => until(engine));
    } finally {
      end.abort();
      await run;
      await engine.close();
    }
  };

  it('sends a segment again that the store lost while a local copy exists', async () => {
    const [first, second] = firstOf(2, world.sealed);
    store.content.objects.delete(first.manifest.key);
    store.content.objects.set(manifestKey(second.manifest.key), Buffer.from('torn'));
    await during(() => world.sealed.every((sealed) => holds(store.content, sealed)));
  });

  it('raises an alarm for an evicted segment that the store lost, and takes it back when it is there', async () => {
    assert.equal((await evictAll(world, { store })).length, 4);
    const [lost] = firstOf(1, world.sealed);
    const data = present(store.content.objects.get(lost.manifest.key));
    store.content.objects.delete(lost.manifest.key);
    const alarmed = (engine: SyncEngine): boolean =>
      engine
        .status()
        .alarms.some(
          ({ segment, message }) => segment === lost.name && /no copy of it is known/.test(message),
        );
    await during((engine) => {
      if (!alarmed(engine)) return false;
      store.content.objects.set(lost.manifest.key, data);
      return true;
    });
    await during((engine) => engine.status().link === 'online' && !alarmed(engine));
  });

  it('keeps the alarm over restarts, until the segment is back or somebody acknowledges it', async () => {
    assert.equal((await evictAll(world, { store })).length, 4);
    const [lost] = firstOf(1, world.sealed);
    const data = present(store.content.objects.get(lost.manifest.key));
    store.content.objects.delete(lost.manifest.key);
    const found = (engine: SyncEngine): number | undefined => {
      const { alarms, segments } = engine.status();
      assert.equal(alarms.length, segments.lost);
      return segments.lost;
    };
    await during((engine) => found(engine) === 1);
    // From the first moment, without a question to the store.
    const off = { options: { scrubPerHour: 0 } };
    await during((engine) => found(engine) === 1, off);
    await during((engine) => found(engine) === 0, { options: { scrubPerHour: 0, acknowledgeLost: true } });
    let asked = store.calls.length;
    await during((engine) => found(engine) === 0 && store.calls.length > asked + 40);
    store.content.objects.set(lost.manifest.key, data);
    asked = store.calls.length;
    await during(() => store.calls.length > asked + 40);
    store.content.objects.delete(lost.manifest.key);
    // It was there in between: this is news.
    await during((engine) => found(engine) === 1);
  });

  it('starts with a damaged list of lost segments', async () => {
    for (const text of ['', '\0\0', '{"version":1,"segments":[{"name":5}]}', '[null]']) {
      await fs.writeFile(join(world.folder.root, 'lost.json'), text);
      await during((engine) => engine.status().link === 'online' && engine.status().segments.lost === 0);
    }
  });

  it('asks for each segment about once in a round, also over restarts, and for none when it is off', async () => {
    const asked = (): number => store.calls.filter(({ method }) => method === 'verify').length;
    const before = asked();
    const off = { options: { scrubPerHour: 0 } };
    await during((engine) => engine.status().link === 'online', off);
    await realClock.sleep(50);
    assert.equal(asked(), before);
    await during(() => asked() >= before + 8);
  });
});
