import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, SyncWorld } from './sync-world.js';

describe('sync engine', () => {
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('brings small and large segments into the store, each once, with manifest and receipt', async () => {
    for (const bytes of [1, 4 * KIB, 4 * KIB + 1, 40 * KIB, 100]) await world.seal(bytes);
    const store = new MemoryStore();
    const summary = await world.drain(store);
    await world.assertStoredOnce(store.content);
    assert.equal(summary.complete, true);
    assert.equal(summary.segments.verified, 5);
    assert.equal(summary.sentBytes, 48 * KIB + 102);
    assert.equal(summary.resentBytes, 0);
  });

  it('sends nothing again after a restart', async () => {
    await world.seal(10 * KIB);
    const store = new MemoryStore();
    await world.drain(store);
    const before = store.content.receivedBytes;
    const summary = await world.drain(store);
    assert.equal(store.content.receivedBytes, before);
    assert.equal(summary.segments.verified, 1);
    await world.assertStoredOnce(store.content);
  });

  it('finds everything in the store again when its progress was deleted', async () => {
    await world.seal(10 * KIB);
    await world.seal(1 * KIB);
    const store = new MemoryStore();
    await world.drain(store);
    const before = store.content.receivedBytes;
    await fs.rm(world.folder.sync, { recursive: true });
    await fs.rm(world.folder.receipts, { recursive: true });
    await world.drain(store);
    assert.equal(store.content.receivedBytes, before);
    await world.assertStoredOnce(store.content);
  });
});
