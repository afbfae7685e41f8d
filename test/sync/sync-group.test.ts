import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../src/core/errors.js';
import { manifestKey } from '../../src/core/manifest.js';
import type { RequiredSink } from '../../src/core/sink.js';
import { MemoryStore, MemoryStoreContent, type FaultScript } from '../support/memory-store.js';
import { DyingProcess, noLock } from './crash-disk.js';
import { drainGroup, evictsAsVerified, openGroup, sinkOf } from './group-world.js';
import { KIB, realClock, SyncWorld, type Sealed } from './sync-world.js';
import { eventually } from '../../src/testing/waiting.js';

const offline: FaultScript = (call, phase) => {
  if (phase === 'before') throw new HoldfastError('STORE_OFFLINE', `no ${call.method} here`);
};
const denied: FaultScript = (call, phase) => {
  if (phase === 'before' && call.method === 'put') throw new HoldfastError('STORE_ACCESS_DENIED', 'no');
};

function keysOf(sealed: readonly Sealed[]): string[] {
  return sealed.flatMap(({ manifest: { key } }) => [key, manifestKey(key)]).sort();
}

describe('sync to several sinks', () => {
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const required = async (): Promise<RequiredSink[]> => {
    const text = await fs.readFile(join(world.folder.root, 'sinks.json'), 'utf8');
    return (JSON.parse(text) as { required: RequiredSink[] }).required;
  };

  it('brings every segment to each, with a receipt of each in one file', async () => {
    for (let i = 0; i < 20; i++) await world.seal(100 + i);
    const large = await world.seal(20 * KIB);
    const [a, b] = [new MemoryStore({ uri: 'memory:a' }), new MemoryStore({ uri: 'memory:b' })];
    const summary = await drainGroup(world, [sinkOf(a), sinkOf(b)]);
    assert.equal(summary.complete, true);
    assert.deepEqual(
      summary.sinks.map(({ name, segments }) => [name, segments.verified]),
      [
        ['memory:a', 21],
        ['memory:b', 21],
      ],
    );
    for (const store of [a, b]) {
      assert.deepEqual([...store.content.objects.keys()].sort(), keysOf(world.sealed));
      assert.deepEqual(store.content.objects.get(large.manifest.key), large.data);
    }
    for (const sealed of world.sealed) {
      const { stores } = await world.receipt(sealed);
      assert.deepEqual(stores.map(({ uri }) => uri).sort(), ['memory:a', 'memory:b']);
    }
    assert.deepEqual(
      (await required()).map(({ uri, storeId }) => [uri, storeId]),
      [
        ['memory:a', a.content.id],
        ['memory:b', b.content.id],
      ],
    );
  });

  it('keeps a segment until every required sink has it, whichever is late, while the others continue', async () => {
    const sealed = await world.seal(100);
    const fine = new MemoryStore({ uri: 'memory:fine' });
    const dead = new MemoryStore({ uri: 'memory:dead', faults: denied });
    await using group = await openGroup(world, [sinkOf(dead), sinkOf(fine)]);
    const end = new AbortController();
    const run = group.run(end.signal);
    await eventually(() => group.status().sinks?.[1]?.segments.verified === 1);
    const later = await world.seal(200);
    await eventually(() => group.status().sinks?.[1]?.segments.verified === 2);
    const status = group.status();
    assert.equal(status.segments.verified, 0, 'verified means: by all that are required');
    assert.equal(status.segments.pending, 2);
    // It answers probes and refuses work: the link comes and goes.
    await eventually(() => group.status().link === 'offline' && group.status().alarms.length > 0);
    assert.equal(await evictsAsVerified(world, sealed), false);
    dead.faults = undefined;
    group.syncNow();
    await eventually(() => group.status().segments.verified === 2);
    end.abort();
    await run;
    assert.equal(await evictsAsVerified(world, sealed), true);
    assert.equal(await evictsAsVerified(world, later), true);
  });

  it('evicts a segment although an optional sink lags, and ends a drain without that sink', async () => {
    const sealed = await world.seal(100);
    const fine = new MemoryStore({ uri: 'memory:fine' });
    const dead = new MemoryStore({ uri: 'memory:dead', faults: offline });
    const summary = await drainGroup(world, [sinkOf(fine), sinkOf(dead, { required: false })]);
    assert.equal(summary.complete, true);
    assert.equal(summary.sinks[1]?.complete, false);
    assert.equal(await evictsAsVerified(world, sealed), true);
  });

  it('waits in a drain for a sink that is not required as long as its link is alive', async () => {
    await world.seal(100);
    const slow: FaultScript = (call, phase) =>
      call.method === 'put' && phase === 'before' ? realClock.sleep(100) : undefined;
    const stores = [new MemoryStore({ uri: 'memory:a' }), new MemoryStore({ uri: 'memory:b', faults: slow })];
    const [a, b] = stores as [MemoryStore, MemoryStore];
    await drainGroup(world, [sinkOf(a), sinkOf(b, { required: false })]);
    assert.deepEqual([...b.content.objects.keys()].sort(), keysOf(world.sealed));
  });

  it('sends a tier only the robots and priority classes it takes, and asks it for nothing else', async () => {
    const wanted = await world.seal(100, { robot: 'car', priority: 'high' });
    const others = [await world.seal(101, { robot: 'car' }), await world.seal(102, { robot: 'drone' })];
    const all = new MemoryStore({ uri: 'memory:all' });
    const tier = new MemoryStore({ uri: 'memory:tier' });
    const selection = { robots: ['c*'], priorities: ['high'] as const };
    await drainGroup(world, [sinkOf(all), sinkOf(tier, { selection })]);
    assert.deepEqual([...tier.content.objects.keys()].sort(), keysOf([wanted]));
    assert.deepEqual([...all.content.objects.keys()].sort(), keysOf(world.sealed));
    for (const sealed of [wanted, ...others]) assert.equal(await evictsAsVerified(world, sealed), true);
  });

  it('counts nothing as verified that no store has whole', async () => {
    const sealed = await world.seal(100, { robot: 'drone' });
    const tier = new MemoryStore({ uri: 'memory:tier' });
    await drainGroup(world, [sinkOf(tier, { selection: { robots: ['car'] } })]);
    assert.equal(await evictsAsVerified(world, sealed), false);
  });

  it('keeps local copies for a sink that is new or newly required, and no longer for one that was removed', async () => {
    const [one, two] = [await world.seal(100), await world.seal(101)];
    const a = new MemoryStore({ uri: 'memory:a' });
    const b = new MemoryStore({ uri: 'memory:b', faults: offline });
    await drainGroup(world, [sinkOf(a)]);
    const end = AbortSignal.abort();
    await drainGroup(world, [sinkOf(a), sinkOf(b)], {}, end);
    assert.equal(await evictsAsVerified(world, one), false, 'b is new');
    await drainGroup(world, [sinkOf(a), sinkOf(b, { required: false })], {}, end);
    assert.equal(await evictsAsVerified(world, one), true, 'b need not');
    await drainGroup(world, [sinkOf(a), sinkOf(b)], {}, end);
    assert.equal(await evictsAsVerified(world, two), false, 'b is required now');
    await drainGroup(world, [sinkOf(a)], {}, end);
    assert.equal(await evictsAsVerified(world, two), true, 'b is gone');
  });

  it('knows a data folder of one store and of before there were sinks: sends nothing again', async () => {
    const sealed = await world.seal(100);
    const a = new MemoryStore({ uri: 'memory:a' });
    await world.drain(a);
    assert.deepEqual(
      await fs.readdir(world.folder.root).then((names) => names.includes('sinks.json')),
      false,
    );
    const before = a.content.receivedBytes;
    const b = new MemoryStore({ uri: 'memory:b' });
    await drainGroup(world, [sinkOf(a), sinkOf(b)]);
    assert.equal(a.content.receivedBytes, before);
    assert.equal(await evictsAsVerified(world, sealed), true);
  });

  it('trusts no list of sinks that is damaged: nothing counts as verified until sync wrote it again', async () => {
    const sealed = await world.seal(100);
    const a = new MemoryStore({ uri: 'memory:a' });
    await drainGroup(world, [sinkOf(a)]);
    await fs.writeFile(join(world.folder.root, 'sinks.json'), '{"version":1,"req');
    assert.equal(await evictsAsVerified(world, sealed), false);
    await drainGroup(world, [sinkOf(a)]);
    assert.equal(await evictsAsVerified(world, sealed), true);
  });

  it("writes a sink's receipt again where only another's is left", async () => {
    const sealed = await world.seal(100);
    const [a, b] = [new MemoryStore({ uri: 'memory:a' }), new MemoryStore({ uri: 'memory:b' })];
    await drainGroup(world, [sinkOf(a), sinkOf(b)]);
    const path = join(world.folder.receipts, `${sealed.name}.json`);
    const receipt = await world.receipt(sealed);
    const left = { ...receipt, stores: receipt.stores.filter(({ uri }) => uri === 'memory:a') };
    await fs.writeFile(path, JSON.stringify(left));
    await drainGroup(world, [sinkOf(a), sinkOf(b)]);
    assert.equal((await world.receipt(sealed)).stores.length, 2);
  });

  it('reports an evicted segment to every required store, then removes the tombstone', async () => {
    const sealed = await world.seal(100);
    await world.evict(sealed);
    const a = new MemoryStore({ uri: 'memory:a' });
    const b = new MemoryStore({ uri: 'memory:b', faults: offline });
    await using group = await openGroup(world, [sinkOf(a), sinkOf(b)]);
    const end = new AbortController();
    const run = group.run(end.signal);
    const told = (store: MemoryStore): boolean => store.content.objects.has(manifestKey(sealed.manifest.key));
    await eventually(() => told(a));
    const asked = b.calls.length;
    await eventually(() => b.calls.length > asked + 2, 'b is asked again');
    assert.equal((await fs.readdir(world.folder.tombstones)).length, 1, 'b does not know it yet');
    b.faults = undefined;
    group.syncNow();
    await eventually(async () => (await fs.readdir(world.folder.tombstones)).length === 0);
    assert.ok(told(b));
    end.abort();
    await run;
  });

  it('is one sync for the data folder: a second is refused while it runs, and let in afterwards', async () => {
    const store = new MemoryStore();
    const group = await openGroup(world, [sinkOf(store), sinkOf(new MemoryStore({ uri: 'memory:b' }))]);
    await assert.rejects(openGroup(world, [sinkOf(store)]), { code: 'DATA_FOLDER_BUSY' });
    await group.close();
    await (await openGroup(world, [sinkOf(store)])).close();
  });
});

