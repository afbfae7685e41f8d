import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/logger.js';
import { BALLAST_FILE, Ballast, releaseBallast } from '../../src/seal/ballast.js';
import { TestDisk } from './retention-support.js';

const MIB = 1024 * 1024;

describe('the ballast', () => {
  let disk: TestDisk;
  beforeEach(async () => (disk = await TestDisk.create(1000 * MIB)));
  afterEach(() => disk.remove());

  const open = (bytes: number): Promise<Ballast> =>
    Ballast.open(disk.folder, bytes, { fs: disk.fs, random: randomBytes, logger: silentLogger });
  const onDisk = async (): Promise<number> => {
    const { size, blocks } = await fs.stat(join(disk.folder.root, BALLAST_FILE));
    return Math.min(size, blocks * 512);
  };

  it('grows in steps, only into the room it is given, with bytes that take space', async () => {
    const ballast = await open(10 * MIB);
    await ballast.grow(3 * MIB);
    assert.equal(ballast.bytes, 0);
    await ballast.grow(100 * MIB);
    assert.equal(ballast.bytes, 4 * MIB);
    await ballast.grow(100 * MIB);
    await ballast.grow(100 * MIB);
    await ballast.grow(100 * MIB);
    assert.equal(ballast.bytes, 10 * MIB);
    assert.equal(await onDisk(), 10 * MIB);
  });

  it('gives its space back at once, and knows that it is owed', async () => {
    const ballast = await open(4 * MIB);
    await ballast.grow(100 * MIB);
    await ballast.release(true);
    await assert.rejects(onDisk(), { code: 'ENOENT' });
    assert.deepEqual([ballast.bytes, ballast.owedBytes], [0, 4 * MIB]);
    await ballast.grow(100 * MIB);
    assert.deepEqual([ballast.bytes, ballast.owedBytes], [4 * MIB, 0]);
  });

  it('survives the process, cut to the size wanted now', async () => {
    const first = await open(8 * MIB);
    await first.grow(100 * MIB);
    await first.grow(100 * MIB);
    assert.equal((await open(8 * MIB)).bytes, 8 * MIB);
    assert.equal((await open(3 * MIB)).bytes, 3 * MIB);
    assert.equal(await onDisk(), 3 * MIB);
    assert.equal((await open(0)).bytes, 0);
    await assert.rejects(onDisk(), { code: 'ENOENT' });
  });

  it('does not believe a size without blocks, as a power cut may leave it', async () => {
    await fs.writeFile(join(disk.folder.root, BALLAST_FILE), '');
    await fs.truncate(join(disk.folder.root, BALLAST_FILE), 8 * MIB);
    assert.equal((await open(8 * MIB)).bytes, 0);
  });

  it('can be given up by who does not own it', async () => {
    assert.equal(await releaseBallast(fs, disk.folder), false);
    await (await open(4 * MIB)).grow(100 * MIB);
    assert.equal(await releaseBallast(fs, disk.folder), true);
    assert.equal(await releaseBallast(fs, disk.folder), false);
  });

  it('reserves less, and never fails, if the disk refuses', async () => {
    const ballast = await open(8 * MIB);
    disk.before = (operation) => {
      if (operation === 'open' || operation === 'unlink')
        throw Object.assign(new Error('no'), { code: 'EROFS' });
    };
    await ballast.grow(100 * MIB);
    assert.equal(ballast.bytes, 0);
    disk.before = () => undefined;
    await ballast.grow(100 * MIB);
    disk.before = (operation) => {
      if (operation === 'unlink') throw Object.assign(new Error('no'), { code: 'EROFS' });
    };
    await ballast.release(true);
    assert.deepEqual([ballast.bytes, ballast.owedBytes], [4 * MIB, 0]);
  });
});
