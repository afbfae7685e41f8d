import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolderId } from '../../src/host/host-identity.js';
import { systemError } from '../wal/faulty-fs.js';

describe('the id of a data folder', () => {
  let root: string;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-id-'));
  });
  afterEach(() => fs.rm(root, { recursive: true, force: true }));

  const ports = { fs, random: randomBytes };

  it('is one for all processes that start at the same time on a new folder', async () => {
    for (let round = 0; round < 20; round++) {
      const folder = join(root, String(round));
      await fs.mkdir(folder);
      const ids = await Promise.all(Array.from({ length: 8 }, () => dataFolderId(folder, ports)));
      assert.equal(new Set(ids).size, 1);
      assert.equal(await dataFolderId(folder, ports), ids[0]);
      assert.deepEqual(await fs.readdir(folder), ['id'], 'nothing else is left');
    }
  });

  it('is made again if a crash cut it short', async () => {
    await fs.writeFile(join(root, 'id'), 'ab');
    const id = await dataFolderId(root, ports);
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.equal(await dataFolderId(root, ports), id);
  });

  it('is made on a file system without hard links', async () => {
    const link = (): Promise<void> => Promise.reject(systemError('EPERM'));
    const id = await dataFolderId(root, { fs: { ...fs, link }, random: randomBytes });
    assert.equal(await dataFolderId(root, ports), id);
  });
});
