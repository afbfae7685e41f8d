import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../../src/core/logger.js';
import {
  decodeManifest,
  encodeManifest,
  encryptedKey,
  manifestKey,
  withSha256,
} from '../../../src/core/manifest.js';
import { openMcap } from '../../../src/core/mcap/open-mcap.js';
import { present } from '../../../src/core/present.js';
import type { SegmentTransformer } from '../../../src/jobs/transform/segment-transformer.js';
import { deletionTombstone } from '../../../src/deletion/deletion-tombstone.js';
import { recipientName, recipientOf } from '../../../src/encryption/wrapped-key.js';
import { TransformCache } from '../../../src/jobs/transform/transform-cache.js';
import { listRequests, requestSegments } from '../../../src/recordings/fetch.js';
import { storeReadable } from '../../../src/recordings/store-readable.js';
import { TransformDeriver } from '../../../src/jobs/transform/transform-deriver.js';
import { openedSegment, testIdentity } from '../../support/encrypted-segments.js';
import { eventually } from '../../../src/testing/waiting.js';
import { MemoryStore, MemoryStoreContent } from '../../support/memory-store.js';
import { evictsAsVerified } from '../../sync/group-world.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { CACHE_BYTES, sealTexts, sinkOf, transformer } from './transform-world.js';

/** As if no store had been there before. */
async function forgetStore({ folder }: SyncWorld): Promise<void> {
  for (const path of [folder.receipts, folder.sync, join(folder.root, 'stores.json')]) {
    await fs.rm(path, { recursive: true, force: true });
  }
}

