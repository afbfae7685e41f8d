import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/core/error-catalogue.js';
import { HoldfastError } from '../../src/core/errors.js';
import { manifestKey } from '../../src/core/manifest.js';
import type { SyncStatus } from '../../src/core/status.js';
import type { SyncEngine, SyncPorts } from '../../src/sync/sync-engine.js';
import type { SyncSummary } from '../../src/sync/sync-status.js';
import { MemoryStore, type FaultScript, type StoreMethod } from '../support/memory-store.js';
import { KIB, SyncWorld } from './sync-world.js';
import { eventually } from '../../src/testing/waiting.js';

const fail = (code: ErrorCode): never => {
  throw new HoldfastError(code, `the test says ${code}`);
};

/** Fails the first `times` calls of a method, before or after their effect. */
function first(times: number, method: StoreMethod, phase: 'before' | 'after', code: ErrorCode): FaultScript {
  let left = times;
  return (call, at) => {
    if (call.method === method && at === phase && left-- > 0) fail(code);
  };
}

/** All sealed segments were found. */
function isSeen({ segments }: SyncStatus, count: number): boolean {
  return segments.pending + segments.verified + segments.parked === count;
}

/** Runs the engine in the background while `body` watches it. */
async function whileRunning(engine: SyncEngine, body: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const run = engine.run(stop.signal);
  try {
    await body();
  } finally {
    stop.abort();
    await run;
    await engine.close();
  }
}

let world: SyncWorld;
/** Drains until the status is so, then tells it to stop. */
async function drainUntil(
  store: MemoryStore,
  more: Partial<SyncPorts>,
  isSo: (status: SyncStatus) => boolean,
): Promise<SyncSummary> {
  const engine = await world.open(store, more);
  const stop = new AbortController();
  const draining = engine.drain(stop.signal);
  await eventually(() => isSo(engine.status()));
  stop.abort();
  const summary = await draining;
  await engine.close();
  return summary;
}

