import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import type { Gap } from '../../src/core/gap.js';
import { present } from '../../src/core/present.js';
import { groupObjects, MAX_OPEN_OBJECTS } from '../../src/seal/object-groups.js';
import { objectName } from '../../src/core/object-name.js';
import { SealWorker } from '../../src/seal/seal-in-worker.js';
import { Spill } from '../../src/seal/spill.js';
import { makeFolders } from '../support/make-folders.js';
import { systemError } from '../wal/faulty-fs.js';
import { channel, temporaryFolder } from '../wal/wal-support.js';
import { readSealed, seal, sealRequest } from './seal-world.js';
import { wideSegment } from './wide-segment.js';

/** Far below the worker's usual heap, and just enough for its modules and what one channel needs. */
const SMALL_HEAP_MB = 64;

const refused = (count: number): Gap[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `gap-${i}`,
    reason: 'memory_limit',
    robot: 'crab',
    topic: `/refused/channel_${i}`,
    count: 2,
    bytes: 20,
    firstTime: 1_700_000_000_000_000_000n + BigInt(i),
    lastTime: 1_700_000_000_000_000_001n + BigInt(i),
    detail: 'too many channels',
  }));

describe('Sealing a segment of very many things', function () {
  this.timeout(120_000);
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
    await makeFolders(folder);
  });
  afterEach(() => realFs.rm(folder.root, { recursive: true, force: true }));

  it('needs no memory for each of 100,000 gaps: the first have records of their own, all are counted', async () => {
    const segment = await wideSegment(folder, [channel('/crab/odom')], 10, refused(100_000));
    await using worker = new SealWorker(SMALL_HEAP_MB);
    const { manifests } = await worker.seal(sealRequest(folder, segment));
    const { gaps, file, messages } = manifests[0]!;
    assert.equal(messages, segment.messages);
    assert.equal(gaps.length, 1001);
    assert.equal(
      gaps.reduce((sum, { count }) => sum + present(count), 0),
      200_000,
    );
    const several = present(gaps.at(-1));
    assert.equal(several.topic, undefined);
    assert.equal(several.lastTime, String(1_700_000_000_000_000_000n + 100_000n));
    assert.match(present(several.detail), /\/refused\/channel_1000, .* and more$/);
    const inside = await readSealed(join(folder.sealed, file.name));
    assert.deepEqual(inside.gaps, gaps);
  });

  it('needs no memory for each channel in each chunk', async () => {
    const channels = Array.from({ length: 20_000 }, (_, i) => channel(`/crab/topic_${i}`));
    const segment = await wideSegment(folder, channels, 20, []);
    await using worker = new SealWorker(SMALL_HEAP_MB * 1.5);
    const { manifests } = await worker.seal(sealRequest(folder, segment));
    assert.equal(manifests[0]!.messages, 400_000);
    assert.equal(manifests[0]!.channels.length, 20_000);
    assert.deepEqual(
      (await realFs.readdir(folder.sealed)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('keeps few files open, however many robots there are', async () => {
    const robots = Array.from({ length: 150 }, (_, i) => channel(`/r${i}/odom`, { robot: `r${i}` }));
    const segment = await wideSegment(folder, robots, 3, []);
    const counted = countingFs(MAX_OPEN_OBJECTS + 10);
    const { manifests } = await seal(folder, segment, {}, counted.fs);
    assert.equal(manifests.length, 150);
    assert.ok(manifests.every(({ messages }) => messages === 3));
    assert.ok(counted.most() > 10, `${counted.most()} files at once`);
    // And with next to none where it must be.
    for (const name of await realFs.readdir(folder.sealed)) await realFs.rm(join(folder.sealed, name));
    const sparing = countingFs(6);
    const again = await seal(folder, segment, { sparing: true }, sparing.fs);
    assert.deepEqual(
      again.manifests.map(({ file }) => file.sha256),
      manifests.map(({ file }) => file.sha256),
    );
  });

  it('writes as many objects at once as fit in memory', () => {
    const object = (bytes: number, records: number, channels = 1) => ({
      name: objectName('r', undefined),
      records,
      bytes,
      channels,
      firstLogTime: 0n,
      lastLogTime: 0n,
    });
    const sizes = (objects: ReturnType<typeof object>[], chunkBytes = 1 << 20): number[] =>
      groupObjects(objects, chunkBytes).map(({ length }) => length);
    assert.deepEqual(sizes([]), []);
    assert.deepEqual(sizes(Array.from({ length: 130 }, () => object(1000, 1))), [64, 64, 2]);
    assert.deepEqual(sizes(Array.from({ length: 40 }, () => object(1e9, 1))), [32, 8]);
    assert.deepEqual(sizes(Array.from({ length: 20 }, () => object(1e6, 1e6))), [16, 4]);
    assert.deepEqual(sizes([object(1e9, 1), object(1e9, 1)], 1 << 30), [1, 1]);
    assert.deepEqual(sizes(Array.from({ length: 7 }, () => object(1000, 1, 10_000))), [3, 3, 1]);
    assert.deepEqual(sizes([30_000, 30_000, 5_535].map((channels) => object(1000, 1, channels))), [1, 1, 1]);
  });

  for (const encrypts of [false, true]) {
    const form = encrypts ? ' encrypted' : '';
    it(`keeps what waits for the end of the file${form} on disk, and gives it back in order`, async () => {
      const path = join(folder.root, 'spill.tmp');
      const spill = new Spill({ fs: realFs, path, encrypts }, 100);
      const parts = Array.from({ length: 50 }, (_, i) => Buffer.alloc(30, i));
      for (const part of parts) await spill.add(part);
      const read: Uint8Array[] = [];
      for await (const bytes of spill.read()) read.push(bytes);
      assert.deepEqual(Buffer.concat(read), Buffer.concat(parts));
      assert.equal(spill.bytes, 1500);
      const file = await realFs.readFile(path);
      assert.ok(file.length > 1000);
      assert.equal(file.includes(parts[3] as Buffer), !encrypts);
      file[500]! ^= 1;
      await realFs.writeFile(path, file);
      const again = (async () => {
        for await (const _ of spill.read()) continue;
      })();
      await (encrypts ? assert.rejects(again, /has other bytes/) : again);
      await spill.remove();
      await assert.rejects(realFs.stat(path), { code: 'ENOENT' });
    });
  }
});

/** A disk that lets a process have only so many files open. */
function countingFs(limit: number): { readonly fs: FileSystem; readonly most: () => number } {
  let open = 0;
  let most = 0;
  const fs: FileSystem = {
    ...realFs,
    open: async (...args: Parameters<typeof realFs.open>) => {
      if (open >= limit) throw systemError('EMFILE');
      const handle = await realFs.open(...args);
      most = Math.max(most, ++open);
      const close = handle.close.bind(handle);
      handle.close = () => close().finally(() => open--);
      return handle;
    },
  };
  return { fs, most: () => most };
}
