import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../../src/core/file-system.js';
import type { Manifest } from '../../src/core/manifest.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { SegmentFile } from '../../src/sync/segment-file.js';
import { storePorts } from '../support/store-ports.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { collect } from '../../src/testing/store-contract.js';

/** The real disk; counts open handles, and fails one operation of a handle, a close after it has closed. */
class CountedDisk {
  readonly open = new Set<string>();
  operations = 0;
  readonly #failAt: number;

  constructor(failAt: number) {
    this.#failAt = failAt;
  }

  readonly fs: FileSystem = {
    ...fs,
    open: (async (path: string, ...rest: never[]) =>
      this.#counted(await fs.open(path, ...rest), path)) as never,
  };

  #counted(handle: FileHandle, path: string): FileHandle {
    this.open.add(path);
    return new Proxy(handle, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          const isClose = name === 'close' || name === Symbol.asyncDispose;
          if (isClose) {
            this.open.delete(path);
            await target.close();
          }
          if (++this.operations === this.#failAt) throw Object.assign(new Error('EIO'), { code: 'EIO' });
          return isClose ? undefined : (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  }
}

/** Fails every operation of the work in turn, and looks at what is still open each time. */
async function failEverywhere(work: (fileSystem: FileSystem) => Promise<unknown>): Promise<void> {
  for (let failAt = 1; ; failAt++) {
    const disk = new CountedDisk(failAt);
    await work(disk.fs).catch(() => undefined);
    assert.deepEqual([...disk.open], [], `left open when operation ${failAt} fails`);
    if (disk.operations < failAt) break;
    assert.ok(failAt < 200);
  }
}

describe('files that sync and a folder store open', () => {
  let root: string;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-handles-'));
  });
  afterEach(() => fs.rm(root, { recursive: true, force: true }));

  it('are closed whichever operation of an upload fails', async () => {
    let uploads = 0;
    await failEverywhere(async (fileSystem) => {
      await using store = new DirectoryStore(root, { ...storePorts, fileSystem });
      const upload = await store.createUpload(`robot=r/${uploads++}.mcap`);
      const receipt = await store.uploadPart(upload, 1, bytesOf(5_000));
      await store.listParts(upload);
      await store.completeUpload(upload, [receipt]);
      await collect(store.read(upload.key));
    });
  });

  it('are closed whichever operation on a sealed segment fails', async () => {
    await fs.writeFile(join(root, 'a.mcap'), 'content');
    const file = { name: 'a.mcap', bytes: 7, sha256: '', crc32: 0 } as Manifest['file'];
    await failEverywhere(async (fileSystem) => {
      await using opened = await SegmentFile.open(fileSystem, root, file);
      await opened.read(Buffer.alloc(7));
    });
    await failEverywhere((fileSystem) => SegmentFile.open(fileSystem, root, { ...file, bytes: 8 }));
  });
});