describe('sync and a store in trouble', () => {
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const methods: readonly StoreMethod[] = [
    'readId',
    'createId',
    'head',
    'put',
    'createUpload',
    'uploadPart',
    'completeUpload',
    'verify',
  ];
  for (const method of methods) {
    for (const phase of ['before', 'after'] as const) {
      const title = phase === 'before' ? 'fails' : 'succeeds and its answer is lost';
      it(`${method} ${title} three times: everything arrives once`, async () => {
        await world.seal(10 * KIB);
        await world.seal(2 * KIB);
        const store = new MemoryStore({ faults: first(3, method, phase, 'STORE_OFFLINE') });
        const summary = await world.drain(store);
        await world.assertStoredOnce(store.content).catch((error: unknown) => {
          // A createUpload whose answer was lost leaves an upload nobody knows about; the sweep takes it later.
          if (method !== 'createUpload' || phase !== 'after') throw error;
        });
        assert.equal(summary.complete, true);
        if (summary.retries > 0) assert.match(summary.lastError ?? '', /STORE_OFFLINE/);
      });
    }
  }

  it('sends a part once when only the answer was lost', async () => {
    await world.seal(10 * KIB);
    const store = new MemoryStore({ faults: first(2, 'uploadPart', 'after', 'STORE_OFFLINE') });
    const summary = await world.drain(store);
    assert.equal(store.content.receivedBytes, 10 * KIB);
    assert.equal(summary.resentBytes, 0);
  });

  it('looks before it sends a whole segment again whose answer was lost', async () => {
    const sealed = await world.seal(2 * KIB);
    const store = new MemoryStore({ faults: first(1, 'put', 'after', 'STORE_OFFLINE') });
    const summary = await world.drain(store);
    const puts = store.calls.filter(({ method, key }) => method === 'put' && key === sealed.manifest.key);
    assert.equal(puts.length, 1);
    assert.equal(summary.resentBytes, 0);
  });

  it('counts the bytes that it sends again', async () => {
    await world.seal(10 * KIB);
    const store = new MemoryStore({ faults: first(1, 'uploadPart', 'before', 'STORE_BUSY') });
    const summary = await world.drain(store);
    assert.equal(summary.resentBytes, 4 * KIB);
    assert.equal(summary.uploadErrors, 1);
  });

  for (const code of ['OBJECT_CONFLICT', 'UPLOAD_UNKNOWN', 'UPLOAD_MISMATCH'] as const) {
    it(`comes through ${code} at completion`, async () => {
      await world.seal(10 * KIB);
      const store = new MemoryStore({ faults: first(2, 'completeUpload', 'before', code) });
      await world.drain(store);
      store.content.uploads.clear();
      await world.assertStoredOnce(store.content);
    });
  }

  it('starts over when the upload vanished between two parts', async () => {
    await world.seal(12 * KIB);
    const store = new MemoryStore();
    store.faults = (call, phase) => {
      if (call.method === 'uploadPart' && call.partNumber === 2 && phase === 'before') {
        if (store.content.uploadCount === 1) store.content.uploads.clear();
      }
    };
    const summary = await world.drain(store);
    await world.assertStoredOnce(store.content);
    assert.equal(summary.resentBytes, 8 * KIB);
  });

  it('sends a part again that the store lists with other bytes', async () => {
    await world.seal(12 * KIB);
    const store = new MemoryStore();
    const stop = new AbortController();
    store.faults = (call, phase) => {
      if (call.method === 'uploadPart' && call.partNumber === 3 && phase === 'before') stop.abort();
    };
    await world.drain(store, {}, stop.signal);
    const [upload] = store.content.uploads.values();
    upload?.parts.set(1, Buffer.alloc(4 * KIB));
    store.faults = undefined;
    const summary = await world.drain(store);
    await world.assertStoredOnce(store.content);
    const completions = store.calls.filter(({ method }) => method === 'completeUpload');
    assert.equal(completions.length, 1, 'seen before completion, not by the verification after it');
    assert.equal(summary.resumedUploads, 1);
    assert.ok(summary.resentBytes >= 4 * KIB);
  });

  it('overwrites an unpublished object with other bytes', async () => {
    for (const bytes of [2 * KIB, 10 * KIB]) {
      const sealed = await world.seal(bytes);
      const store = new MemoryStore({ uri: `memory:${bytes}` });
      store.content.objects.set(sealed.manifest.key, Buffer.from('torn'));
      await world.drain(store);
      assert.deepEqual(store.content.objects.get(sealed.manifest.key), sealed.data);
      assert.equal(store.content.uploads.size, 0);
    }
  });

  it('takes another key, with an alarm, if other bytes are published', async () => {
    for (const bytes of [2 * KIB, 10 * KIB]) {
      const sealed = await world.seal(bytes);
      const store = new MemoryStore({ uri: `memory:${bytes}` });
      const { key } = sealed.manifest;
      store.content.objects.set(key, Buffer.from('somebody'));
      store.content.objects.set(manifestKey(key), Buffer.from('{}'));
      const summary = await world.drain(store);
      assert.equal(store.content.objects.get(key)?.toString(), 'somebody');
      const newKey = key.replace('.mcap', '~1.mcap');
      assert.deepEqual(store.content.objects.get(newKey), sealed.data);
      const manifest = JSON.parse(String(store.content.objects.get(manifestKey(newKey)))) as { key: string };
      assert.equal(manifest.key, newKey);
      assert.equal((await world.receipt(sealed)).stores.at(-1)?.key, newKey);
      assert.match(summary.alarms.at(-1)?.message ?? '', /holds other bytes/);
      assert.equal(store.content.uploads.size, 0);
    }
  });

  it('replaces a manifest that was torn or describes an eviction, and keeps an equal one', async () => {
    const [torn, evicted, equal] = [await world.seal(10), await world.seal(11), await world.seal(12)];
    const store = new MemoryStore();
    const put = (key: string, text: string): unknown =>
      store.content.objects.set(manifestKey(key), Buffer.from(text));
    put(torn.manifest.key, '{"format": "hold');
    put(evicted.manifest.key, JSON.stringify({ ...evicted.manifest, evicted: { at: '1', reason: 'quota' } }));
    put(equal.manifest.key, `${JSON.stringify(equal.manifest, null, 1)}\n`);
    await world.drain(store);
    await world.assertStoredOnce(store.content);
  });

  it('parks a segment that the store refuses for good, remembers it, and delays no other', async () => {
    const refused = await world.seal(2 * KIB);
    await world.seal(10 * KIB);
    const store = new MemoryStore();
    store.faults = (call, phase) => {
      if (phase === 'before' && call.key === refused.manifest.key) fail('STORE_REJECTED');
    };
    const summary = await world.drain(store);
    assert.deepEqual(summary.segments, { verified: 1, parked: 1, pending: 0 });
    assert.equal(summary.alarms[0]?.code, 'STORE_REJECTED');
    await world.assertStoredOnce(store.content, [refused]);

    store.faults = undefined;
    const again = await world.drain(store);
    assert.deepEqual(again.segments, { verified: 1, parked: 1, pending: 0 });
    assert.equal(again.alarms[0]?.segment, refused.name);
    const retried = await world.drain(store, { options: { retryParked: true } });
    assert.equal(retried.segments.verified, 2);
    await world.assertStoredOnce(store.content);
  });

  it('parks a segment that the store corrupts again and again, instead of sending it without an end', async () => {
    const sealed = await world.seal(10 * KIB);
    const store = new MemoryStore();
    store.faults = (call, phase) => {
      if (call.method === 'verify' && phase === 'before') {
        store.content.objects.set(sealed.manifest.key, Buffer.from('rotten'));
      }
    };
    const summary = await world.drain(store);
    assert.equal(summary.segments.parked, 1);
    assert.equal(summary.alarms[0]?.code, 'OBJECT_CORRUPT');
    assert.equal(store.content.objects.has(manifestKey(sealed.manifest.key)), false, 'never published');
  });

  for (const code of ['STORE_ACCESS_DENIED', 'STORE_NOT_FOUND', 'STORE_FULL'] as const) {
    it(`is offline at ${code} with the reason, and continues when it is fixed`, async () => {
      await world.seal(2 * KIB);
      const store = new MemoryStore({
        faults: (call) => (call.method === 'put' ? fail(code) : undefined),
      });
      const engine = await world.open(store);
      await whileRunning(engine, async () => {
        await eventually(() => engine.status().link === 'offline' && engine.status().uploadErrors > 3);
        assert.match(engine.status().lastError ?? '', new RegExp(code));
        assert.equal(engine.status().segments.parked, 0);
        store.faults = undefined;
        await eventually(() => engine.status().segments.verified === 1);
        await eventually(() => engine.status().link === 'online');
      });
      await world.assertStoredOnce(store.content);
    });
  }

  it('sends other segments before one whose calls fail every time', async () => {
    const poison = await world.seal(2 * KIB);
    const later = await world.seal(2 * KIB);
    const store = new MemoryStore();
    store.faults = (call, phase) => {
      if (phase === 'before' && call.key === poison.manifest.key && call.method === 'put') fail('STORE_BUSY');
    };
    const engine = await world.open(store, { options: { segmentsInFlight: 1 } });
    await whileRunning(engine, async () => {
      await eventually(() => engine.status().segments.verified === 1);
      assert.ok(store.content.objects.has(manifestKey(later.manifest.key)));
      store.faults = undefined;
      await eventually(() => engine.status().segments.verified === 2);
    });
    await world.assertStoredOnce(store.content);
  });

  it('gives up on a call that never answers, and counts it as a failure of the link', async () => {
    await world.seal(2 * KIB);
    let hangs = 2;
    const store = new MemoryStore({
      faults: (call) =>
        call.method === 'verify' && hangs-- > 0 ? new Promise<void>(() => undefined) : undefined,
    });
    const summary = await world.drain(store, { options: { callTimeoutMs: 20 } });
    await world.assertStoredOnce(store.content);
    assert.equal(summary.uploadErrors, 2);
    assert.match(summary.lastError ?? '', /no answer/);
  });

  it('needs no conditional writes, no parallel parts and no checksums of the store', async () => {
    for (const bytes of [1, 2 * KIB, 10 * KIB, 12 * KIB]) await world.seal(bytes);
    const supports = { conditionalPut: false, conditionalComplete: false, parallelParts: false };
    const store = new MemoryStore({ supports });
    await world.drain(store);
    await world.assertStoredOnce(store.content);
  });

  it('drains to an incomplete end when told to stop while the store is away', async () => {
    await world.seal(2 * KIB);
    const store = new MemoryStore({ faults: () => fail('STORE_OFFLINE') });
    const summary = await drainUntil(store, {}, (status) => status.link === 'offline' && isSeen(status, 1));
    assert.equal(summary.complete, false);
    assert.equal(summary.segments.pending, 1);
    assert.match(summary.lastError ?? '', /STORE_OFFLINE/);
  });
});

