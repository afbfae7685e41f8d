import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import { silentLogger } from '../../src/core/logger.js';
import { Ballast } from '../../src/seal/ballast.js';
import { Spill } from '../../src/seal/spill.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';
import { collect } from '../../src/testing/store-contract.js';
import { failEverywhere } from '../support/counted-disk.js';
import { temporaryFolder } from '../wal/wal-support.js';
import { inPlaceSegment, mixedBatches } from './in-place-world.js';
import { closedSegments, seal, twoRobots } from './seal-world.js';

describe('files that sealing opens', function () {
  this.timeout(300_000);
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => realFs.rm(folder.root, { recursive: true, force: true }));

  /** Seals with nothing in `sealed/`, as often as there are operations. */
  async function sealEverywhere(
    segment: { id: string; directory: string },
    options: Parameters<typeof seal>[2] = {},
  ): Promise<number> {
    return failEverywhere(async (fileSystem) => {
      await realFs.rm(folder.sealed, { recursive: true, force: true });
      await realFs.mkdir(folder.sealed);
      const { manifests } = await seal(folder, segment, options, fileSystem);
      assert.equal(manifests.length, 2);
    });
  }

  it('are closed whichever operation of sealing fails', async () => {
    const [, segment] = await closedSegments(folder, twoRobots());
    const operations = await sealEverywhere(segment);
    assert.ok(operations > 40, `only ${operations} operations`);
    await sealEverywhere(segment, { sparing: true });
  });

  it('are closed whichever operation of sealing in place fails', async () => {
    const segment = await inPlaceSegment(folder, mixedBatches());
    const operations = await sealEverywhere(segment);
    assert.ok(operations > 60, `only ${operations} operations`);
  });

  it('are closed whichever operation on a spilled index or on the ballast fails', async () => {
    const path = join(folder.root, 'spill');
    await failEverywhere(async (fileSystem) => {
      const spill = new Spill({ fs: fileSystem, path });
      try {
        for (let i = 0; i < 3; i++) await spill.add(seededBytes(i)(2 * 1024 * 1024));
        await collect(spill.read());
      } finally {
        await spill.remove();
      }
    });
    await failEverywhere(async (fileSystem) => {
      const ports = { fs: fileSystem, random: seededBytes(1), logger: silentLogger };
      const ballast = await Ballast.open(dataFolder(folder.root), 1024 * 1024, ports);
      await ballast.grow(100 * 1024 * 1024);
      await ballast.release(true);
    });
  });
});
