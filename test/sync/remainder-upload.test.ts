import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { encodeManifest, encryptedKey, manifestKey, type Manifest } from '../../src/core/manifest.js';
import { newSegmentId } from '../../src/core/segment-id.js';
import { deletionTombstone } from '../../src/deletion/deletion-tombstone.js';
import { newIdentity, recipientOf } from '../../src/encryption/wrapped-key.js';
import { soleSink } from '../../src/sync/sync-sink.js';
import { MemoryStore } from '../support/memory-store.js';
import { SyncWorld, type Sealed } from './sync-world.js';

const facts = { at: '7', by: 'ada', reason: 'request 12', plan: '0123456789abcdef' };

describe('sync and what a deletion left of a segment', () => {
  let world: SyncWorld;
  let store: MemoryStore;
  /** The whole segment, as it was in the store. */
  let source: Manifest;
  let rest: Sealed;
  beforeEach(async () => {
    world = await SyncWorld.create();
    store = new MemoryStore();
    const id = newSegmentId(1, randomBytes);
    const file = { bytes: 500, sha256: 'a'.repeat(64), crc32: 7, messages: 9, payloadBytes: 90 };
    const stages = [{ name: 'delete', version: 1, rule: '{}' }];
    rest = await world.seal(100, {
      manifest: { derived: { version: 1, source: { segment: id, ...file }, stages } },
    });
    const { segment, key, file: own } = rest.manifest;
    const named = (name: string): string => name.replace(segment.id, id);
    const { derived: _derived, ...whole } = rest.manifest;
    const { bytes, sha256, crc32 } = file;
    source = {
      ...whole,
      segment: { ...segment, id },
      key: named(key),
      file: { ...own, name: named(own.name), bytes, sha256, crc32 },
    };
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const put = (manifest: Manifest): void => {
    store.content.objects.set(manifestKey(manifest.key), Buffer.from(encodeManifest(manifest)));
  };
  const keys = (): string[] => [...store.content.objects.keys()].sort();

  it('parks it while the store has all of the segment, and sends it once that was deleted', async () => {
    put(source);
    const before = keys();
    const engine = await world.open(store);
    const { segments } = await engine.drain(AbortSignal.timeout(10_000));
    assert.equal(segments.parked, 1);
    await engine.close();
    assert.deepEqual(keys(), before);
    put(deletionTombstone(source, facts));
    await fs.rm(world.folder.sync, { recursive: true });
    assert.equal((await world.drain(store)).segments.verified, 1);
    assert.ok(store.content.objects.get(rest.manifest.key)?.equals(rest.data));
  });

  it('sends it to a store that never had the segment', async () => {
    assert.equal((await world.drain(store)).segments.verified, 1);
    assert.deepEqual(keys(), [manifestKey(rest.manifest.key), rest.manifest.key].sort());
  });

  it('takes the same rest in the store for sent, although its encrypted bytes are others', async () => {
    const sink = { ...soleSink, recipients: [recipientOf(newIdentity())] };
    const other = await SyncWorld.create();
    await fs.cp(world.folder.root, other.folder.root, { recursive: true });
    await other.drain(store, { sink });
    await other[Symbol.asyncDispose]();
    const before = new Map(store.content.objects);
    assert.ok(before.has(encryptedKey(rest.manifest.key)));
    assert.equal((await world.drain(store, { sink })).segments.verified, 1);
    assert.deepEqual(store.content.objects, before);
    const [receipt] = (await world.receipt(rest)).stores;
    assert.equal(receipt?.key, encryptedKey(rest.manifest.key));
    assert.equal(receipt.sha256, rest.manifest.file.sha256);
  });
});
