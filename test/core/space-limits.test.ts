import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { keepingRoom, roomForCopies, writeLimits } from '../../src/core/space-limits.js';

const MIB = 1024 * 1024;

describe('room for copies', () => {
  let root: string;
  let freeBytes: number;
  const disk = new Proxy(fs, {
    get: (target, name) =>
      (name === 'statfs'
        ? () => Promise.resolve({ bsize: 1, blocks: 1000 * MIB, bavail: freeBytes })
        : Reflect.get(target, name)) as unknown,
  }) as unknown as FileSystem;
  const limits = { minFreeBytes: 100 * MIB, minFreePercent: 50, maxBytes: 0, slackBytes: 10 * MIB };

  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-room-'));
    await fs.mkdir(join(root, 'exports'));
    freeBytes = 500 * MIB;
  });
  afterEach(() => fs.rm(root, { recursive: true, force: true }));

  const write = async (path: string, bytes: number, folders: string[] = []): Promise<void> => {
    const handle = await keepingRoom(disk, folders).open(path, 'w');
    try {
      for (let left = bytes; left > 0; left -= MIB) await handle.write(Buffer.alloc(Math.min(left, MIB)));
    } finally {
      await handle.close();
    }
  };
  const isFull = (error: unknown): boolean => isHoldfastError(error, 'DISK_FULL');

  it('ends at the floor and the slack of the recording, whatever fills the disk', async () => {
    await writeLimits(fs, root, limits);
    await write(join(root, 'exports', 'a'), 8 * MIB);
    freeBytes = 110.5 * MIB;
    await assert.rejects(write(join(root, 'exports', 'b'), 8 * MIB), isFull);
    assert.ok((await fs.stat(join(root, 'exports', 'b'))).size < MIB);
    assert.equal(await roomForCopies(disk, root), MIB / 2);
  });

  it('ends two steps before the quota of the data folder, with other copies counted', async () => {
    await writeLimits(fs, root, { ...limits, maxBytes: 40 * MIB, slackBytes: 5 * MIB });
    await write(join(root, 'exports', 'a'), 20 * MIB);
    await assert.rejects(write(join(root, 'exports', 'b'), 20 * MIB), isFull);
    assert.ok((await fs.stat(join(root, 'exports', 'b'))).size <= 10 * MIB);
  });

  it('also limits writers elsewhere on the disk of the data folder that is read', async () => {
    await writeLimits(fs, root, limits);
    const elsewhere = await fs.mkdtemp(join(tmpdir(), 'holdfast-elsewhere-'));
    freeBytes = 100 * MIB;
    await assert.rejects(write(join(elsewhere, 'a'), MIB, [root]), isFull);
    await write(join(elsewhere, 'b'), MIB);
    await fs.rm(elsewhere, { recursive: true });
  });

  it('does not limit reading, and does not apply without a recorder’s limits', async () => {
    freeBytes = 0;
    await write(join(root, 'exports', 'a'), MIB);
    await writeLimits(fs, root, limits);
    await using handle = await keepingRoom(disk).open(join(root, 'exports', 'a'), 'r');
    assert.equal((await handle.stat()).size, MIB);
    assert.equal((await handle.readFile()).length, MIB);
  });
});
