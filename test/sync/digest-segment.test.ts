import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest } from '../../src/core/manifest.js';
import { firstOf } from '../support/first-of.js';
import { MemoryStore } from '../support/memory-store.js';
import { evictAll, presentOf } from './last-copy-world.js';
import { KIB, SyncWorld } from './sync-world.js';

describe('a segment that was finished in its place', () => {
  let world: SyncWorld;
  beforeEach(async () => (world = await SyncWorld.create()));
  afterEach(() => world[Symbol.asyncDispose]());

  const undigested = { undigested: true };

  it('gets its SHA-256 with the upload: in the store and the receipt, and not in its own manifest', async () => {
    await world.seal(10 * KIB, undigested);
    await world.seal(100, undigested);
    await world.seal(100);
    const store = new MemoryStore();
    await world.drain(store);
    await world.assertStoredOnce(store.content);
    const [first] = firstOf(1, world.sealed);
    const own = await fs.readFile(join(world.folder.sealed, `${first.name}.json`), 'utf8');
    assert.equal(decodeManifest(own, first.name).file.sha256, undefined);
    const { stores } = await world.receipt(first);
    assert.equal(stores[0]?.crc32, first.manifest.file.crc32);
  });

  it('is published with the same bytes by a later process that finds the upload half done', async () => {
    await world.seal(20 * KIB, undigested);
    const store = new MemoryStore();
    const stop = new AbortController();
    store.faults = (call, phase) => {
      if (call.method !== 'uploadPart' || call.partNumber !== 3 || phase !== 'before') return;
      stop.abort();
      throw new Error('cut off');
    };
    await world.drain(store, {}, stop.signal);
    store.faults = undefined;
    await world.drain(store);
    await world.assertStoredOnce(store.content);
  });

  it('goes once its store confirms it, and stays if the store lost it', async () => {
    for (let i = 0; i < 3; i++) await world.seal(100 + i, undigested);
    const store = new MemoryStore();
    await world.drain(store);
    const [lost] = firstOf(1, world.sealed);
    store.content.objects.delete(lost.manifest.key);
    const gone = await evictAll(world, { store });
    // It is sent again, and then it may go.
    assert.ok(store.content.objects.get(lost.manifest.key)?.equals(lost.data));
    assert.ok(gone.length >= 2);
    assert.equal((await presentOf(world)).length, 3 - gone.length);
  });

  it('is parked if a byte differs from its CRC-32', async () => {
    const sealed = await world.seal(10 * KIB, undigested);
    const damaged = Buffer.from(sealed.data);
    damaged[5_000]! ^= 1;
    await fs.writeFile(join(world.folder.sealed, `${sealed.name}.mcap`), damaged);
    const store = new MemoryStore();
    const summary = await world.drain(store);
    assert.deepEqual(summary.segments, { verified: 0, parked: 1, pending: 0 });
    assert.equal(summary.alarms[0]?.code, 'SEGMENT_CORRUPT');
    assert.equal(store.content.objects.size, 0);
  });

  it('is evicted with a tombstone that has no SHA-256 either, which the store takes', async () => {
    const sealed = await world.seal(100, undigested);
    const { sha256: _sum, ...file } = sealed.manifest.file;
    Object.assign(sealed.manifest, { version: 2, file });
    await world.evict(sealed);
    const store = new MemoryStore();
    await world.drain(store);
    const text = store.content.objects.get(sealed.manifest.key.replace('.mcap', '.json'));
    const stored = decodeManifest(String(text), 'the tombstone');
    assert.equal(stored.evicted?.reason, 'quota');
    assert.equal(stored.file.sha256, undefined);
  });
});
