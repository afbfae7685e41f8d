import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../../src/core/manifest.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { SegmentFile } from '../../src/sync/segment-file.js';
import { failEverywhere } from '../support/counted-disk.js';
import { storePorts } from '../support/store-ports.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { collect } from '../../src/testing/store-contract.js';

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