describe('sync to two sinks killed at every third step', function () {
  this.timeout(120_000);

  const live = async (
    world: SyncWorld,
    contents: readonly [MemoryStoreContent, MemoryStoreContent],
    progress: Map<string, string>,
    life: DyingProcess,
  ): Promise<boolean> => {
    const [a, b] = contents.map(
      (content, index) => new MemoryStore({ content, faults: life.faults, uri: `memory:${index}` }),
    ) as [MemoryStore, MemoryStore];
    const ports = {
      fs: life.fs,
      clock: life.clock,
      openProgress: life.progress(progress),
      acquireLock: noLock,
    };
    const done = drainGroup(world, [sinkOf(a), sinkOf(b)], ports, life.signal);
    return (await life.outcomeOf(done)) !== undefined;
  };

  it('has each segment once in each, and both receipts', async () => {
    const seal = async (): Promise<SyncWorld> => {
      const world = await SyncWorld.create();
      for (const bytes of [9 * KIB, 2 * KIB]) await world.seal(bytes);
      return world;
    };
    const whole = new DyingProcess();
    await using first = await seal();
    assert.ok(await live(first, [new MemoryStoreContent(), new MemoryStoreContent()], new Map(), whole));
    for (let at = 0; at < whole.steps.length; at += 3) {
      await using world = await seal();
      const contents = [new MemoryStoreContent(), new MemoryStoreContent()] as const;
      const progress = new Map<string, string>();
      await live(world, contents, progress, new DyingProcess(at));
      const where = `killed at step ${at} of ${whole.steps.length}, ${whole.steps[at]}`;
      assert.ok(await live(world, contents, progress, new DyingProcess()), where);
      for (const content of contents) {
        assert.deepEqual([...content.objects.keys()].sort(), keysOf(world.sealed), where);
        for (const { manifest, data } of world.sealed) {
          assert.deepEqual(content.objects.get(manifest.key), data, where);
        }
        assert.equal(content.uploads.size, 0, where);
      }
      for (const sealed of world.sealed) {
        assert.equal((await world.receipt(sealed)).stores.length, 2, where);
        assert.ok(await evictsAsVerified(world, sealed), where);
      }
    }
  });
});
