import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeManifest,
  encodeManifest,
  encryptedKey,
  manifestKey,
  type Manifest,
  type ManifestChannel,
} from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { planDeletion } from '../../src/deletion/deletion-plan.js';
import { deletionTombstone } from '../../src/deletion/deletion-tombstone.js';
import { FolderPlace } from '../../src/deletion/folder-place.js';
import { runDeletion } from '../../src/deletion/run-deletion.js';
import { StorePlace } from '../../src/deletion/store-place.js';
import { eventually } from '../../src/testing/waiting.js';
import { SECRET } from '../deletion/deletion-world.js';
import { MemoryStore, type StoreCall } from '../support/memory-store.js';
import { evictAll } from './last-copy-world.js';
import { KIB, realClock, SyncWorld, type Sealed } from './sync-world.js';

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

  it('removes what an upload left that ended before its manifest, and no object of another segment', async () => {
    const other = await world.seal(100);
    await world.drain(store);
    await world.evict(sealed);
    const path = join(world.folder.tombstones, `${sealed.name}.json`);
    await fs.writeFile(path, encodeManifest(deletionTombstone(sealed.manifest, facts)));
    const { objects } = store.content;
    for (const key of [sealed.manifest.key, encryptedKey(sealed.manifest.key)]) objects.set(key, sealed.data);
    objects.delete(manifestKey(sealed.manifest.key));
    await world.drain(store);
    const left = [manifestKey(sealed.manifest.key), other.manifest.key, manifestKey(other.manifest.key)];
    assert.deepEqual([...objects.keys()].sort(), left.sort());
    assert.deepEqual(stored().deleted, facts);
  });

  it('leaves it in a store that had all of it before it was deleted here', async () => {
    await world.drain(store);
    const before = new Map(store.content.objects);
    await world.evict(sealed);
    const path = join(world.folder.tombstones, `${sealed.name}.json`);
    await fs.writeFile(path, encodeManifest(deletionTombstone(sealed.manifest, facts)));
    await world.drain(store);
    assert.deepEqual(store.content.objects, before);
    await assert.rejects(fs.stat(path), { code: 'ENOENT' });
  });

  /** Deletes all of the robot here and in the store, and returns what was kept there. */
  const deleteAll = async (): Promise<readonly string[]> => {
    const { signal } = new AbortController();
    const places = [new FolderPlace(fs, world.folder), new StorePlace(store, signal)];
    const plan = await planDeletion({ robot: 'r1', from: 0n, to: 2n ** 62n }, places);
    const journal = join(world.folder.root, 'deletion.journal');
    const ports = { fs, clock: realClock, places, journal, secret: SECRET, signal };
    const facts = { at: '7', by: 'ada', reason: 'request 12', plan: plan.id };
    const begun = { format: 'holdfast-deletion-journal', version: 1, plan, facts } as const;
    const { receipt } = await runDeletion(ports, begun);
    return present(receipt.places[1]).kept.map(({ why }) => why);
  };

  const channel: ManifestChannel = {
    ...{ topic: '/a', type: 'std_msgs/msg/String', encoding: 'cdr', schemaEncoding: 'ros2msg' },
    ...{ latched: false, count: 1, bytes: 100, carried: 0 },
  };
  const held = [
    ['uploadPart', 12 * KIB, []],
    ['completeUpload', 12 * KIB, []],
    ['verify', 12 * KIB, ['it has no manifest: its upload did not finish']],
    ['put', 12 * KIB, ['it has no manifest: its upload did not finish']],
    ['put', 100, []],
  ] as const;
  for (const [method, bytes, kept] of held) {
    const what = bytes > KIB ? 'an upload in parts' : 'an upload of one call';
    it(`brings nothing back if a deletion ends before the call ${method} of ${what}`, async () => {
      await fs.rm(world.folder.sealed, { recursive: true });
      await fs.mkdir(world.folder.sealed);
      const large = await world.seal(bytes, { manifest: { channels: [channel] } });
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const isOfIt = (call: StoreCall): boolean =>
        call.method === method && call.key.includes(large.name.slice(0, 12));
      // The first one is that of sync.
      store.faults = (call, phase) =>
        phase === 'before' && store.calls.find(isOfIt)?.index === call.index ? released : undefined;
      // It does not see meanwhile that the file is gone.
      const engine = await world.open(store, { options: { pollIntervalMs: 60_000 } });
      const end = new AbortController();
      const run = engine.run(end.signal);
      await eventually(() => store.calls.some(isOfIt), 'the call is under way');
      assert.deepEqual(await deleteAll(), kept);
      release();
      await eventually(() => engine.status().segments.parked === 1, 'sync gives it up');
      end.abort();
      await run;
      await engine.close();
      assert.deepEqual([...store.content.objects.keys()], [manifestKey(large.manifest.key)]);
      assert.equal(store.content.uploads.size, 0);
    });
  }

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
