import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../../src/core/file-system.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { storePorts } from '../support/store-ports.js';
import { all, assertCode, collect, digestOf, storeContract } from '../../src/testing/store-contract.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';

const ports = storePorts;

storeContract('a folder', { partBytes: 4096, manyParts: 120, isFolder: true }, async () => {
  const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-store-'));
  const store = new DirectoryStore(root, ports);
  return {
    store,
    reopen: () => Promise.resolve(new DirectoryStore(root, ports)),
    corrupt: async (key) => {
      const path = join(root, key);
      const data = await fs.readFile(path);
      data[data.length >> 1] = (data[data.length >> 1] as number) ^ 4;
      await fs.writeFile(path, data);
    },
    close: async () => {
      await store.close();
      await fs.rm(root, { recursive: true, force: true });
    },
  };
});

const ID = '0123456789abcdef0123456789abcdef';
const KEY = 'robot=r/date=2026-11-21/seg.mcap';

type Hook = (operation: string, path: string) => void;

/** The real disk, with a look at every operation before it happens; the hook may throw. */
function watched(hook: Hook): FileSystem {
  const watchHandle = (handle: FileHandle, path: string): FileHandle =>
    new Proxy(handle, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          try {
            hook(String(name), path);
          } catch (error) {
            // A close that fails has still closed the file, and so does the end of a process.
            if (name === 'close') void target.close().catch(() => undefined);
            throw error;
          }
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  return new Proxy(fs, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        hook(String(name), String(args[0]));
        const result: unknown = await (value as (...args: unknown[]) => Promise<unknown>).apply(target, args);
        return name === 'open' ? watchHandle(result as FileHandle, String(args[0])) : result;
      };
    },
  });
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('a folder as a store', () => {
  let parent: string;
  let root: string;
  let store: DirectoryStore;

  beforeEach(async () => {
    parent = await fs.mkdtemp(join(tmpdir(), 'holdfast-dir-'));
    root = join(parent, 'store');
    await fs.mkdir(root);
    store = new DirectoryStore(root, ports);
  });
  afterEach(() => fs.rm(parent, { recursive: true, force: true }));

  function hooked(hook: Hook): DirectoryStore {
    return new DirectoryStore(root, { ...ports, fileSystem: watched(hook) });
  }

  function failing(code: string, operation: string, path = /./): DirectoryStore {
    return hooked((name, at) => {
      if (name === operation && path.test(at)) throw systemError(code);
    });
  }

  describe('whether it is there', () => {
    it('creates its own folder with the id, but no parents of it', async () => {
      const fresh = new DirectoryStore(join(parent, 'new'), ports);
      assert.equal(await fresh.readId(), undefined);
      assert.equal(await fresh.createId(ID), ID);
      assert.equal(await fresh.readId(), ID);
      const deep = new DirectoryStore(join(parent, 'mnt', 'usb'), ports);
      assert.equal(await deep.readId(), undefined);
      const error = await assertCode(deep.createId(ID), 'STORE_NOT_FOUND');
      assert.match(error.message, /mkdir -p/);
      await assert.rejects(fs.stat(join(parent, 'mnt')));
    });

    it('is not found if its folder does not exist or is a file, in any call', async () => {
      await fs.writeFile(join(parent, 'file'), 'x');
      for (const name of ['absent', 'file']) {
        const other = new DirectoryStore(join(parent, name), ports);
        await assertCode(other.put(KEY, bytesOf(1)), 'STORE_NOT_FOUND');
        await assertCode(other.head(KEY), 'STORE_NOT_FOUND');
        await assertCode(all(other.list('')), 'STORE_NOT_FOUND');
        await assertCode(other.createUpload(KEY), 'STORE_NOT_FOUND');
        await assertCode(all(other.listUploads()), 'STORE_NOT_FOUND');
      }
      await assert.rejects(fs.stat(join(parent, 'absent')));
    });

    it('is offline, and writes nothing, once the disk under it was unmounted', async () => {
      await store.createId(ID);
      const upload = await store.createUpload(KEY);
      const receipt = await store.uploadPart(upload, 1, bytesOf(10));
      await store.put('there', bytesOf(10));
      await fs.rename(root, join(parent, 'disk'));
      for (const leaveFolder of [false, true]) {
        if (leaveFolder) await fs.mkdir(root);
        const calls = [
          () => store.head('there'),
          () => store.verify('there', digestOf(bytesOf(10))),
          () => collect(store.read('there')),
          () => all(store.list('')),
          () => store.put(KEY, bytesOf(1)),
          () => store.delete(KEY),
          () => store.createUpload(KEY),
          () => store.uploadPart(upload, 2, bytesOf(1)),
          () => store.listParts(upload),
          () => store.completeUpload(upload, [receipt]),
          () => store.abortUpload(upload),
          () => all(store.listUploads()),
        ];
        for (const call of calls) await assertCode(call(), 'STORE_OFFLINE');
        assert.equal(await store.readId(), undefined);
      }
      assert.deepEqual(await fs.readdir(root), []);
      await fs.rmdir(root);
      await fs.rename(join(parent, 'disk'), root);
      await store.completeUpload(upload, [receipt]);
    });

    it('refuses to continue when another store is mounted in its place', async () => {
      await store.createId(ID);
      await fs.writeFile(join(root, '.holdfast/store-id'), ID.replace('0', 'f'));
      await assertCode(store.put(KEY, bytesOf(1)), 'STORE_MISMATCH');
      await fs.writeFile(join(root, '.holdfast/store-id'), 'garbage');
      await assertCode(store.readId(), 'STORE_MISMATCH');
    });
  });

  describe('symbolic links', () => {
    it('does not write, read or list through a link that leads out of it', async () => {
      const outside = join(parent, 'outside');
      await fs.mkdir(outside);
      await fs.writeFile(join(outside, 'secret'), 'x');
      await fs.symlink(outside, join(root, 'robot=r'));
      await fs.symlink(join(outside, 'secret'), join(root, 'link'));
      await assertCode(store.put('robot=r/x', bytesOf(1)), 'STORE_REJECTED');
      await assertCode(store.head('robot=r/secret'), 'STORE_REJECTED');
      await assertCode(collect(store.read('link')), 'STORE_REJECTED');
      await assertCode(store.delete('robot=r/secret'), 'STORE_REJECTED');
      assert.deepEqual(await all(store.list('')), []);
      assert.deepEqual(await fs.readdir(outside), ['secret']);
    });
  });

  describe('uploads', () => {
    it('takes parts in order only', async () => {
      const upload = await store.createUpload(KEY);
      await assertCode(store.uploadPart(upload, 2, bytesOf(1)), 'STORE_REJECTED');
      await assertCode(store.uploadPart(upload, 0, bytesOf(1)), 'STORE_REJECTED');
      await assertCode(store.uploadPart(upload, 100_000, bytesOf(1)), 'STORE_REJECTED');
      await store.uploadPart(upload, 1, bytesOf(10));
      await store.uploadPart(upload, 2, bytesOf(10));
      await assertCode(store.uploadPart(upload, 1, bytesOf(11)), 'STORE_REJECTED');
    });

    it('lists no part whose bytes or journal line were torn, and continues from there', async () => {
      const parts = [bytesOf(5000, 1), bytesOf(5000, 2), bytesOf(700, 3)];
      const spoil: Record<string, (folder: string) => Promise<void>> = {
        'bytes cut short': (folder) => fs.truncate(join(folder, 'data'), 10_100),
        'bytes never written': async (folder) => {
          const handle = await fs.open(join(folder, 'data'), 'r+');
          await handle.write(Buffer.alloc(700), 0, 700, 10_000);
          await handle.close();
        },
        'line cut short': async (folder) => {
          const { size } = await fs.stat(join(folder, 'parts'));
          await fs.truncate(join(folder, 'parts'), size - 1);
        },
        'line of zeros': async (folder) => {
          const lines = await fs.readFile(join(folder, 'parts'));
          await fs.writeFile(join(folder, 'parts'), lines.fill(0, (lines.length / 3) * 2));
        },
      };
      for (const [how, damage] of Object.entries(spoil)) {
        const upload = await store.createUpload(`${KEY}-${how}`);
        for (const [index, part] of parts.entries()) await store.uploadPart(upload, index + 1, part);
        await damage(join(root, '.holdfast/uploads', upload.uploadId));
        const listed = await new DirectoryStore(root, ports).listParts(upload);
        assert.deepEqual(
          listed.map(({ partNumber }) => partNumber),
          [1, 2],
          how,
        );
        await store.uploadPart(upload, 3, parts[2] as Buffer);
        await store.completeUpload(upload, await store.listParts(upload));
        await store.verify(upload.key, digestOf(Buffer.concat(parts)));
      }
    });

    it('syncs bytes before the journal line, and both before a part counts', async () => {
      const log: string[] = [];
      const logged = hooked((name, path) => {
        const file = path.split('/').at(-1) ?? '';
        if (['write', 'sync', 'datasync', 'link'].includes(name)) log.push(`${name} ${file}`);
      });
      const upload = await logged.createUpload(KEY);
      log.length = 0;
      const receipt = await logged.uploadPart(upload, 1, bytesOf(10));
      assert.deepEqual(log, ['write data', 'datasync data', 'write parts', 'datasync parts']);
      log.length = 0;
      await logged.completeUpload(upload, [receipt]);
      const [first, second] = [log.indexOf('sync data'), log.indexOf('link data')];
      assert.ok(first >= 0 && first < second, log.join(', '));
      assert.equal(log[second + 1], 'sync date=2026-11-21');
    });

    it('survives a kill before every single operation of a completion', async () => {
      const parts = [bytesOf(5000, 1), bytesOf(77, 2)];
      const whole = digestOf(Buffer.concat(parts));
      for (let step = 0, done = false; !done; step++) {
        const key = `robot=r/${step}.mcap`;
        const upload = await store.createUpload(key);
        const receipts = [];
        for (const [index, part] of parts.entries()) {
          receipts.push(await store.uploadPart(upload, index + 1, part));
        }
        let left = step;
        const dying = hooked(() => {
          if (left-- <= 0) throw systemError('EIO');
        });
        done = await dying.completeUpload(upload, receipts).then(
          () => true,
          () => false,
        );
        // What sync does after a restart: continue if the upload is known, else look at the object.
        const again = new DirectoryStore(root, ports);
        const listed = await again.listParts(upload).catch(() => undefined);
        if (listed) await again.completeUpload(upload, listed);
        await again.verify(key, whole);
        assert.ok(step < 100);
      }
      assert.deepEqual(await all(store.listUploads()), []);
    });

    it('never changes an object that a killed completion had already published', async () => {
      const upload = await store.createUpload(KEY);
      const receipt = await store.uploadPart(upload, 1, bytesOf(5000));
      const dying = hooked((name, path) => {
        if (name === 'rename' && path.includes('uploads')) throw systemError('EIO');
      });
      await assertCode(dying.completeUpload(upload, [receipt]), 'STORE_OFFLINE');
      await assertCode(store.uploadPart(upload, 1, bytesOf(5000, 9)), 'UPLOAD_UNKNOWN');
      await store.verify(KEY, digestOf(bytesOf(5000)));
    });

    it('works without hard links, and reports that its conditions are not atomic then', async () => {
      const fat = failing('EPERM', 'link');
      assert.equal(fat.supports.conditionalComplete, true);
      const upload = await fat.createUpload(KEY);
      const receipt = await fat.uploadPart(upload, 1, bytesOf(5000));
      await fat.completeUpload(upload, [receipt]);
      await fat.verify(KEY, digestOf(bytesOf(5000)));
      assert.equal(fat.supports.conditionalComplete, false);
      assert.equal(fat.supports.conditionalPut, false);
      await assertCode(fat.put(KEY, bytesOf(1), { ifAbsent: true }), 'OBJECT_EXISTS');
      const second = await fat.createUpload(KEY);
      const other = await fat.uploadPart(second, 1, bytesOf(6));
      await assertCode(fat.completeUpload(second, [other]), 'OBJECT_EXISTS');
      assert.equal(await fat.createId(ID), ID);
    });

    it('removes the temporary files of a killed writer a day later', async () => {
      await store.put(KEY, bytesOf(1));
      const [old, young] = ['old', 'young'].map((name) => join(root, '.holdfast/tmp', name));
      await fs.writeFile(old as string, 'x');
      await fs.writeFile(young as string, 'x');
      await fs.utimes(old as string, 1, 1);
      await all(store.listUploads());
      assert.deepEqual(await fs.readdir(join(root, '.holdfast/tmp')), ['young']);
    });
  });

  describe('errors of the disk', () => {
    const cases = [
      ['ENOSPC', 'STORE_FULL'],
      ['EDQUOT', 'STORE_FULL'],
      ['EIO', 'STORE_OFFLINE'],
      ['ESTALE', 'STORE_OFFLINE'],
      ['ENODEV', 'STORE_OFFLINE'],
      ['EROFS', 'STORE_ACCESS_DENIED'],
      ['EACCES', 'STORE_ACCESS_DENIED'],
      ['EFBIG', 'STORE_REJECTED'],
      ['ENAMETOOLONG', 'STORE_REJECTED'],
      ['EMFILE', 'STORE_BUSY'],
    ] as const;
    for (const [system, code] of cases) {
      it(`calls ${system} ${code}`, async () => {
        const upload = await store.createUpload(KEY);
        await assertCode(failing(system, 'writeFile').put('a', bytesOf(1)), code);
        await assertCode(failing(system, 'write').uploadPart(upload, 1, bytesOf(1)), code);
        await assertCode(failing(system, 'datasync').uploadPart(upload, 1, bytesOf(1)), code);
        await store.put('b', bytesOf(1));
        await assertCode(collect(failing(system, 'read').read('b')), code);
        assert.equal(await store.head('a'), undefined);
      });
    }

    it('refuses a name that is too long for a file, as the store it is', async () => {
      await assertCode(store.put(`a/${'x'.repeat(300)}`, bytesOf(1)), 'STORE_REJECTED');
    });
  });
});
