import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest, type Manifest } from '../../src/core/manifest.js';
import { defined } from '../../src/core/defined.js';
import { present } from '../../src/core/present.js';
import { readLimits } from '../../src/core/space-limits.js';
import { Retention } from '../../src/seal/retention.js';
import type { RetentionOptions } from '../../src/seal/retention-options.js';
import { EVICTED_FILE, RetentionRecords } from '../../src/seal/retention-records.js';
import { systemError } from '../wal/faulty-fs.js';
import { defaults, idOf, nameOf, TestDisk } from './retention-support.js';

const none: ReadonlySet<string> = new Set();
const enospc = (): never => {
  throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
};

describe('retention', () => {
  let disk: TestDisk;
  beforeEach(async () => (disk = await TestDisk.create(1_000_000)));
  afterEach(() => disk.remove());

  const open = (options: Partial<RetentionOptions> = {}, sealBytes?: () => number): Promise<Retention> =>
    Retention.open(disk.folder, { ...defaults, ...options }, { ...disk.ports(), ...defined({ sealBytes }) });
  const sealMany = async (count: number): Promise<Manifest[]> => {
    const manifests: Manifest[] = [];
    for (let number = 1; number <= count; number++) manifests.push(await disk.seal(number));
    return manifests;
  };
  const numbers = async (): Promise<number[]> =>
    (await disk.sealed()).filter((file) => file.endsWith('.mcap')).map((file) => Number(file.slice(0, 12)));

  it('evicts nothing while there is room', async () => {
    const manifests = await sealMany(3);
    for (const manifest of manifests) await disk.verify(manifest);
    const retention = await open({ minFreeBytes: 100_000 });
    const state = await retention.tick(none);
    assert.deepEqual(await numbers(), [1, 2, 3]);
    assert.deepEqual([state.full, state.admits, state.evictedSegments], [false, true, 0]);
    assert.equal(retention.index.segments, 3);
    const onDisk = await Promise.all(
      (await disk.sealed()).map(async (file) => (await fs.stat(join(disk.folder.sealed, file))).size),
    );
    assert.equal(
      retention.index.bytes,
      onDisk.reduce((sum, bytes) => sum + bytes, 0),
    );
  });

  it('evicts verified segments oldest first, without a tombstone, until the floor is kept', async () => {
    const manifests = await sealMany(8);
    for (const manifest of manifests.slice(2)) await disk.verify(manifest);
    const retention = await open({ minFreeBytes: 400_000 });
    const state = await retention.tick(none);
    assert.deepEqual(await numbers(), [1, 2, 6, 7, 8]);
    assert.deepEqual((await disk.sealed()).length, 10);
    assert.deepEqual(await disk.tombstones(), []);
    assert.deepEqual([state.full, state.evictedSegments, state.droppedSegments], [false, 3, 0]);
    assert.ok((await disk.free()) >= 400_000);
    assert.equal((await fs.readdir(disk.folder.receipts)).length, 6, 'receipts stay as the local record');
  });

  it('does not take a receipt about other bytes, or a damaged one, for a verification', async () => {
    const [first, second] = (await sealMany(8)) as [Manifest, Manifest];
    await disk.verify(first, '0'.repeat(64));
    await fs.writeFile(join(disk.folder.receipts, `${nameOf(second)}.json`), '{');
    const retention = await open({ minFreeBytes: 400_000 });
    assert.equal((await retention.tick(none)).full, true);
    assert.equal((await numbers()).length, 8);
  });

  it('stops when nothing verified is left under stop, and continues by itself when there is room', async () => {
    const manifests = await sealMany(8);
    const retention = await open({ minFreeBytes: 400_000 });
    const full = await retention.tick(none);
    assert.deepEqual([full.full, full.admits], [true, false]);
    assert.match(full.detail, /bytes of disk space are free, to be kept: 400000/);
    let resumed = false;
    const waiting = retention.room().then(() => (resumed = true));
    await retention.tick(none);
    assert.equal(resumed, false);
    for (const manifest of manifests.slice(0, 4)) await disk.verify(manifest);
    assert.equal((await retention.tick(none)).admits, true);
    await waiting;
    assert.deepEqual(await numbers(), [4, 5, 6, 7, 8]);
  });

  it('allows the end of a recording to use the space below the floor', async () => {
    await sealMany(8);
    const retention = await open({ minFreeBytes: 400_000 });
    await retention.tick(none);
    const end = new AbortController();
    const waiting = retention.room(end.signal);
    end.abort();
    await waiting;
  });

  it('evicts the oldest under drop-oldest, each with a tombstone that counts it', async () => {
    await sealMany(8);
    const retention = await open({ minFreeBytes: 400_000, whenFull: 'drop-oldest' });
    const state = await retention.tick(none);
    assert.deepEqual(await numbers(), [4, 5, 6, 7, 8]);
    assert.deepEqual([state.full, state.droppedSegments, state.droppedMessages], [false, 3, 60]);
    const names = await disk.tombstones();
    assert.deepEqual(
      names.map((name) => Number(name.slice(0, 12))),
      [1, 2, 3],
    );
    const text = await fs.readFile(join(disk.folder.tombstones, names[1] as string), 'utf8');
    const tombstone = decodeManifest(text, 'tombstone');
    assert.match(tombstone.evicted?.reason ?? '', /^drop-oldest: free disk space is short$/);
    assert.equal(tombstone.messages, 20);
    assert.deepEqual(
      tombstone.gaps.map(({ reason, count, robot }) => ({ reason, count, robot })),
      [{ reason: 'evicted', count: 20, robot: 'r1' }],
    );
  });

  it('leaves the space that sealing needs under drop-oldest: only a sealed segment can be evicted', async () => {
    let sealBytes = 0;
    const retention = await open({ minFreeBytes: 0, whenFull: 'drop-oldest' }, () => sealBytes);
    assert.equal((await retention.tick(none)).admits, true);
    disk.others = 800_000;
    sealBytes = 150_000;
    await retention.tick(none);
    assert.equal(retention.mayPassLimit(40_000), false);
    assert.equal(retention.mayPassLimit(60_000), true);
    disk.others = 900_000;
    const { full, admits, detail } = await retention.tick(none);
    assert.deepEqual([full, admits], [true, false]);
    assert.match(detail, /to be kept: 150000/);
    const resumed = retention.room();
    sealBytes = 0;
    await retention.tick(none);
    await resumed;
  });

  it('lets exports go, the oldest first, before a segment that no store has, and before it stops', async () => {
    await sealMany(4);
    for (const name of ['2026-01-01-mcap', '2026-01-02-mcap', '2026-01-03-mcap']) {
      await fs.mkdir(join(disk.folder.exports, name), { recursive: true });
      await fs.writeFile(join(disk.folder.exports, name, 'copy.mcap'), Buffer.alloc(100_000));
    }
    for (const whenFull of ['drop-oldest', 'stop'] as const) {
      const retention = await open({ minFreeBytes: whenFull === 'stop' ? 490_000 : 390_000, whenFull });
      const state = await retention.tick(none);
      assert.deepEqual([state.full, state.droppedSegments], [false, 0]);
      assert.deepEqual(await numbers(), [1, 2, 3, 4]);
    }
    assert.deepEqual(await fs.readdir(disk.folder.exports), ['2026-01-03-mcap']);
  });

  it('publishes its limits for writers of copies, and counts exports in the quota', async () => {
    await sealMany(1);
    await fs.mkdir(join(disk.folder.exports, 'one'), { recursive: true });
    await fs.writeFile(join(disk.folder.exports, 'one', 'copy.mcap'), Buffer.alloc(300_000));
    const retention = await open({ minFreeBytes: 1000, maxBytes: 350_000, whenFull: 'drop-oldest' });
    const { droppedSegments } = await retention.tick(none);
    assert.equal(droppedSegments, 0);
    assert.deepEqual(await fs.readdir(disk.folder.exports), []);
    const { minFreeBytes, maxBytes } = present(await readLimits(fs, disk.folder.root));
    assert.deepEqual([minFreeBytes, maxBytes], [1000, 350_000]);
  });

  it('evicts the lowest class first under drop-lowest', async () => {
    for (let number = 1; number <= 8; number++) {
      await disk.seal(number, number % 2 === 0 ? { priority: 'low' } : { priority: 'high' });
    }
    const retention = await open({ minFreeBytes: 400_000, whenFull: 'drop-lowest' });
    await retention.tick(none);
    assert.deepEqual(await numbers(), [1, 3, 5, 7, 8]);
  });

  it('leaves segments alone that still have their WAL folder, or were salvaged from one', async () => {
    await sealMany(6);
    await disk.seal(7, { salvagedFrom: idOf(99) });
    const retention = await open({ minFreeBytes: 1_000_000, minFreePercent: 90, whenFull: 'drop-oldest' });
    await retention.tick(new Set([idOf(2), idOf(99)]));
    assert.deepEqual(await numbers(), [2, 7]);
  });

  it('keeps the data folder within its quota, for any free space on the disk', async () => {
    disk.capacity = 1e9;
    await sealMany(8);
    await fs.writeFile(join(disk.folder.wal, 'open'), Buffer.alloc(150_000));
    const retention = await open({ maxBytes: 600_000, whenFull: 'drop-oldest', segmentMaxBytes: 100_000 });
    const state = await retention.tick(none);
    const used = 1e9 - (await disk.free());
    assert.ok(used <= 600_000, `${used} bytes`);
    assert.ok(state.droppedSegments <= 6, `${state.droppedSegments} segments evicted`);
    assert.equal(state.full, false);
  });

  it('reports the quota, and not free disk space, if the quota is reached', async () => {
    disk.capacity = 1e9;
    await sealMany(8);
    const retention = await open({ maxBytes: 300_000, whenFull: 'stop', segmentMaxBytes: 100_000 });
    const { admits, detail } = await retention.tick(none);
    assert.equal(admits, false);
    assert.match(
      detail,
      /^the data folder holds \d+ bytes, \d+ too many for its quota of 300000 \(retention\.max_bytes\)$/,
    );
  });

  it('is looked at before the first commit under stop, and only once if that cannot be done', async () => {
    await sealMany(8);
    const stop = { maxBytes: 300_000, whenFull: 'stop', segmentMaxBytes: 100_000 } as const;
    const retention = await open(stop);
    assert.equal(retention.mayPassLimit(1), true);
    await retention.tick(none);
    assert.deepEqual([retention.mayPassLimit(1), retention.state.admits], [false, false]);
    const blind = await open(stop);
    disk.before = (operation) => {
      if (operation === 'statfs') throw systemError('EIO');
    };
    await blind.tick(none);
    assert.deepEqual([blind.mayPassLimit(1), blind.state.admits], [false, true]);
    disk.before = () => undefined;
    const dropping = await open({ ...stop, whenFull: 'drop-oldest' });
    assert.equal(dropping.mayPassLimit(1), false);
  });

  it('releases the ballast for the quota before data without another copy', async () => {
    disk.capacity = 1e12;
    const retention = await open({
      maxBytes: 6_000_000,
      ballastBytes: 4 * 1024 * 1024,
      segmentMaxBytes: 100,
    });
    await retention.tick(none);
    assert.equal(retention.ballastBytes, 4 * 1024 * 1024);
    retention.add([await disk.seal(1, { bytes: 2_000_000 })]);
    const state = await retention.tick(none);
    assert.deepEqual([state.full, retention.ballastBytes], [false, 0]);
    assert.deepEqual(await numbers(), [1]);
  });

  it('includes segments sealed meanwhile, in the order of their age', async () => {
    const retention = await open({ minFreeBytes: 400_000, whenFull: 'drop-oldest' });
    await retention.tick(none);
    const manifests: Manifest[] = [];
    for (const number of [3, 4, 5, 6, 7, 8, 1, 2]) manifests.push(await disk.seal(number));
    retention.add(manifests);
    retention.add(manifests);
    assert.equal(retention.index.segments, 8);
    await retention.tick(none);
    assert.deepEqual(await numbers(), [4, 5, 6, 7, 8]);
    assert.equal(retention.index.segments, 5);
  });

  it('holds commits from the moment a write found the disk full until it has seen to it', async () => {
    await sealMany(8);
    const retention = await open({ whenFull: 'drop-oldest', segmentMaxBytes: 50_000 });
    await retention.tick(none);
    assert.equal(retention.state.admits, true);
    disk.others = await disk.free();
    retention.onDiskFull();
    assert.equal(retention.state.admits, false);
    const state = await retention.tick(none);
    assert.deepEqual([state.full, state.admits, state.droppedSegments], [false, true, 1]);
  });

  it('after a full disk, makes room for the ballast again before recording continues', async () => {
    disk.capacity = 100_000_000;
    const ballastBytes = 4 * 1024 * 1024;
    const retention = await open({ ballastBytes, segmentMaxBytes: 1000 });
    await retention.tick(none);
    assert.equal(retention.ballastBytes, ballastBytes);
    disk.others = await disk.free();
    retention.onDiskFull();
    const full = await retention.tick(none);
    assert.deepEqual([full.full, full.admits, retention.ballastBytes], [true, false, 0]);
    disk.clock.pass(3_600_000);
    disk.others -= 2_000_000;
    assert.equal((await retention.tick(none)).admits, false, 'it would be released again at once');
    disk.others -= 2_000_000;
    assert.equal((await retention.tick(none)).admits, true);
    await retention.tick(none);
    assert.equal(retention.ballastBytes, ballastBytes);
  });

  it('leaves what cannot be evicted and continues with the next', async () => {
    await sealMany(8);
    disk.before = (operation, path) => {
      if (operation === 'rename' && path.includes(idOf(1)))
        throw Object.assign(new Error('x'), { code: 'EPERM' });
    };
    const retention = await open({ minFreeBytes: 400_000, whenFull: 'drop-oldest' });
    const state = await retention.tick(none);
    assert.equal(state.full, false);
    assert.deepEqual(await numbers(), [1, 5, 6, 7, 8]);
  });

  it('never rejects and never holds recording up when it cannot look at the disk', async () => {
    const retention = await open({ minFreeBytes: 400_000 });
    disk.before = (operation) => {
      if (operation === 'statfs') throw Object.assign(new Error('x'), { code: 'EIO' });
    };
    retention.onDiskFull();
    assert.equal((await retention.tick(none)).admits, true);
  });

  it('makes room on a disk without a byte for the tombstone', async () => {
    await sealMany(8);
    disk.others = await disk.free();
    disk.before = (operation, path) => {
      if (operation === 'open' && path.endsWith('.json.tmp') && full) enospc();
      if (operation === 'rm' && path.endsWith('.mcap')) full = false;
    };
    let full = true;
    const retention = await open({ minFreeBytes: 50_000, whenFull: 'drop-oldest' });
    const state = await retention.tick(none);
    assert.deepEqual([state.full, state.droppedSegments], [false, 1]);
    assert.equal((await disk.tombstones()).length, 1);
  });

  it('finishes evictions later that the disk interrupted', async () => {
    await sealMany(8);
    disk.before = (operation, path) => {
      if (operation === 'open' && path.includes('tombstones')) enospc();
    };
    const retention = await open({ minFreeBytes: 400_000, whenFull: 'drop-oldest' });
    assert.equal((await retention.tick(none)).droppedSegments, 0);
    assert.equal(retention.index.segments, 5);
    disk.before = () => undefined;
    assert.equal((await retention.tick(none)).droppedSegments, 3);
    assert.equal((await disk.tombstones()).length, 3);
    assert.deepEqual((await disk.sealed()).length, 10);
  });

  it('finishes such an eviction also if later ones of the same pass succeeded', async () => {
    await sealMany(8);
    let isRefused = false;
    disk.before = (operation, path) => {
      if (operation !== 'open' || !path.includes('tombstones') || isRefused) return;
      isRefused = true;
      // Another program takes what was freed, so the pass continues.
      disk.others += 150_000;
      enospc();
    };
    const retention = await open({ minFreeBytes: 400_000, whenFull: 'drop-oldest' });
    const { droppedSegments } = await retention.tick(none);
    assert.ok(droppedSegments > 2, 'a second round followed');
    assert.equal((await retention.tick(none)).droppedSegments, droppedSegments + 1);
    assert.equal((await disk.tombstones()).length, droppedSegments + 1);
    assert.ok(!(await disk.sealed()).some((name) => name.endsWith('.evicted')));
  });

  it('removes what interrupted seals left behind', async () => {
    await fs.writeFile(join(disk.folder.sealed, `${idOf(1)}.r1.mcap.tmp`), 'x');
    await open();
    assert.deepEqual(await disk.sealed(), []);
  });

  it('keeps the newest receipts of evicted segments, and those of present ones', async () => {
    const manifests = await sealMany(5);
    for (const manifest of manifests) await disk.verify(manifest);
    for (const { file } of manifests.slice(1, 4)) await fs.rm(join(disk.folder.sealed, file.name));
    const here = new Set([manifests[0], manifests[4]].map((manifest) => nameOf(manifest as Manifest)));
    const records = new RetentionRecords({ ...disk.ports(), folder: disk.folder }, (name) => here.has(name), {
      receipts: 2,
      tombstones: 10,
    });
    await records.prune();
    const left = (await fs.readdir(disk.folder.receipts)).sort().map((name) => Number(name.slice(0, 12)));
    assert.deepEqual(left, [1, 3, 4, 5]);
  });

  it('counts the oldest tombstones together when sync fetches none, each once, also over a crash', async () => {
    await sealMany(8);
    const retention = await open({ minFreeBytes: 1_000_000, minFreePercent: 90, whenFull: 'drop-oldest' });
    await retention.tick(none);
    assert.equal((await disk.tombstones()).length, 8);
    const records = new RetentionRecords({ ...disk.ports(), folder: disk.folder }, () => false, {
      receipts: 2,
      tombstones: 3,
    });
    let removals = 0;
    disk.before = (operation) => {
      if (operation === 'rm' && ++removals > 2) throw new Error('crash');
    };
    await assert.rejects(records.prune(), /crash/);
    disk.before = () => undefined;
    for (let i = 0; i < 3; i++) await records.prune();
    assert.deepEqual(
      (await disk.tombstones()).map((name) => Number(name.slice(0, 12))),
      [6, 7, 8],
    );
    const evicted = await fs.readFile(join(disk.folder.root, EVICTED_FILE), 'utf8');
    const totals = JSON.parse(evicted) as { robots: unknown };
    assert.deepEqual(totals.robots, { r1: { segments: 5, messages: 150, bytes: 500_000 } });
  });
});
