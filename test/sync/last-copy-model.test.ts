import assert from 'node:assert/strict';
import fc from 'fast-check';
import { manifestKey } from '../../src/core/manifest.js';
import { MemoryStore, MemoryStoreContent } from '../support/memory-store.js';
import { copyOf, evictAll, holds, presentOf, removeSyncState } from './last-copy-world.js';
import { SyncWorld } from './sync-world.js';

/** What somebody does to the store behind sync's back. A number chooses a segment or a snapshot. */
const attacks = [
  'keep a snapshot',
  'restore a snapshot',
  'mount a copy',
  'mount another store',
  'unmount or mount',
  'lose an object',
  'lose a manifest',
  'cut an object short',
  'put another object under the key',
  'forge a manifest',
  'forge the mark',
] as const;
type Attack = (typeof attacks)[number];

/** What happens on the robot. */
const deeds = [
  'seal',
  'sync',
  'remove receipts',
  'remove sync state',
  'evict beside sync',
  'evict without sync',
  'drop the oldest',
] as const;
type Deed = (typeof deeds)[number];

/** The store that lies, and what is mounted in its place now. */
class LyingStore {
  mounted = new MemoryStoreContent();
  readonly #snapshots: MemoryStoreContent[] = [];
  #id: string | undefined;

  open(): MemoryStore {
    return new MemoryStore({ content: this.mounted });
  }

  attack(kind: Attack, at: number, world: SyncWorld): void {
    const { mounted } = this;
    const sealed = world.sealed[at % Math.max(1, world.sealed.length)];
    const key = sealed?.manifest.key ?? 'none';
    const object = mounted.objects.get(key);
    this.#id = mounted.id ?? this.#id;
    switch (kind) {
      case 'keep a snapshot':
        this.#snapshots.push(copyOf(mounted, new MemoryStoreContent()));
        break;
      case 'restore a snapshot':
      case 'mount a copy': {
        const from = this.#snapshots[at % Math.max(1, this.#snapshots.length)];
        if (from) this.mounted = kind === 'mount a copy' ? from : copyOf(from, new MemoryStoreContent());
        break;
      }
      case 'mount another store':
        this.mounted = new MemoryStoreContent();
        this.mounted.id = String(at % 10).repeat(32);
        break;
      case 'unmount or mount':
        mounted.id = mounted.id === undefined ? this.#id : undefined;
        break;
      case 'lose an object':
        mounted.objects.delete(key);
        break;
      case 'lose a manifest':
        mounted.objects.delete(manifestKey(key));
        break;
      case 'cut an object short':
        if (object) mounted.objects.set(key, object.subarray(1));
        break;
      case 'put another object under the key':
        if (object) mounted.objects.set(key, Buffer.alloc(object.length, at));
        break;
      case 'forge a manifest':
        mounted.objects.set(manifestKey(key), Buffer.from('{}'));
        break;
      case 'forge the mark':
        for (const name of mounted.marks.keys()) mounted.marks.set(name, 'forged');
        break;
    }
  }
}

const isAttack = (kind: Attack | Deed): kind is Attack => (attacks as readonly string[]).includes(kind);

async function act(kind: Deed, at: number, world: SyncWorld, lying: LyingStore): Promise<void> {
  const options = { acceptNewStore: at % 2 === 0 };
  const check = async (work: Promise<readonly { name: string }[]>): Promise<void> => {
    const gone = new Set((await work).map(({ name }) => name));
    for (const sealed of world.sealed.filter(({ name }) => gone.has(name))) {
      assert.ok(holds(lying.mounted, sealed), `${sealed.name} went, and the store does not hold it`);
    }
  };
  switch (kind) {
    case 'seal':
      await world.seal(100 + at);
      break;
    case 'sync':
      await world.drain(lying.open(), { options }, AbortSignal.timeout(150));
      break;
    case 'remove receipts':
      await removeSyncState(world, 'receipts');
      break;
    case 'remove sync state':
      await removeSyncState(world, 'sync');
      break;
    case 'evict beside sync':
      await check(evictAll(world, { store: lying.open(), options }));
      break;
    case 'evict without sync':
      await check(evictAll(world));
      break;
    case 'drop the oldest':
      await check(evictAll(world, { whenFull: 'drop-oldest' }));
      break;
  }
}

describe('a store that lies, is swapped, copied and set back', function () {
  this.timeout(120_000);
  const runs = Number(process.env['HOLDFAST_LAST_COPY_RUNS'] ?? 12);

  it('never makes a local copy go that the store does not hold at that moment', async () => {
    const steps = fc.array(
      fc.tuple(fc.oneof(fc.constantFrom(...attacks), fc.constantFrom(...deeds)), fc.nat({ max: 30 })),
      {
        minLength: 4,
        maxLength: 14,
      },
    );
    const seed = process.env['HOLDFAST_SEED'];
    await fc.assert(
      fc.asyncProperty(steps, async (actions) => {
        await using world = await SyncWorld.create();
        const lying = new LyingStore();
        await world.seal(200);
        await world.seal(300);
        await world.drain(lying.open());
        for (const [kind, at] of actions) {
          if (isAttack(kind)) lying.attack(kind, at, world);
          else await act(kind, at, world, lying);
        }
        await act('evict beside sync', 0, world, lying);
        for (const sealed of await presentOf(world)) assert.ok(sealed.data.length > 0);
      }),
      { numRuns: runs, endOnFailure: true, seed: Number(seed ?? 7) },
    );
  });
});
