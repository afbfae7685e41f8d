import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { present } from '../../src/core/present.js';
import { failEverywhere } from '../support/counted-disk.js';
import { batch, channel, message, openWal, payload, readSegment, temporaryFolder } from './wal-support.js';

/** In the log, in the blob, and in an object file. */
const SIZES = [10, 100_000, 20_000];
const inPlace = { minBytes: 15_000, splitByPriority: false } as const;

describe('files that the WAL opens', function () {
  this.timeout(120_000);
  let root: DataFolder;
  let made = 0;
  beforeEach(async () => {
    root = await temporaryFolder();
  });
  afterEach(() => realFs.rm(root.root, { recursive: true, force: true }));

  /** Records on a folder of its own, closes whatever happens, and returns the folder. */
  async function write(fileSystem: FileSystem): Promise<DataFolder> {
    const folder = dataFolder(join(root.root, String(made++)));
    const { wal } = await openWal(folder, { fs: fileSystem, options: { inPlace } });
    try {
      for (const [seed, size] of SIZES.entries()) {
        await wal.commit(batch([message(channel('/one'), payload(size, seed))]));
      }
      await wal.roll();
      await wal.commit(batch([message(channel('/two'), payload(10, 9))]));
    } finally {
      await wal.close();
    }
    return folder;
  }

  it('are closed whichever operation of recording fails', async () => {
    const operations = await failEverywhere(write);
    assert.ok(operations > 50, `only ${operations} operations`);
  });

  it('are closed whichever operation of a recovery or of reading a segment fails', async () => {
    const folder = await write(realFs);
    const kept = join(root.root, 'kept');
    await realFs.cp(folder.root, kept, { recursive: true });
    const [segment] = (await realFs.readdir(join(kept, 'wal'))).sort();
    const read = await failEverywhere(async (fileSystem) => {
      const found = await readSegment(join(kept, 'wal', present(segment)), fileSystem);
      assert.equal(found.records.length, SIZES.length);
    });
    const recovered = await failEverywhere(async (fileSystem) => {
      const copy = dataFolder(join(root.root, String(made++)));
      await realFs.cp(kept, copy.root, { recursive: true });
      const { wal } = await openWal(copy, { fs: fileSystem });
      await wal.close();
    });
    assert.ok(read > 10 && recovered > 30, `only ${read} and ${recovered} operations`);
  });
});
