import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import type { FileSystem } from '../../src/core/file-system.js';
import { encodeManifest, manifestKey } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { factsOf } from '../../src/encryption/encrypted-content.js';
import { openDataKey } from '../../src/encryption/keyring.js';
import { newIdentity, recipientOf } from '../../src/encryption/wrapped-key.js';
import { TopicsDeriver } from '../../src/jobs/lake/topics-deriver.js';
import { keepingRoom } from '../../src/core/space-limits.js';
import { soleSink } from '../../src/sync/sync-sink.js';
import { MemoryStore } from '../support/memory-store.js';
import { evictAll } from './last-copy-world.js';
import { KIB, SyncWorld } from './sync-world.js';

describe('sync of segments that were encrypted when they were sealed', function () {
  this.timeout(20_000);
  const [ann, ben] = [newIdentity(), newIdentity()];
  const recipients = [recipientOf(ann)];
  let world: SyncWorld;
  let store: MemoryStore;

  beforeEach(async () => {
    world = await SyncWorld.create();
    store = new MemoryStore();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  for (const [what, sink] of [
    ['without sync.recipients', soleSink],
    ['with other sync.recipients', { ...soleSink, recipients: [recipientOf(ben)] }],
  ] as const) {
    it(`sends the file as it is, read once, ${what}`, async () => {
      for (const bytes of [0, 3 * KIB, 100 * KIB]) await world.seal(bytes, { recipients });
      let read = 0;
      const counting = {
        ...fs,
        open: async (...args: Parameters<typeof fs.open>) => {
          const handle = await fs.open(...args);
          if (!String(args[0]).endsWith('.mcap.enc')) return handle;
          const original = handle.read.bind(handle) as (...rest: unknown[]) => Promise<{ bytesRead: number }>;
          const counted = async (...rest: unknown[]): Promise<unknown> => {
            const result = await original(...rest);
            read += result.bytesRead;
            return result;
          };
          return Object.assign(handle, { read: counted });
        },
      } as unknown as FileSystem;
      const { complete, segments } = await world.drain(store, { sink, fs: counting });
      assert.deepEqual([complete, segments.verified], [true, 3]);
      await world.assertStoredOnce(store.content);
      const bytes = world.sealed.reduce((sum, { data }) => sum + data.length, 0);
      assert.equal(read, bytes);
      assert.deepEqual(await fs.readdir(world.folder.encryption).catch(() => []), []);
    });
  }

  it('lets retention evict what the store holds, also after a rotation of its keys', async () => {
    const [one, two] = [
      await world.seal(2 * KIB, { recipients }),
      await world.seal(30 * KIB, { recipients }),
    ];
    await world.drain(store);
    const facts = present(one.manifest.encryption);
    const dataKey = openDataKey({ identities: [ann] }, facts, 'x');
    const encryption = factsOf({ dataKey }, facts.plainBytes, [recipientOf(ben)], randomBytes, 2);
    const rotated = Buffer.from(encodeManifest({ ...one.manifest, encryption }));
    store.content.objects.set(manifestKey(one.manifest.key), rotated);
    // All that sync remembers is lost: it compares with what is there.
    await fs.rm(world.folder.sync, { recursive: true, force: true });
    assert.equal((await world.drain(store)).segments.verified, 2);
    assert.deepEqual((await evictAll(world, { store })).length, 2);
    assert.deepEqual(await fs.readdir(world.folder.sealed), []);
    assert.ok(present(store.content.objects.get(manifestKey(one.manifest.key))).equals(rotated));
    assert.ok(present(store.content.objects.get(two.manifest.key)).equals(two.data));
  });

  it('parks them in a sink that makes files of their content, and says why', async () => {
    await world.seal(2 * KIB, { recipients });
    const deriver = new TopicsDeriver(keepingRoom(fs), ['*']);
    const sink = { ...soleSink, form: deriver.form, deriver };
    const { segments, alarms } = await world.drain(store, { sink });
    assert.deepEqual([segments.parked, segments.verified], [1, 0]);
    assert.match(JSON.stringify(alarms), /IDENTITY_MISSING.*encrypted when it was sealed/);
  });
});
