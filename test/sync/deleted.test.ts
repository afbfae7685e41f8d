import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest, encodeManifest, manifestKey, type Manifest } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { deletionTombstone } from '../../src/deletion/deletion-tombstone.js';
import { eventually } from '../../src/testing/waiting.js';
import { MemoryStore } from '../support/memory-store.js';
import { evictAll } from './last-copy-world.js';
import { SyncWorld, type Sealed } from './sync-world.js';

const facts = { at: '7', by: 'ada', reason: 'request 12', plan: '0123456789abcdef' };

describe('sync and a segment that was deleted on request', () => {
  let world: SyncWorld;
  let store: MemoryStore;
  let sealed: Sealed;
  beforeEach(async () => {
    world = await SyncWorld.create();
    sealed = await world.seal(100);
    store = new MemoryStore();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const deleteFromStore = (): void => {
    store.content.objects.delete(sealed.manifest.key);
    const text = encodeManifest(deletionTombstone(sealed.manifest, facts));
    store.content.objects.set(manifestKey(sealed.manifest.key), Buffer.from(text));
  };
  const stored = (): Manifest => {
    const key = manifestKey(sealed.manifest.key);
    return decodeManifest(present(store.content.objects.get(key)).toString(), key);
  };
  const assertStaysDeleted = (): void => {
    assert.equal(store.content.objects.size, 1);
    assert.deepEqual(stored().deleted, facts);
  };

  it('does not upload it for the first time, and parks it', async () => {
    deleteFromStore();
    assert.equal((await world.drain(store)).segments.parked, 1);
    assertStaysDeleted();
  });

  it('does not upload it again after the store lost what it had verified', async () => {
    await world.drain(store);
    deleteFromStore();
    await fs.rm(world.folder.sync, { recursive: true });
    await fs.rm(world.folder.receipts, { recursive: true });
    const before = store.content.receivedBytes;
    assert.equal((await world.drain(store)).segments.parked, 1);
    assert.equal(store.content.receivedBytes, before);
    assertStaysDeleted();
  });

  it('never brings it back by its tombstone, although the store has its object', async () => {
    await world.drain(store);
    const manifest = stored();
    await world.evict(sealed);
    const path = join(world.folder.tombstones, `${sealed.name}.json`);
    await fs.writeFile(path, encodeManifest(deletionTombstone(sealed.manifest, facts)));
    deleteFromStore();
    await world.drain(store);
    assertStaysDeleted();
    await assert.rejects(fs.stat(path), { code: 'ENOENT' });
    assert.equal(manifest.deleted, undefined);
  });

  it('raises no alarm when the scrub finds it deleted', async () => {
    await world.drain(store);
    await evictAll(world, { store });
    deleteFromStore();
    const engine = await world.open(store, { options: { scrubPerHour: 3_600_000 } });
    const end = new AbortController();
    const run = engine.run(end.signal);
    const calls = store.calls.length;
    const asks = (): number =>
      store.calls.slice(calls).filter(({ method, key }) => method === 'read' && key.endsWith('.json')).length;
    await eventually(() => asks() > 1);
    end.abort();
    await run;
    await engine.close();
    await assert.rejects(fs.stat(join(world.folder.root, 'lost.json')), { code: 'ENOENT' });
  });
});