describe('sync and the identity of a store', () => {
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('creates the id on first use, or waits for it if told to', async () => {
    await world.seal(10);
    const store = new MemoryStore();
    const options = { createStoreId: false };
    const refused = await drainUntil(store, { options }, (status) => status.link === 'offline');
    assert.equal(refused.complete, false);
    assert.equal(await store.readId(), undefined);
    assert.equal(store.content.objects.size, 0);
    assert.match(refused.lastError ?? '', /no id object/);
    await world.drain(store);
    assert.match(store.content.id ?? '', /^[0-9a-f]{32}$/);
  });

  it('takes an absent id for an unmounted disk: offline, nothing created, nothing sent', async () => {
    await world.seal(10);
    const store = new MemoryStore();
    await world.drain(store);
    await world.seal(11);
    const unmounted = new MemoryStore();
    const summary = await drainUntil(
      unmounted,
      {},
      (status) => status.link === 'offline' && isSeen(status, 2) && unmounted.calls.length > 3,
    );
    assert.equal(summary.complete, false);
    assert.match(summary.lastError ?? '', /is it mounted/);
    assert.equal(unmounted.content.id, undefined);
    assert.equal(unmounted.content.objects.size, 0);
    await world.drain(store);
    await world.assertStoredOnce(store.content);
  });

  it('knows the store also when all progress was deleted', async () => {
    const { rm } = await import('node:fs/promises');
    await world.seal(10);
    await world.drain(new MemoryStore());
    await rm(world.folder.sync, { recursive: true });
    const unmounted = new MemoryStore();
    await world.seal(11);
    await drainUntil(unmounted, {}, () => unmounted.calls.length > 3);
    assert.equal(unmounted.content.id, undefined);
  });

  it('stops before the receipt when the disk goes away in mid-upload', async () => {
    const sealed = await world.seal(10 * KIB);
    const store = new MemoryStore();
    store.faults = (call, phase) => {
      if (call.method === 'put' && phase === 'after') store.content.id = undefined;
    };
    await drainUntil(store, {}, (status) => /is it mounted/.test(status.lastError ?? ''));
    await assert.rejects(world.receipt(sealed), { code: 'ENOENT' });
  });

  it('raises an alarm for another store under the same URI, and accepts it only when told to', async () => {
    await world.seal(10);
    await world.drain(new MemoryStore());
    const other = new MemoryStore();
    other.content.id = 'f'.repeat(32);
    await world.seal(11);
    const engine = await world.open(other);
    await whileRunning(engine, async () => {
      await eventually(() => engine.status().alarms.some(({ code }) => code === 'STORE_MISMATCH'));
      assert.equal(engine.status().link, 'offline');
    });
    assert.equal(other.content.objects.size, 0);
    await world.drain(other, { options: { acceptNewStore: true } });
    assert.equal(other.content.objects.size, 4, 'both segments, for this store holds none of them yet');
  });
});
