import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder } from '../../src/core/data-folder.js';
import { makeDataFolder } from '../../src/host/make-data-folder.js';
import { acquireRoleLock } from '../../src/host/role-lock.js';

describe('a data folder that is made', () => {
  let root: string;
  let umask: number;
  beforeEach(async () => {
    umask = process.umask(0o022);
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-private-'));
  });
  afterEach(async () => {
    process.umask(umask);
    await fs.rm(root, { recursive: true, force: true });
  });
  const modeOf = async (path: string): Promise<number> => (await fs.stat(path)).mode & 0o777;

  it('can be entered by its owner alone, whatever the umask is', async () => {
    for (const mask of [0, 0o022, 0o077, 0o777]) {
      process.umask(mask);
      const path = join(root, `rec-${mask}`);
      await makeDataFolder(fs, path);
      assert.equal(await modeOf(path), 0o700, mask.toString(8));
    }
  });

  it('can be entered by its group too, if asked to', async () => {
    process.umask(0o077);
    await makeDataFolder(fs, join(root, 'rec'), 'group');
    assert.equal(await modeOf(join(root, 'rec')), 0o750);
  });

  it('is private whichever process makes it', async () => {
    process.umask(0);
    await using _lock = await acquireRoleLock(fs, dataFolder(join(root, 'deep', 'rec')), 'sync');
    assert.equal(await modeOf(join(root, 'deep', 'rec')), 0o700);
  });

  it('keeps the mode it has if it is there already', async () => {
    await fs.mkdir(join(root, 'rec'), { mode: 0o755 });
    await makeDataFolder(fs, join(root, 'rec'));
    assert.equal(await modeOf(join(root, 'rec')), 0o755);
  });
});
