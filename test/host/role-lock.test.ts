import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { acquireRoleLock } from '../../src/host/role-lock.js';

/** Tries to take the role in another process; what it printed. */
function tryElsewhere(folder: DataFolder, role: string): string {
  // As this file runs: the built modules, or the sources under the loader.
  const url = (name: string): string =>
    JSON.stringify(new URL(`../../src/${name}${extname(import.meta.url)}`, import.meta.url).href);
  const script = `
    const { acquireRoleLock } = await import(${url('host/role-lock')});
    const { dataFolder } = await import(${url('core/data-folder')});
    const fs = await import('node:fs/promises');
    await acquireRoleLock(fs, dataFolder(${JSON.stringify(folder.root)}), ${JSON.stringify(role)})
      .then(() => console.log('taken'), (error) => console.log(error.code));
  `;
  const child = spawnSync(process.execPath, [...process.execArgv, '--input-type=module', '-e', script]);
  return `${child.stdout.toString()}${child.stderr.toString()}`.trim();
}

describe('role lock', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = dataFolder(await fs.mkdtemp(join(tmpdir(), 'holdfast-lock-')));
  });
  afterEach(() => fs.rm(folder.root, { recursive: true, force: true }));

  it('keeps a second holder out, in this process and in another one, until it is closed', async function () {
    this.timeout(20_000);
    const lock = await acquireRoleLock(fs, folder, 'sync');
    const busy = (error: unknown): boolean =>
      isHoldfastError(error, 'DATA_FOLDER_BUSY') && error.message.includes(folder.root);
    await assert.rejects(acquireRoleLock(fs, folder, 'sync'), busy);
    assert.equal(tryElsewhere(folder, 'sync'), 'DATA_FOLDER_BUSY', 'also after the refusal in this process');
    await lock.close();
    await lock.close();
    assert.equal(tryElsewhere(folder, 'sync'), 'taken');
  });

  it('is created again after a power cut damaged it, and still excludes a second holder', async function () {
    this.timeout(60_000);
    const path = join(folder.lock, 'recorder');
    await (await acquireRoleLock(fs, folder, 'recorder')).close();
    const files = (await fs.readdir(path)).filter((name) => name !== 'LOCK');
    assert.ok(files.includes('CURRENT') && files.some((name) => name.startsWith('MANIFEST-')));
    for (const name of files) {
      if ((await fs.stat(join(path, name)).catch(() => undefined)) === undefined) continue;
      await fs.truncate(join(path, name), 0);
      await using _lock = await acquireRoleLock(fs, folder, 'recorder');
    }
    const [manifest] = (await fs.readdir(path)).filter((name) => name.startsWith('MANIFEST-'));
    assert.ok(manifest !== undefined);
    await fs.truncate(join(path, manifest), 0);
    await using lock = await acquireRoleLock(fs, folder, 'recorder');
    // Damage under a holder's feet gives nobody else the role.
    await fs.truncate(join(path, 'CURRENT'), 0);
    assert.equal(tryElsewhere(folder, 'recorder'), 'DATA_FOLDER_BUSY');
    await lock.close();
    assert.equal(tryElsewhere(folder, 'recorder'), 'taken');
  });

  it('opens folders that nobody can enter, leaves every other mode, and keeps its holder', async function () {
    this.timeout(60_000);
    const lock = await acquireRoleLock(fs, folder, 'recorder');
    const modes = async (): Promise<Record<string, string>> => {
      const closable = {
        root: folder.root,
        lock: folder.lock,
        own: join(folder.lock, 'recorder'),
        wal: folder.wal,
      };
      const found: Record<string, string> = {};
      for (const [name, path] of Object.entries(closable)) {
        found[name] = ((await fs.stat(path)).mode & 0o777).toString(8);
      }
      return found;
    };
    await fs.mkdir(folder.wal, { mode: 0o700 });
    await fs.chmod(folder.wal, 0o500);
    for (const path of [join(folder.lock, 'recorder'), folder.lock]) await fs.chmod(path, 0o000);
    await fs.chmod(folder.root, 0o050);
    // In another process: this one would refuse by itself.
    assert.equal(tryElsewhere(folder, 'recorder'), 'DATA_FOLDER_BUSY');
    assert.deepEqual(await modes(), { root: '750', lock: '700', own: '700', wal: '500' });
    await lock.close();
    assert.equal(tryElsewhere(folder, 'recorder'), 'taken');
  });

  it('is one lock per role', async () => {
    const recorder = await acquireRoleLock(fs, folder, 'recorder');
    const sync = await acquireRoleLock(fs, folder, 'sync');
    await Promise.all([recorder.close(), sync.close()]);
  });

  it('says that the folder is unusable if no lock can be made', async () => {
    await fs.writeFile(folder.lock, '');
    await assert.rejects(acquireRoleLock(fs, folder, 'sync'), (error) =>
      isHoldfastError(error, 'DATA_FOLDER_UNUSABLE'),
    );
  });
});
