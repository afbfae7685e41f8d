import assert from 'node:assert/strict';
import { writeEvent } from '../../src/core/event-files.js';
import * as fs from 'node:fs/promises';
import { eventually } from '../../src/testing/waiting.js';
import type { SyncEngine } from '../../src/sync/sync-engine.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, SyncWorld, type Sealed } from './sync-world.js';

describe('what sync uploads without a request', () => {
  let world: SyncWorld;
  let store: MemoryStore;
  let sealed: Sealed[];
  let engine: SyncEngine | undefined;

  beforeEach(async () => {
    world = await SyncWorld.create();
    store = new MemoryStore();
    // Their messages are at 1, 2, 3 and 4 s.
    sealed = [];
    for (let n = 0; n < 4; n++) sealed.push(await world.seal(2 * KIB));
  });
  afterEach(async () => {
    await engine?.close();
    engine = undefined;
    await world[Symbol.asyncDispose]();
  });

  const mark = (from: bigint, to: bigint): Promise<void> => {
    const id = 'a'.repeat(32);
    const time = String(to);
    return writeEvent(fs, world.folder.events, { id, label: 'bump', at: time, from: String(from), to: time });
  };
  const stored = (): number[] =>
    sealed.flatMap(({ manifest }, n) => (store.content.objects.has(manifest.key) ? [n + 1] : []));
  const rest = (except: readonly number[]): Sealed[] => sealed.filter((_, n) => !except.includes(n + 1));

  async function run(upload: 'all' | 'events' | 'requested'): Promise<void> {
    engine = await world.open(store, { options: { upload } });
    void engine.run(new AbortController().signal);
    await eventually(() => engine?.status().segments.held === 4, 'the folder was scanned');
  }

  it('is what overlaps a marked event; the rest is kept here, is not pending, and ends no drain late', async () => {
    await mark(2_000_000_000n, 3_000_000_000n);
    const { complete, segments } = await world.drain(store, { options: { upload: 'events' } });
    assert.deepEqual([complete, segments.verified, segments.pending], [true, 2, 0]);
    assert.deepEqual(stored(), [2, 3]);
    await world.assertStoredOnce(store.content, rest([2, 3]));
    assert.deepEqual(await fs.readdir(world.folder.receipts), [
      `${sealed[1]!.name}.json`,
      `${sealed[2]!.name}.json`,
    ]);
  });

  it('follows a later mark, and says how much is kept here', async () => {
    await run('events');
    const held = (): unknown => [engine?.status().segments.held, engine?.status().bytes.held];
    assert.deepEqual([engine?.status().segments.verified, held()], [0, [4, 8 * KIB]]);
    await mark(4_000_000_000n, 9_000_000_000n);
    await eventually(() => engine?.status().segments.verified === 1, 'the marked one is uploaded');
    assert.deepEqual([stored(), held()], [[4], [3, 6 * KIB]]);
  });

  it('is nothing but what was requested, which goes first when the policy changes', async () => {
    await run('requested');
    assert.deepEqual(stored(), []);
    engine?.request([sealed[2]!.name]);
    await eventually(() => engine?.status().segments.verified === 1, 'the requested one is uploaded');
    assert.deepEqual([stored(), engine?.status().segments.held], [[3], 3]);
    engine?.reconfigure({ upload: 'all' });
    await eventually(() => engine?.status().segments.verified === 4, 'all are uploaded');
    assert.equal(engine?.status().segments.held, 0);
    await world.assertStoredOnce(store.content);
  });

  it('stops waiting segments when the policy becomes narrower', async () => {
    store.content.objects.clear();
    const offline = new (class extends MemoryStore {
      override readId(): ReturnType<MemoryStore['readId']> {
        return Promise.reject(new Error('no link'));
      }
    })();
    engine = await world.open(offline, { options: { upload: 'all' } });
    void engine.run(new AbortController().signal);
    await eventually(() => engine?.status().segments.pending === 4, 'all wait');
    engine.reconfigure({ upload: 'requested' });
    assert.deepEqual([engine.status().segments.pending, engine.status().segments.held], [0, 4]);
  });

  it('is decided by a sink of its own option first', async () => {
    const sink = {
      name: 'hot',
      kind: 'mcap',
      form: '',
      required: false,
      selection: {},
      upload: 'all',
    } as const;
    await world.drain(store, { sink, options: { upload: 'requested' } });
    assert.deepEqual(stored(), [1, 2, 3, 4]);
  });
});
