import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { encodeManifest, manifestKey } from '../../src/core/manifest.js';
import { openLevelProgress, type OpenProgressDatabase } from '../../src/sync/progress-database.js';
import { SyncEngine } from '../../src/sync/sync-engine.js';
import { firstOf } from '../support/first-of.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, realClock, SyncWorld, type Sealed } from './sync-world.js';
import { eventually } from '../../src/testing/waiting.js';
import { RefusingFs } from '../faults/refusing-fs.js';

const exists = (path: string): Promise<boolean> =>
  fs.stat(path).then(
    () => true,
    () => false,
  );

describe('sync and a data folder in trouble', () => {
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const mcap = (sealed: Sealed): string => join(world.folder.sealed, `${sealed.name}.mcap`);

  /** Stops sync in the middle of the last sealed segment, after its second part. */
  async function interrupt(store: MemoryStore): Promise<void> {
    const stop = new AbortController();
    store.faults = (call, phase) => {
      if (call.method !== 'uploadPart' || call.partNumber !== 3 || phase !== 'before') return;
      stop.abort();
      throw new Error('cut off');
    };
    await world.drain(store, {}, stop.signal);
    store.faults = undefined;
    assert.equal(store.content.uploads.size, 1);
  }

  for (const [title, damage] of [
    ['one flipped byte', (data: Buffer) => data.fill(1 ^ (data[5000] ?? 0), 5000, 5001)],
    ['a missing byte', (data: Buffer) => data.subarray(1)],
    ['an added byte', (data: Buffer) => Buffer.concat([data, Buffer.of(0)])],
    ['no bytes', () => Buffer.alloc(0)],
  ] as const) {
    it(`parks a segment with ${title}, publishes nothing of it, and continues`, async () => {
      const rotten = await world.seal(10 * KIB);
      const small = await world.seal(6000, { data: Buffer.alloc(6000, 7) });
      await world.seal(2 * KIB);
      await fs.writeFile(mcap(rotten), damage(Buffer.from(rotten.data)));
      await fs.writeFile(mcap(small), damage(Buffer.from(small.data)));
      const store = new MemoryStore();
      const summary = await world.drain(store, { options: { partBytes: 8 * KIB } });
      assert.deepEqual(summary.segments, { verified: 1, parked: 2, pending: 0 });
      const [alarm] = firstOf(1, summary.alarms);
      assert.equal(alarm.code, 'SEGMENT_CORRUPT');
      assert.match(alarm.message, /expected/);
      await world.assertStoredOnce(store.content, [rotten, small]);
    });
  }

  it('parks what has a manifest that cannot be read, or that names another file', async () => {
    const [torn, other] = [await world.seal(10), await world.seal(11)];
    await fs.writeFile(join(world.folder.sealed, `${torn.name}.json`), '{');
    const renamed = { ...other.manifest, file: { ...other.manifest.file, name: 'x.mcap' } };
    await fs.writeFile(join(world.folder.sealed, `${other.name}.json`), encodeManifest(renamed));
    const store = new MemoryStore();
    const summary = await world.drain(store);
    assert.equal(summary.segments.parked, 2);
    assert.ok(summary.alarms.every(({ code }) => code === 'MANIFEST_INVALID'));
    assert.equal(store.content.objects.size, 0);
  });

  for (const [what, operation, path] of [
    ['the folder', 'readdir', /sealed$/],
    ['a manifest', 'readFile', /sealed\/.*\.json$/],
  ] as const) {
    it(`ends a drain if it is not allowed to read ${what} of another user, and names owner and remedy`, async () => {
      await world.seal(10);
      const disk = new RefusingFs();
      disk.refusal = { operation, path, code: 'EACCES' };
      const drained = world.drain(new MemoryStore(), { fs: disk.fs });
      await assert.rejects(drained, (error: unknown) => {
        assert.ok(isHoldfastError(error, 'DATA_FOLDER_UNUSABLE'));
        const owner = process.getuid?.() ?? 0;
        assert.ok(error.message.includes(world.folder.sealed));
        assert.match(
          error.message,
          new RegExp(`belongs to user ${owner} \\(mode 0[0-7]{3}\\), and sync runs as`),
        );
        return true;
      });
      disk.refusal = undefined;
      assert.equal((await world.drain(new MemoryStore(), { fs: disk.fs })).segments.verified, 1);
    });
  }

  it('sends what it can read before a drain ends for a manifest that it is not allowed to read', async () => {
    const closed = await world.seal(10);
    await world.seal(10);
    const disk = new RefusingFs();
    disk.refusal = { operation: 'readFile', path: new RegExp(`${closed.name}\\.json$`), code: 'EACCES' };
    const store = new MemoryStore();
    await assert.rejects(world.drain(store, { fs: disk.fs }), (error) =>
      isHoldfastError(error, 'DATA_FOLDER_UNUSABLE'),
    );
    const manifests = [...store.content.objects.keys()].filter((key) => key.endsWith('.json'));
    assert.equal(manifests.filter((key) => key.startsWith('robot=')).length, 1);
  });

  it('keeps trying to read a folder of another user without a drain, and shows it as an alarm', async () => {
    await world.seal(10);
    const disk = new RefusingFs();
    disk.refusal = { operation: 'readdir', path: /sealed$/, code: 'EACCES' };
    await using engine = await SyncEngine.open(world.ports(new MemoryStore(), { fs: disk.fs }));
    const stop = new AbortController();
    const running = engine.run(stop.signal);
    await eventually(() => engine.status().alarms.length > 0, 'the alarm');
    const [alarm] = firstOf(1, engine.status().alarms);
    assert.equal(alarm.code, 'DATA_FOLDER_UNUSABLE');
    assert.match(engine.status().lastError ?? '', /cannot be read: .* belongs to user/);
    disk.refusal = undefined;
    await eventually(() => engine.status().segments.verified === 1, 'the segment is verified');
    assert.deepEqual(engine.status().alarms, []);
    stop.abort();
    await running;
  });

  it('leaves unsealed files alone', async () => {
    await fs.writeFile(join(world.folder.sealed, 'half.r1.mcap'), 'x');
    await fs.writeFile(join(world.folder.sealed, 'half.r1.json.tmp'), 'x');
    const store = new MemoryStore();
    const summary = await world.drain(store);
    assert.equal(summary.complete, true);
    assert.equal(store.content.objects.size, 0);
  });

  it('sees a segment that is sealed while it runs', async () => {
    const store = new MemoryStore();
    const engine = await world.open(store);
    const stop = new AbortController();
    const run = engine.run(stop.signal);
    await eventually(() => engine.status().link === 'online');
    const sealed = await world.seal(10 * KIB);
    await eventually(() => engine.status().segments.verified === 1);
    const ofSegment = store.calls.filter(({ key }) => key === sealed.manifest.key);
    assert.equal(ofSegment[0]?.method, 'createUpload', 'nothing of it can be there, so nobody asks');
    stop.abort();
    await run;
    await engine.close();
    await world.assertStoredOnce(store.content);
  });

  it('aborts the upload of a segment that is evicted in mid-upload', async () => {
    const sealed = await world.seal(12 * KIB);
    const store = new MemoryStore();
    let release = (): void => undefined;
    const evicted = new Promise<void>((resolve) => (release = resolve));
    store.faults = (call, phase) =>
      call.method === 'uploadPart' && call.partNumber === 2 && phase === 'before' ? evicted : undefined;
    const engine = await world.open(store);
    const draining = engine.drain(AbortSignal.timeout(10_000));
    await eventually(() => store.calls.some(({ partNumber }) => partNumber === 2));
    await world.evict(sealed);
    await eventually(() => store.calls.some(({ method }) => method === 'abortUpload'));
    release();
    const summary = await draining;
    await engine.close();
    assert.equal(summary.complete, true);
    assert.equal(store.content.uploads.size, 0);
    assert.deepEqual([...store.content.objects.keys()], [manifestKey(sealed.manifest.key)]);
    assert.deepEqual(await fs.readdir(world.folder.tombstones), []);
  });

  describe('tombstones', () => {
    it('are written to the store in place of the manifest, and then removed', async () => {
      const sealed = await world.seal(10);
      await world.evict(sealed);
      const store = new MemoryStore();
      const summary = await world.drain(store);
      assert.equal(summary.tombstonesWaiting, 0);
      const told = store.content.objects.get(manifestKey(sealed.manifest.key));
      const manifest = JSON.parse(String(told)) as { evicted: { reason: string }; segment: { id: string } };
      assert.equal(manifest.evicted.reason, 'quota');
      assert.equal(manifest.segment.id, sealed.manifest.segment.id);
      assert.deepEqual(await fs.readdir(world.folder.tombstones), []);
    });

    it('change nothing if the segment is in the store', async () => {
      const sealed = await world.seal(10);
      const store = new MemoryStore();
      await world.drain(store);
      await world.evict(sealed);
      await world.drain(store);
      await world.assertStoredOnce(store.content);
      assert.deepEqual(await fs.readdir(world.folder.tombstones), []);
    });

    it('become the manifest if the whole object had arrived before the eviction', async () => {
      const sealed = await world.seal(10);
      await world.evict(sealed);
      const store = new MemoryStore();
      store.content.objects.set(sealed.manifest.key, sealed.data);
      await world.drain(store);
      assert.equal(
        String(store.content.objects.get(manifestKey(sealed.manifest.key))),
        encodeManifest(sealed.manifest),
      );
    });

    it('go to another key if the manifest of another segment is there', async () => {
      const [sealed, other] = [await world.seal(10), await world.seal(11)];
      await world.evict(sealed);
      const store = new MemoryStore();
      const key = manifestKey(sealed.manifest.key);
      store.content.objects.set(key, Buffer.from(encodeManifest(other.manifest)));
      await world.drain(store);
      assert.equal(String(store.content.objects.get(key)), encodeManifest(other.manifest));
      assert.ok(store.content.objects.has(key.replace('.json', '~1.json')));
    });

    it('wait for the store, over restarts', async () => {
      await world.evict(await world.seal(10));
      const store = new MemoryStore({ faults: () => Promise.reject(new Error('away')) });
      const engine = await world.open(store);
      const stop = new AbortController();
      const draining = engine.drain(stop.signal);
      await eventually(() => engine.status().link === 'offline');
      stop.abort();
      assert.equal((await draining).tombstonesWaiting, 1);
      await engine.close();
      store.faults = undefined;
      assert.equal((await world.drain(store)).tombstonesWaiting, 0);
      assert.equal(store.content.objects.size, 1);
    });

    it('that cannot be read raise an alarm and hold up nothing', async () => {
      await fs.mkdir(world.folder.tombstones);
      await fs.writeFile(join(world.folder.tombstones, 'broken.json'), '{');
      const summary = await world.drain(new MemoryStore());
      assert.equal(summary.complete, true);
      assert.equal(summary.alarms[0]?.code, 'MANIFEST_INVALID');
      assert.deepEqual(await fs.readdir(world.folder.tombstones), ['broken.json']);
    });
  });

  describe('progress', () => {
    it('continues in the middle of an upload after a restart', async () => {
      await world.seal(16 * KIB);
      const store = new MemoryStore();
      await interrupt(store);
      const before = store.content.receivedBytes;
      const summary = await world.drain(store);
      await world.assertStoredOnce(store.content);
      assert.equal(store.content.receivedBytes - before, 8 * KIB, 'the two parts that were missing');
      assert.equal(summary.resumedUploads, 1);
      assert.equal(summary.resentBytes, 4 * KIB, 'the part that had been begun');
    });

    it('finds the unfinished upload in the store when it was deleted', async () => {
      await world.seal(16 * KIB);
      const store = new MemoryStore();
      await interrupt(store);
      const before = store.content.receivedBytes;
      await fs.rm(world.folder.sync, { recursive: true });
      const summary = await world.drain(store, { options: { partBytes: 8 * KIB } });
      await world.assertStoredOnce(store.content);
      assert.equal(store.content.receivedBytes - before, 8 * KIB);
      assert.equal(summary.resumedUploads, 1);
    });

    for (const [title, damage] of [
      ['CURRENT holds nonsense', (path: string) => fs.writeFile(join(path, 'CURRENT'), 'nonsense')],
      ['its tables are gone', removeTables],
      ['it is a file', replaceByFile],
    ] as const) {
      it(`is moved aside and rebuilt when ${title}`, async () => {
        await world.seal(10 * KIB);
        await world.seal(2 * KIB);
        const store = new MemoryStore();
        await world.drain(store);
        const before = store.content.receivedBytes;
        await damage(world.folder.sync);
        const summary = await world.drain(store);
        assert.equal(store.content.receivedBytes, before);
        assert.equal(summary.segments.verified, 2);
        assert.equal(summary.unwrittenFiles, 0);
        const kept = await fs.readdir(world.folder.quarantine);
        assert.equal(kept.filter((name) => name.startsWith('sync-')).length, 1);
        await world.assertStoredOnce(store.content);
      });
    }

    it('writes a receipt again that went missing', async () => {
      const sealed = await world.seal(10);
      const store = new MemoryStore();
      await world.drain(store);
      await fs.rm(join(world.folder.receipts, `${sealed.name}.json`));
      await world.drain(store);
      await world.assertStoredOnce(store.content);
    });

    it('forgets segments that are evicted', async () => {
      const sealed = await world.seal(10);
      const store = new MemoryStore();
      await world.drain(store);
      await fs.rm(mcap(sealed));
      const summary = await world.drain(store);
      assert.equal(summary.segments.verified, 0);
    });
  });

  describe('a full or read-only disk', () => {
    const full = (): never => {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    };

    it('does not stop uploading; receipts and progress are written when it has room again', async () => {
      let isFull = true;
      const disk: FileSystem = {
        ...fs,
        open: async (path: string, flags?: string) =>
          isFull && flags === 'w' ? full() : fs.open(path, flags),
      } as FileSystem;
      const openProgress: OpenProgressDatabase = async (path) => {
        const database = await openLevelProgress(path);
        return {
          ...database,
          write: async (changes, sync) => (isFull ? full() : database.write(changes, sync)),
        };
      };
      const sealed = await world.seal(10 * KIB);
      await world.seal(2 * KIB);
      const store = new MemoryStore();
      const engine = await world.open(store, { fs: disk, openProgress });
      const stop = new AbortController();
      const draining = engine.run(stop.signal);
      await eventually(() => engine.status().segments.verified === 2);
      assert.match(engine.status().lastError ?? '', /ENOSPC/);
      assert.equal(await exists(join(world.folder.receipts, `${sealed.name}.json`)), false);
      isFull = false;
      await eventually(() => exists(join(world.folder.receipts, `${sealed.name}.json`)));
      stop.abort();
      await draining;
      await engine.close();
      await world.drain(store);
      await world.assertStoredOnce(store.content);
      assert.equal(store.content.receivedBytes, 12 * KIB);
    });

    it('is also no obstacle at the start: without lock, database and folders it uploads', async () => {
      await world.seal(10 * KIB);
      const readOnly = (): Promise<never> =>
        Promise.reject(Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' }));
      const disk: FileSystem = {
        ...fs,
        mkdir: readOnly,
        rename: readOnly,
        unlink: readOnly,
        open: (path: string, flags = 'r') => (flags === 'r' ? fs.open(path, flags) : readOnly()),
      } as unknown as FileSystem;
      const store = new MemoryStore();
      const summary = await world.drain(store, { fs: disk, openProgress: readOnly });
      assert.equal(summary.complete, true);
      assert.equal(summary.segments.verified, 1);
      assert.ok(summary.unwrittenFiles > 0);
      assert.equal(store.content.objects.size, 2);
    });
  });

  it('refuses a second sync on the same data folder, and the first one continues', async () => {
    await world.seal(10);
    const store = new MemoryStore();
    const first = await world.open(store);
    await assert.rejects(world.open(store), (error) => isHoldfastError(error, 'DATA_FOLDER_BUSY'));
    assert.equal((await first.drain(AbortSignal.timeout(5000))).segments.verified, 1);
    await first.close();
    await first.close();
    await (await world.open(store)).close();
  });

  it('refuses wrong options before it touches anything', async () => {
    const ports = world.ports(new MemoryStore());
    await assert.rejects(SyncEngine.open({ ...ports, options: { partBytes: -1 } }), (error) =>
      isHoldfastError(error, 'CONFIG_INVALID'),
    );
    assert.equal(await exists(world.folder.sync), false);
  });

  it('sweeps forgotten uploads of a robot of which only a tombstone is left', async () => {
    await world.evict(await world.seal(10));
    const store = new MemoryStore();
    await store.createUpload('robot=r1/date=2026-11-20/hour=08/old.mcap');
    await world.runUntil(store, () => store.content.uploads.size === 0);
  });

  it('sweeps forgotten uploads of its own robots, and leaves young and foreign ones', async () => {
    const sealed = await world.seal(10);
    const hour = 3_600_000_000_000n;
    const now = realClock.now();
    let startedAt = now - 30n * hour;
    const store = new MemoryStore({ now: () => startedAt });
    await store.createUpload('robot=r1/date=2026-11-20/hour=08/old.mcap');
    await store.createUpload('robot=other/date=2026-11-20/hour=08/old.mcap');
    startedAt = now - hour;
    await store.createUpload('robot=r1/date=2026-11-20/hour=08/young.mcap');
    await world.runUntil(
      store,
      (engine) => store.content.uploads.size === 2 && engine.status().segments.verified === 1,
    );
    const left = [...store.content.uploads.values()].map(({ key }) => key);
    assert.ok(left.every((key) => key.includes('young') || key.includes('robot=other')));
    assert.ok(store.content.objects.has(sealed.manifest.key));
  });
});

async function removeTables(path: string): Promise<void> {
  for (const name of await fs.readdir(path)) if (name.startsWith('MANIFEST')) await fs.rm(join(path, name));
}

async function replaceByFile(path: string): Promise<void> {
  await fs.rm(path, { recursive: true });
  await fs.writeFile(path, '');
}
