import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { readKnownStores } from '../../src/core/known-stores.js';
import { openLevelProgress } from '../../src/sync/progress-database.js';
import { MemoryStore } from '../support/memory-store.js';
import { SyncWorld } from './sync-world.js';

/** What can become of a text on a disk. */
const damages: Readonly<Record<string, (text: string) => string>> = {
  emptied: () => '',
  cut: (text) => text.slice(0, text.length / 2),
  zeroed: (text) => '\0'.repeat(text.length),
  'of other types': (text) => text.replaceAll(/"(\w+)":\s*("[^"]*"|\d+)/g, '"$1": null'),
  'a list': () => '[null]',
  'nested too deep': () => `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
};

describe('what sync remembers, damaged', () => {
  let world: SyncWorld;
  let store: MemoryStore;
  beforeEach(async () => {
    world = await SyncWorld.create();
    for (let i = 0; i < 3; i++) await world.seal(5_000 + i);
    store = new MemoryStore();
    await world.drain(store);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  for (const [damage, apply] of Object.entries(damages)) {
    it(`stores.json ${damage} is written again, and the store is still the one it was`, async () => {
      const path = join(world.folder.root, 'stores.json');
      const before = await readKnownStores(fs, world.folder);
      await fs.writeFile(path, apply(await fs.readFile(path, 'utf8')));
      const { id } = store.content;
      store.content.id = undefined;
      const away = await world.drain(store, {}, AbortSignal.timeout(100));
      assert.equal(away.complete, false, 'a store that is away is not taken for a new one');
      assert.equal(store.content.id, undefined);
      store.content.id = id;
      const { complete, sentBytes } = await world.drain(store);
      assert.deepEqual([complete, sentBytes], [true, 0]);
      const after = await readKnownStores(fs, world.folder);
      assert.deepEqual(
        after.map(({ uri, storeId }) => [uri, storeId]),
        before.map(({ uri, storeId }) => [uri, storeId]),
      );
    });

    it(`upload records ${damage} cost a question each, and no byte is sent twice`, async () => {
      const database = await openLevelProgress(world.folder.sync);
      const records: (readonly [string, string])[] = [];
      for await (const [key, text] of database.entries('')) records.push([key, apply(text)]);
      assert.ok(records.length >= 3);
      await database.write(records, true);
      await database.close();
      store.content.objects.delete(world.sealed[0]!.manifest.key);
      const { complete, sentBytes, segments } = await world.drain(store);
      assert.deepEqual([complete, segments.verified], [true, 3]);
      assert.equal(sentBytes, world.sealed[0]!.data.length, 'only what the store had lost');
      await world.assertStoredOnce(store.content);
    });
  }
});
