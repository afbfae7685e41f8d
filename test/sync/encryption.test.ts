import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest, encodeManifest, manifestKey, type Manifest } from '../../src/core/manifest.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { present } from '../../src/core/present.js';
import { decryptAll } from '../../src/encryption/decrypted-readable.js';
import { factsOf } from '../../src/encryption/encrypted-content.js';
import { openDataKey } from '../../src/encryption/keyring.js';
import { newIdentity, recipientOf, type Identity } from '../../src/encryption/wrapped-key.js';
import type { SyncPorts } from '../../src/sync/sync-ports.js';
import { soleSink } from '../../src/sync/sync-sink.js';
import { MemoryStore, type StoreCall } from '../support/memory-store.js';
import { evictAll } from './last-copy-world.js';
import { KIB, SyncWorld, type Sealed } from './sync-world.js';

describe('sync with recipients', function () {
  this.timeout(20_000);
  const [ann, ben] = [newIdentity(), newIdentity()];
  let world: SyncWorld;
  let store: MemoryStore;

  beforeEach(async () => {
    world = await SyncWorld.create();
    store = new MemoryStore();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const forThem = (...identities: Identity[]): Partial<SyncPorts> => ({
    sink: { ...soleSink, recipients: identities.map(recipientOf) },
  });
  const keyOf = (sealed: Sealed): string => `${sealed.manifest.key}.enc`;
  const object = (sealed: Sealed, of = store): Buffer => present(of.content.objects.get(keyOf(sealed)));
  const manifestIn = (sealed: Sealed): Manifest => {
    const key = manifestKey(sealed.manifest.key);
    return decodeManifest(present(store.content.objects.get(key)).toString('utf8'), key);
  };
  async function read(sealed: Sealed, identity: Identity): Promise<Buffer> {
    const manifest = manifestIn(sealed);
    assert.deepEqual([manifest.version, manifest.key], [3, keyOf(sealed)]);
    const dataKey = openDataKey({ identities: [identity] }, present(manifest.encryption), sealed.name);
    const pieces: Buffer[] = [];
    for await (const piece of decryptAll(bytesReadable(object(sealed)), dataKey, sealed.name))
      pieces.push(piece);
    return Buffer.concat(pieces);
  }
  const records = (): Promise<string[]> => fs.readdir(world.folder.encryption);

  it('sends nothing readable, for files of one part and of many, digested or not', async () => {
    const all = [await world.seal(0), await world.seal(3 * KIB), await world.seal(100 * KIB)];
    all.push(await world.seal(70 * KIB, { undigested: true }));
    const { complete, segments } = await world.drain(store, forThem(ann, ben));
    assert.deepEqual([complete, segments.verified], [true, 4]);
    for (const sealed of all) {
      for (const identity of [ann, ben]) assert.ok((await read(sealed, identity)).equals(sealed.data));
      await assert.rejects(read(sealed, newIdentity()), /is encrypted for hfpub1_/);
      assert.equal(store.content.objects.has(sealed.manifest.key), false);
      for (const stored of store.content.objects.values()) {
        if (sealed.data.length > 0) assert.ok(!stored.includes(sealed.data.subarray(0, 64)));
      }
      const [receipt] = (await world.receipt(sealed)).stores;
      assert.deepEqual([receipt?.sha256, receipt?.key], [sealed.manifest.file.sha256, keyOf(sealed)]);
    }
    assert.equal(
      (await fs.stat(join(world.folder.encryption, present((await records())[0])))).mode & 0o777,
      0o600,
    );
  });

  it('lets retention evict what the store holds, and forgets the data key with it', async () => {
    for (const bytes of [2, 30]) await world.seal(bytes * KIB);
    const spec = forThem(ann);
    await world.drain(store, spec);
    assert.equal((await records()).length, 2);
    // Without sync: the recorder alone removes the keys.
    const gone = await evictAll(world, { confirmMaxAgeMs: 600_000 });
    assert.equal(gone.length, 2);
    assert.deepEqual(await records(), []);
    for (const sealed of gone) assert.ok((await read(sealed, ann)).equals(sealed.data));
  });

  it('keeps a local copy whose encrypted object was damaged or lost, and sends the same bytes again', async () => {
    const [one, two] = [await world.seal(2 * KIB), await world.seal(30 * KIB)];
    const spec = forThem(ann);
    await world.drain(store, spec);
    const before = [object(one), object(two)];
    store.content.objects.delete(keyOf(one));
    store.content.objects.set(keyOf(two), Buffer.from('damaged'));
    await evictAll(world, { store, sink: present(spec.sink) });
    assert.deepEqual([object(one), object(two)], before);
    assert.ok((await read(two, ann)).equals(two.data));
  });

  it('continues an upload cut at any call, with the bytes that it began with', async () => {
    const sealed = await world.seal(40 * KIB);
    let calls = 0;
    const probe = await SyncWorld.create();
    await probe.seal(40 * KIB);
    const counting = new MemoryStore({
      faults: () => {
        calls++;
      },
    });
    await probe.drain(counting, forThem(ann));
    await probe[Symbol.asyncDispose]();
    let continued = 0;
    for (let cut = 0; cut < calls / 2; cut++) {
      await fs.rm(world.folder.receipts, { recursive: true, force: true });
      await fs.rm(world.folder.sync, { recursive: true, force: true });
      await fs.rm(world.folder.encryption, { recursive: true, force: true });
      store = new MemoryStore({ uri: `memory:${cut}` });
      const end = new AbortController();
      const engine = await world.open(store, forThem(ann));
      store.faults = ({ index }, phase) => {
        if (index < cut || phase !== 'after') return;
        end.abort();
        throw new Error('cut');
      };
      await engine.drain(AbortSignal.any([end.signal, AbortSignal.timeout(5_000)])).catch(() => undefined);
      await engine.close();
      store.faults = undefined;
      const { complete, resumedUploads } = await world.drain(store, forThem(ann));
      continued += resumedUploads;
      assert.ok(complete, `cut at call ${cut}`);
      assert.ok((await read(sealed, ann)).equals(sealed.data), `cut at call ${cut}`);
      // One whose id got lost with the answer is swept later.
      assert.ok(store.content.uploads.size <= 1);
    }
    assert.ok(continued > 3, `${continued} uploads were continued`);
  });

  it('leaves no part of a plain upload in the store that began before there were recipients', async () => {
    const sealed = await world.seal(40 * KIB);
    const end = new AbortController();
    const engine = await world.open(store);
    store.faults = ({ method, partNumber }, phase) => {
      if (method !== 'uploadPart' || partNumber !== 4 || phase !== 'before') return;
      end.abort();
      throw new Error('cut');
    };
    await engine.drain(end.signal).catch(() => undefined);
    await engine.close();
    store.faults = undefined;
    assert.equal(store.content.uploads.size, 1);
    await world.drain(store, forThem(ann));
    assert.equal(store.content.uploads.size, 0);
    assert.ok((await read(sealed, ann)).equals(sealed.data));
  });

  it('never encrypts a second plaintext with the same key: a file that changed is parked', async () => {
    const sealed = await world.seal(40 * KIB);
    const part = (call: StoreCall, n: number): boolean =>
      call.method === 'uploadPart' && call.partNumber === n;
    const end = new AbortController();
    const engine = await world.open(store, forThem(ann));
    store.faults = (call, phase) => {
      if (!part(call, 6) || phase !== 'before') return;
      end.abort();
      throw new Error('cut');
    };
    await engine.drain(end.signal).catch(() => undefined);
    await engine.close();
    store.faults = undefined;
    const upload = present([...store.content.uploads.values()][0]);
    const before = new Map(upload.parts);
    assert.ok(before.size > 1);
    // The same size, and a manifest that says so: sums that a rot of the disk would not give.
    const changed = Buffer.from(sealed.data);
    changed[10] = (changed[10] ?? 0) ^ 1;
    await fs.writeFile(join(world.folder.sealed, `${sealed.name}.mcap`), changed);
    const { segments } = await world.drain(store, forThem(ann));
    assert.equal(segments.parked, 1);
    for (const [number, data] of upload.parts) {
      if (before.has(number)) assert.ok(data.equals(present(before.get(number))), `part ${number}`);
    }
    assert.equal(store.content.objects.has(keyOf(sealed)), false);
  });

  it('wraps the same data key again if the recipients change, and never for a removed one', async () => {
    const sealed = await world.seal(10 * KIB);
    const other = new MemoryStore({ uri: 'memory:other' });
    await world.drain(store, forThem(ann, ben));
    const first = object(sealed);
    // A second store, later, without ben.
    await fs.rm(world.folder.sync, { recursive: true, force: true });
    await world.drain(other, forThem(ann));
    assert.ok(object(sealed, other).equals(first));
    store = other;
    assert.ok((await read(sealed, ann)).equals(sealed.data));
    await assert.rejects(read(sealed, ben), /is encrypted for/);
  });

  it('takes a manifest with rotated keys for its own, evicts on it, and never puts the old one back', async () => {
    const sealed = await world.seal(10 * KIB);
    const spec = forThem(ann);
    await world.drain(store, spec);
    const manifest = manifestIn(sealed);
    const facts = present(manifest.encryption);
    const dataKey = openDataKey({ identities: [ann] }, facts, 'x');
    const encryption = factsOf({ dataKey }, facts.plainBytes, [recipientOf(ben)], randomBytes);
    const rotated = Buffer.from(encodeManifest({ ...manifest, encryption }));
    store.content.objects.set(manifestKey(sealed.manifest.key), rotated);
    // All that sync remembers is lost: it compares with what is there.
    await fs.rm(world.folder.sync, { recursive: true, force: true });
    const { segments } = await world.drain(store, spec);
    assert.equal(segments.verified, 1);
    assert.equal((await evictAll(world, { store, sink: present(spec.sink) })).length, 1);
    assert.ok(present(store.content.objects.get(manifestKey(sealed.manifest.key))).equals(rotated));
    assert.ok((await read(sealed, ben)).equals(sealed.data));
  });
});
