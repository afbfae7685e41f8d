import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../src/core/errors.js';
import { manifestKey } from '../../src/core/manifest.js';
import type { Sink } from '../../src/sync/sync-group.js';
import { MemoryStore, MemoryStoreContent, type FaultScript } from '../support/memory-store.js';
import { drainGroup, drainUntilAlarm, sinkOf } from './group-world.js';
import { copyOf, evictAll, holds, presentOf, removeSyncState } from './last-copy-world.js';
import { KIB, SyncWorld } from './sync-world.js';
import { firstOf } from '../support/first-of.js';

const TEN_MINUTES_MS = 600_000;
const ID = (digit: string): string => digit.repeat(32);

describe('the last copy', () => {
  let world: SyncWorld;
  beforeEach(async () => (world = await SyncWorld.create()));
  afterEach(() => world[Symbol.asyncDispose]());

  const sealSome = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await world.seal(100 + i);
  };

  it('goes when the store says at that moment that it holds it', async () => {
    await sealSome(3);
    const store = new MemoryStore();
    await world.drain(store);
    assert.equal((await evictAll(world, { store })).length, 3);
    assert.deepEqual(await fs.readdir(world.folder.tombstones), []);
  });

  it('goes with sync dead only as long as the last answer is young enough', async () => {
    await sealSome(2);
    await world.drain(new MemoryStore());
    assert.equal((await evictAll(world, { confirmMaxAgeMs: 1 })).length, 0);
    assert.equal((await presentOf(world)).length, 2);
    assert.equal((await evictAll(world, { confirmMaxAgeMs: TEN_MINUTES_MS })).length, 2);
  });

  it('stays when the disk behind the URI was replaced and accepted, however good the old receipts', async () => {
    await sealSome(3);
    const old = new MemoryStore();
    await world.drain(old);
    const other = new MemoryStore();
    other.content.id = ID('b');
    // It sends only once it has accepted the store: no later than this, old answers count for nothing.
    const sent = new AbortController();
    other.faults = (call, phase) => {
      if (phase !== 'before' || call.method !== 'put') return;
      sent.abort();
      throw new HoldfastError('STORE_FULL', 'no room');
    };
    await world.drain(other, { options: { acceptNewStore: true } }, sent.signal);
    const more = { confirmMaxAgeMs: TEN_MINUTES_MS };
    assert.deepEqual(await evictAll(world, more), []);
    assert.deepEqual(await evictAll(world, { store: other, ...more }), []);
    assert.equal((await presentOf(world)).length, 3);
  });

  it('stays while the store is gone', async () => {
    await sealSome(2);
    const store = new MemoryStore();
    await world.drain(store);
    store.content.id = undefined;
    assert.deepEqual(await evictAll(world, { store }), []);
    assert.equal((await presentOf(world)).length, 2);
  });

  it('stays when the store was set back to a snapshot, and is sent again', async () => {
    await sealSome(1);
    const store = new MemoryStore();
    await world.drain(store);
    const snapshot = copyOf(store.content, new MemoryStoreContent());
    await sealSome(2);
    await world.drain(store);
    copyOf(snapshot, store.content);
    const gone = await evictAll(world, { store });
    for (const sealed of world.sealed) assert.ok(holds(store.content, sealed), 'sent again');
    assert.ok(gone.every((sealed) => holds(store.content, sealed)));
  });

  it('is asked about again after a restore, although sync was not running', async () => {
    await sealSome(1);
    const store = new MemoryStore();
    await world.drain(store);
    const snapshot = copyOf(store.content, new MemoryStoreContent());
    await sealSome(2);
    await world.drain(store);
    copyOf(snapshot, store.content);
    const { segments } = await world.drain(store);
    assert.equal(segments.verified, 3);
    await world.assertStoredOnce(store.content);
  });

  it('is looked for again, before it is shown as verified, in an earlier store that is accepted again', async () => {
    await sealSome(3);
    const [earlier, other] = [new MemoryStore(), new MemoryStore()];
    await world.drain(earlier);
    const options = { acceptNewStore: true };
    other.content.id = ID('b');
    await world.drain(other, { options });
    const [first, second] = firstOf(2, world.sealed);
    earlier.content.objects.delete(first.manifest.key);
    earlier.content.objects.delete(manifestKey(second.manifest.key));
    const engine = await world.open(earlier, { options });
    const shown: number[] = [];
    engine.onStatusChange(() => {
      const { storeId, segments } = engine.status();
      if (storeId !== earlier.content.id || segments.verified <= shown.length) return;
      const held = world.sealed.filter((sealed) => holds(earlier.content, sealed)).length;
      assert.ok(held >= segments.verified, `${segments.verified} shown as verified, ${held} held`);
      shown.push(segments.verified);
    });
    const { complete } = await engine.drain(AbortSignal.timeout(10_000));
    await engine.close();
    assert.ok(complete);
    for (const sealed of world.sealed) assert.ok(holds(earlier.content, sealed), 'sent again');
  });

  it('is sent to a store that was accepted although the first call after that failed', async () => {
    await sealSome(2);
    await world.drain(new MemoryStore());
    const other = new MemoryStore();
    other.content.id = ID('b');
    let failures = 1;
    other.faults = ({ method }, phase) => {
      if (method === 'writeMark' && phase === 'before' && failures-- > 0) {
        throw new HoldfastError('STORE_OFFLINE', 'the link broke');
      }
    };
    const { complete } = await world.drain(other, { options: { acceptNewStore: true } });
    assert.equal(complete, true);
    for (const sealed of world.sealed) assert.ok(holds(other.content, sealed));
  });

  it('is looked for again when stores.json was lost and the store was set back meanwhile', async () => {
    await sealSome(1);
    const store = new MemoryStore();
    await world.drain(store);
    const snapshot = copyOf(store.content, new MemoryStoreContent());
    await sealSome(2);
    await world.drain(store);
    copyOf(snapshot, store.content);
    await fs.writeFile(join(world.folder.root, 'stores.json'), '');
    await world.drain(store);
    await world.assertStoredOnce(store.content);
  });

  it('is not asked for at every start in a store that takes no marks', async () => {
    await sealSome(2);
    const store = new MemoryStore();
    store.faults = (call, phase) => {
      if (call.method === 'writeMark' && phase === 'before')
        throw new HoldfastError('STORE_REJECTED', 'none');
    };
    await world.drain(store);
    store.calls.length = 0;
    await world.drain(store);
    assert.deepEqual(
      store.calls.filter(({ method }) => method === 'head' || method === 'verify'),
      [],
    );
  });

  for (const folder of ['receipts', 'sync'] as const) {
    it(`is asked about again, and sent if missing, when ${folder}/ was removed`, async () => {
      await sealSome(3);
      const store = new MemoryStore();
      await world.drain(store);
      const [first, second] = firstOf(2, world.sealed);
      store.content.objects.delete(first.manifest.key);
      store.content.objects.delete(manifestKey(second.manifest.key));
      await removeSyncState(world, folder);
      await world.drain(store);
      await world.assertStoredOnce(store.content);
    });
  }

  it('counts neither manifest nor object alone', async () => {
    await sealSome(2);
    const store = new MemoryStore();
    await world.drain(store);
    const [first, second] = firstOf(2, world.sealed);
    store.content.objects.delete(first.manifest.key);
    store.content.objects.delete(manifestKey(second.manifest.key));
    // The eviction asks for it: sync sends the missing object, and only then the copy is deleted.
    for (const sealed of await evictAll(world, { store })) assert.ok(holds(store.content, sealed));
    await world.drain(store);
    for (const sealed of world.sealed) assert.ok(holds(store.content, sealed));
  });

  it('is not on the disk: the object lay under the mount point when the manifest reached the disk', async () => {
    const sealed = await world.seal(2 * KIB);
    const [disk, mountPoint] = [new MemoryStoreContent(), new MemoryStoreContent()];
    disk.id = mountPoint.id = ID('a');
    let isMounted = true;
    const objects = disk.objects;
    const hidden = mountPoint.objects;
    // The disk drops out before the object is written, and is back for the manifest.
    const swap: FaultScript = (call, phase) => {
      if (phase !== 'before') return;
      if (call.method === 'put' && call.key === sealed.manifest.key) isMounted = false;
      if (call.method === 'put' && call.key === manifestKey(sealed.manifest.key)) isMounted = true;
    };
    const content = Object.create(disk, {
      objects: { get: () => (isMounted ? objects : hidden) },
    }) as MemoryStoreContent;
    let drops = 0;
    const once: FaultScript = (call, phase) => {
      if (drops === 0) void swap(call, phase);
      if (call.method === 'put' && call.key.endsWith('.json') && phase === 'after') drops++;
    };
    await world.drain(new MemoryStore({ content, faults: once }));
    assert.ok(holds(disk, sealed), 'found missing by the confirmation, and sent again');
  });

  it('tells a damaged object beside its own manifest, and replaces it', async () => {
    const sealed = await world.seal(500);
    const store = new MemoryStore();
    await world.drain(store);
    store.content.objects.set(sealed.manifest.key, Buffer.alloc(500, 7));
    assert.ok((await evictAll(world, { store })).every((gone) => holds(store.content, gone)));
    await world.drain(store);
    assert.ok(holds(store.content, sealed));
  });

  it('counts once in a store and its copy: the second sink is refused and says so', async () => {
    await sealSome(2);
    const a = new MemoryStore({ uri: 'memory:a' });
    await drainGroup(world, [sinkOf(a)]);
    const b = new MemoryStore({ uri: 'memory:b', content: copyOf(a.content, new MemoryStoreContent()) });
    await sealSome(1);
    const isCopy = /is another place: one is a copy of the other/;
    const summary = await drainUntilAlarm(world, [sinkOf(a), sinkOf(b)], isCopy);
    assert.equal(summary.complete, false);
    assert.ok(summary.alarms.some(({ code }) => code === 'STORE_COPIED'));
    assert.match(summary.sinks[1]?.lastError ?? '', isCopy);
    assert.deepEqual(await evictAll(world, { confirmMaxAgeMs: TEN_MINUTES_MS }), []);
  });

  it('counts once in a store that two sinks spell differently', async () => {
    await sealSome(1);
    const content = new MemoryStoreContent();
    const sink = (name: string): Sink => sinkOf(new MemoryStore({ uri: `memory:${name}`, content }));
    await drainUntilAlarm(world, [sink('a'), sink('b')], /is the same place as/);
  });

  it('is kept when the store was swapped for its copy while sync was dead', async () => {
    await sealSome(1);
    const original = new MemoryStore();
    await world.drain(original);
    const copy = new MemoryStore({ content: copyOf(original.content, new MemoryStoreContent()) });
    await sealSome(2);
    await world.drain(original);
    // The copy comes in the original's place: the same id, and less in it.
    for (const gone of await evictAll(world, { store: copy })) assert.ok(holds(copy.content, gone));
    await world.drain(copy);
    for (const sealed of await presentOf(world)) assert.ok(holds(copy.content, sealed));
  });

  it('is given up under drop-oldest only with a tombstone, if its store cannot be asked', async () => {
    await sealSome(2);
    const store = new MemoryStore();
    await world.drain(store);
    assert.deepEqual(await evictAll(world, { whenFull: 'drop-oldest' }), []);
    assert.equal((await presentOf(world)).length, 0);
    const [name] = firstOf(1, (await fs.readdir(world.folder.tombstones)).sort());
    const text = await fs.readFile(join(world.folder.tombstones, name), 'utf8');
    assert.match(text, /while no store was known to hold it/);
    // The store has it after all: nothing was lost, and the store's own manifest stays.
    await world.drain(store);
    for (const sealed of world.sealed) assert.ok(holds(store.content, sealed));
  });

  it('reads a receipt of an earlier version as: not asked yet', async () => {
    const sealed = await world.seal(100);
    const store = new MemoryStore();
    await world.drain(store);
    const path = join(world.folder.receipts, `${sealed.name}.json`);
    const receipts = await world.receipt(sealed);
    const stores = receipts.stores.map(({ asked: _asked, ...old }) => old);
    await fs.writeFile(path, JSON.stringify({ ...receipts, stores }));
    assert.deepEqual(await evictAll(world, { confirmMaxAgeMs: TEN_MINUTES_MS }), []);
    assert.deepEqual(await evictAll(world, { store }), [sealed]);
  });
});