describe('sync with sync.transform', function () {
  this.timeout(60_000);
  let world: SyncWorld;
  let work: SegmentTransformer | undefined;

  const rules = (...texts: string[]): SegmentTransformer => (work = transformer(texts));
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(async () => {
    await work?.[Symbol.asyncDispose]();
    work = undefined;
    await world[Symbol.asyncDispose]();
  });

  it('sends a segment of its own under the same key, which names its source and what was done', async () => {
    const sealed = await sealTexts(world);
    const store = new MemoryStore();
    const summary = await world.drain(store, { sink: sinkOf(rules('/driver hash=data')) });
    assert.ok(summary.complete);
    assert.deepEqual(summary.segments, { verified: 1, parked: 0, pending: 0 });
    const { objects } = store.content;
    const text = present(objects.get(manifestKey(sealed.manifest.key))).toString();
    const manifest = decodeManifest(text, 'the manifest');
    const { bytes, sha256, crc32 } = sealed.manifest.file;
    const { messages, payloadBytes } = sealed.manifest;
    assert.deepEqual(manifest.derived, {
      version: 1,
      source: { bytes, sha256, crc32, messages, payloadBytes },
      stages: [
        {
          ...{ name: 'fields', version: 1, rule: '/driver hash=data' },
          counts: { unchanged: 0, changed: 20, dropped: 0, made: 0 },
        },
      ],
    });
    assert.equal(manifest.messages, messages);
    assert.equal(manifest.file.bytes, objects.get(sealed.manifest.key)?.length);
    assert.notEqual(manifest.payloadBytes, payloadBytes);
    assert.deepEqual(await fs.readFile(join(world.folder.sealed, sealed.manifest.file.name)), sealed.data);
  });

  it('sends nothing of a segment to which a rule cannot be applied, says why, and sends the others', async () => {
    const bad = await sealTexts(world, ['/odd']);
    const good = await sealTexts(world, ['/driver']);
    const store = new MemoryStore();
    const sink = sinkOf(rules('/odd zero=name', '/driver zero=data'));
    const summary = await world.drain(store, { sink });
    assert.deepEqual(summary.segments, { verified: 1, parked: 1, pending: 0 });
    const [alarm] = summary.alarms;
    assert.equal(alarm?.code, 'TRANSFORM_FAILED');
    assert.match(
      alarm.message,
      /"\/odd zero=name" of sync.transform cannot be applied to \/odd .*there are: data/,
    );
    const keys = [...store.content.objects.keys()].filter((key) => key.startsWith('robot='));
    assert.deepEqual(keys.sort(), [manifestKey(good.manifest.key), good.manifest.key].sort());
    assert.ok(!keys.includes(bad.manifest.key));
    // It stays parked, and comes again with corrected rules.
    assert.equal((await world.drain(store, { sink })).segments.parked, 1);
    await work?.[Symbol.asyncDispose]();
    const again = await world.drain(store, {
      sink: sinkOf(rules('/odd zero=data')),
      options: { retryParked: true },
    });
    assert.deepEqual(again.segments, { verified: 2, parked: 0, pending: 0 });
  });

  it('makes the same bytes after a kill at any call of the store, and sends no half result', async () => {
    const sealed = await sealTexts(world);
    const sink = sinkOf(rules('/driver hash=data', '/speed drop'));
    const reference = new MemoryStore();
    await world.drain(reference, { sink });
    const expected = [...reference.content.objects].filter(([key]) => key.startsWith('robot='));
    assert.equal(expected.length, 2);
    const calls = reference.calls.length;
    for (let dead = 1; dead < calls; dead += 2) {
      await forgetStore(world);
      await fs.rm(world.folder.transformed, { recursive: true, force: true });
      const content = new MemoryStoreContent();
      const end = new AbortController();
      const faults = ({ index }: { readonly index: number }, phase: 'before' | 'after'): void => {
        if (index < dead || phase === 'before') return;
        end.abort();
        throw new Error('killed');
      };
      await world.drain(new MemoryStore({ content, faults }), { sink }, end.signal);
      const half = content.objects.get(manifestKey(sealed.manifest.key));
      if (half) assert.deepEqual(half, expected.find(([key]) => key.endsWith('.json'))?.[1]);
      const summary = await world.drain(new MemoryStore({ content }), { sink });
      assert.ok(summary.complete, `killed at call ${dead}`);
      const left = [...content.objects].filter(([key]) => key.startsWith('robot='));
      assert.deepEqual(left.sort(), expected.sort(), `killed at call ${dead}`);
    }
  });

  it('counts a changed copy as the segment only if sync.original is release', async () => {
    const sealed = await sealTexts(world);
    const store = new MemoryStore();
    const own = rules('/driver zero=data');
    await world.drain(store, { sink: sinkOf(own) });
    assert.equal(await evictsAsVerified(world, sealed), false);
    await forgetStore(world);
    const { partial: _partial, ...released } = sinkOf(own);
    await world.drain(new MemoryStore({ content: store.content }), { sink: released });
    assert.equal(await evictsAsVerified(world, sealed), true);
  });

  it('keeps changed segments in a bounded folder, and makes a damaged one again', async () => {
    const first = await sealTexts(world);
    const sink = sinkOf(rules('/driver zero=data'));
    const reference = new MemoryStore();
    await world.drain(reference, { sink });
    const names = async (): Promise<string[]> => (await fs.readdir(world.folder.transformed)).sort();
    const [kept = '', text = ''] = (await names()).reverse();
    assert.match(kept, /^000000000001-.*\.mcap$/);
    for (const damage of [
      () => fs.writeFile(join(world.folder.transformed, text), '{}'),
      () => fs.rm(join(world.folder.transformed, kept)),
      () => fs.rm(join(world.folder.transformed, text)),
    ]) {
      await damage();
      await forgetStore(world);
      const store = new MemoryStore();
      assert.ok((await world.drain(store, { sink })).complete);
      assert.deepEqual(
        store.content.objects.get(first.manifest.key),
        reference.content.objects.get(first.manifest.key),
      );
    }
    const { size } = await fs.stat(join(world.folder.transformed, kept));
    await work?.[Symbol.asyncDispose]();
    work = transformer(['/driver zero=data'], Math.floor(size * 1.5));
    await sealTexts(world);
    await forgetStore(world);
    await world.drain(new MemoryStore(), { sink: sinkOf(work) });
    const left = await names();
    assert.equal(left.length, 2, 'one file and its manifest, although there are two segments');
    assert.equal(left[0]?.replace(/json$/, ''), left[1]?.replace(/mcap$/, ''));
  });

  it('forgets the changed copies of segments that are no longer here', async () => {
    const first = await sealTexts(world);
    const sink = sinkOf(rules('/driver zero=data'));
    const store = new MemoryStore();
    await world.drain(store, { sink });
    await world.evict(first);
    const second = await sealTexts(world);
    await world.drain(store, { sink });
    const names = await fs.readdir(world.folder.transformed);
    assert.deepEqual(new Set(names.map((name) => name.slice(0, second.name.length))), new Set([second.name]));
  });

  it('removes them when it starts, also if it makes no other copy', async () => {
    const sealed = await sealTexts(world);
    const sink = sinkOf(rules('/driver zero=data'));
    const store = new MemoryStore();
    await world.drain(store, { sink });
    assert.equal((await fs.readdir(world.folder.transformed)).length, 2);
    await world.evict(sealed);
    await world.drain(store, { sink });
    assert.deepEqual(await fs.readdir(world.folder.transformed), []);
  });

  it('keeps no copy of a segment that was deleted while the copy was made', async () => {
    const sealed = await sealTexts(world);
    const settings = { rules: ['/driver zero=data'], hashKey: Buffer.alloc(0), recipients: [] };
    const cache = new TransformCache(fs, silentLogger, settings, CACHE_BYTES);
    const manifest = withSha256(sealed.manifest, '0'.repeat(64));
    const path = join(world.folder.root, 'made.mcap');
    await fs.copyFile(join(world.folder.sealed, sealed.manifest.file.name), path);
    await cache.keep(world.folder, manifest, path);
    assert.equal((await fs.readdir(world.folder.transformed)).length, 2);
    await world.evict(sealed);
    await cache.keep(world.folder, manifest, path);
    assert.deepEqual(await fs.readdir(world.folder.transformed), []);
  });

  it('sweeps forgotten uploads of its robots', async () => {
    await sealTexts(world);
    const store = new MemoryStore();
    // It began in 1970.
    await store.createUpload('robot=r1/date=2026-11-20/hour=08/old.mcap');
    const sink = sinkOf(rules('/driver zero=data'));
    await world.runUntil(store, () => store.content.uploads.size === 0, { sink });
  });

  it('removes what it has sent of a segment that was deleted from the store meanwhile', async () => {
    const { manifest } = await sealTexts(world);
    const store = new MemoryStore();
    const at = manifestKey(manifest.key);
    const facts = { at: '7', by: 'ada', reason: 'request 12', plan: '0123456789abcdef' };
    const tombstone = Buffer.from(encodeManifest(deletionTombstone(manifest, facts)));
    store.faults = ({ method, key }, phase) => {
      if (method === 'put' && key === at && phase === 'before') store.content.objects.set(at, tombstone);
    };
    const summary = await world.drain(store, { sink: sinkOf(rules('/driver zero=data')) });
    assert.equal(summary.alarms[0]?.code, 'SEGMENT_DELETED');
    assert.deepEqual([...store.content.objects], [[at, tombstone]]);
  });

  it('removes what a killed process has sent of a segment that was deleted here', async () => {
    const sealed = await sealTexts(world);
    const store = new MemoryStore();
    const sink = sinkOf(rules('/driver zero=data'));
    await world.drain(store, { sink });
    const { key } = sealed.manifest;
    store.content.objects.delete(manifestKey(key));
    await world.evict(sealed);
    const facts = { at: '7', by: 'ada', reason: 'request 12', plan: '0123456789abcdef' };
    const tombstone = encodeManifest(deletionTombstone(sealed.manifest, facts));
    await fs.writeFile(join(world.folder.tombstones, `${sealed.name}.json`), tombstone);
    await world.drain(store, { sink });
    assert.deepEqual([...store.content.objects], [[manifestKey(key), Buffer.from(tombstone)]]);
  });

  it('tries parked segments again when the rules have changed, and keeps what a copy began with', async () => {
    const sealed = await sealTexts(world, ['/odd']);
    const store = new MemoryStore();
    const own = rules('/odd zero=name');
    const engine = await world.open(store, { sink: sinkOf(own) });
    const running = engine.run(new AbortController().signal).catch(() => undefined);
    try {
      await eventually(() => Promise.resolve(engine.status().segments.parked === 1), 'it is parked');
      const settings = { rules: ['/odd zero=data'], hashKey: Buffer.alloc(0), recipients: [] };
      own.use(settings, new TransformCache(fs, silentLogger, settings, 0));
      assert.equal(engine.status().segments.parked, 1);
      engine.retryParked('STORE_REJECTED');
      assert.equal(engine.status().segments.parked, 1);
      engine.retryParked('TRANSFORM_FAILED');
      await eventually(() => Promise.resolve(engine.status().segments.verified === 1), 'it is sent');
      assert.deepEqual(engine.status().alarms, []);
    } finally {
      await engine.close();
      await running;
    }
    const text = present(store.content.objects.get(manifestKey(sealed.manifest.key))).toString();
    assert.equal(decodeManifest(text, 'it').derived?.stages[0]?.rule, '/odd zero=data');
  });

  it('finishes a copy with the rules with which it began', async () => {
    const { manifest } = await sealTexts(world);
    const own = rules('/driver zero=data');
    const path = join(world.folder.sealed, manifest.file.name);
    const target = join(world.folder.root, 'copy.mcap');
    const copy = own.transform(path, manifest, target, new AbortController().signal);
    const settings = { rules: ['/driver drop'], hashKey: Buffer.alloc(0), recipients: [] };
    await new Promise(setImmediate);
    own.use(settings, new TransformCache(fs, silentLogger, settings, 0));
    const made = await copy;
    assert.deepEqual(
      made.derived?.stages.map(({ rule }) => rule),
      ['/driver zero=data'],
    );
    assert.equal(made.messages, manifest.messages);
  });

  it('encrypts what it sends, so that only the recipients read it', async () => {
    const sealed = await sealTexts(world);
    const recipients = [recipientOf(testIdentity)];
    work = transformer(['/speed drop'], CACHE_BYTES, recipients);
    const store = new MemoryStore();
    const deriver = new TransformDeriver(work, true);
    const sink = sinkOf(work, { deriver, recipients });
    assert.ok((await world.drain(store, { sink })).complete);
    const key = encryptedKey(sealed.manifest.key);
    const keys = [...store.content.objects.keys()].filter((one) => one.startsWith('robot='));
    assert.deepEqual(keys.sort(), [manifestKey(key), key].sort());
    const manifest = decodeManifest(present(store.content.objects.get(manifestKey(key))).toString(), 'it');
    assert.equal(manifest.derived?.source.sha256, sealed.manifest.file.sha256);
    const object = present(store.content.objects.get(key));
    assert.equal(object.includes(Buffer.from('Ann Example')), false);
    const readable = openedSegment(storeReadable(store, key, object.length), manifest, key);
    assert.deepEqual(
      [...new Set((await openMcap(readable, key)).channels.map(({ topic }) => topic))],
      ['/driver'],
    );
    // The copy is sent to another store as it is.
    await forgetStore(world);
    const second = new MemoryStore();
    await world.drain(second, { sink });
    assert.deepEqual(second.content.objects.get(key), object);
    const engine = await world.open(second, { sink });
    assert.deepEqual(engine.status().encryptedFor, recipients.map(recipientName));
    await engine.close();
  });

  it('answers requests for segments with changed ones', async () => {
    const sealed = await sealTexts(world);
    const store = new MemoryStore();
    const options = { upload: 'requested', requestPollMs: 5 } as const;
    const engine = await world.open(store, { sink: sinkOf(rules('/driver zero=data')), options });
    const running = engine.run(new AbortController().signal).catch(() => undefined);
    try {
      const range = { robot: 'r1', from: 0n, to: 10_000_000_000n };
      const now = BigInt(Date.now()) * 1_000_000n;
      const { id } = await requestSegments(
        store,
        { ...range, days: 1, by: 'ada' },
        { now, random: randomBytes },
      );
      await eventually(async () => {
        const all = await listRequests(store, 'r1', () => undefined);
        return all.some((one) => one.request.id === id && one.state === 'done');
      }, 'the request is done');
      const object = present(store.content.objects.get(sealed.manifest.key));
      assert.notDeepEqual(object, sealed.data);
    } finally {
      await engine.close();
      await running;
    }
  });

  it('tells how much was changed, and how often that failed', async () => {
    await sealTexts(world, ['/odd']);
    const sealed = await sealTexts(world, ['/driver']);
    const engine = await world.open(new MemoryStore(), {
      sink: sinkOf(rules('/odd zero=name', '/driver zero=data')),
    });
    try {
      await engine.drain(AbortSignal.timeout(10_000));
      const { segments, bytesIn, bytesOut, failed, parked } = present(engine.status().transforms);
      assert.deepEqual([segments, bytesIn, failed, parked], [1, sealed.manifest.payloadBytes, 1, 1]);
      assert.ok(bytesOut < bytesIn);
    } finally {
      await engine.close();
    }
  });
});
