import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import type { FileSystem } from '../../src/core/file-system.js';
import { eventually, sleep } from '../../src/testing/waiting.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, SyncWorld } from './sync-world.js';

/** Long enough for many rounds of housekeeping. */
const SLOW_READ_MS = 300;

describe('The unfinished uploads of a data folder', () => {
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('are not taken for abandoned before the folder was scanned, however old they are', async () => {
    for (let n = 0; n < 3; n++) await world.seal(KIB);
    const large = await world.seal(12 * KIB);
    // Its uploads began in 1970.
    const store = new MemoryStore();
    store.faults = ({ method, partNumber }, phase) => {
      if (method === 'uploadPart' && partNumber !== 1 && phase === 'before') throw new Error('no route');
    };
    const first = await world.open(store);
    const running = first.run(new AbortController().signal);
    const partsOf = (): number =>
      [...store.content.uploads.values()].reduce((sum, { parts }) => sum + parts.size, 0);
    await eventually(() => partsOf() === 1 && first.status().segments.verified === 3, 'one part is sent');
    await first.close();
    await running;

    store.faults = undefined;
    const slow: FileSystem = new Proxy(fs, {
      get: (target, name: keyof FileSystem) =>
        name !== 'readFile'
          ? target[name]
          : async (path: string, ...more: never[]) => {
              if (path.endsWith(`${large.name}.json`)) await sleep(SLOW_READ_MS);
              return await target.readFile(path, ...more);
            },
    });
    const before = store.calls.length;
    const second = await world.open(store, { fs: slow });
    const again = second.run(new AbortController().signal);
    await eventually(() => second.status().segments.verified === 4, 'all are in the store');
    await second.close();
    await again;
    const calls = store.calls.slice(before);
    assert.ok(
      calls.some(({ method }) => method === 'listUploads'),
      'it looked for abandoned uploads',
    );
    assert.deepEqual(
      calls.filter(({ method }) => method === 'abortUpload'),
      [],
    );
    assert.deepEqual(
      calls.flatMap(({ method, partNumber }) => (method === 'uploadPart' ? [partNumber] : [])).toSorted(),
      [2, 3],
      'the first part is not sent again',
    );
  });
});
