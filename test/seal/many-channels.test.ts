import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import { segmentNumber } from '../../src/core/segment-id.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { handleReadable } from '../../src/core/mcap/readable.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { verify } from '../../src/recordings/verify.js';
import { OBJECT_MAX_CHANNELS } from '../../src/seal/object-router.js';
import { makeFolders } from '../support/make-folders.js';
import { channel, temporaryFolder } from '../wal/wal-support.js';
import { seal } from './seal-world.js';
import { wideSegment } from './wide-segment.js';

/** More than the 65,536 ids that one MCAP has for channels. */
const CHANNELS = 70_000;

describe('Sealing more channels of one robot than an MCAP has ids for', function () {
  this.timeout(180_000);
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
    await makeFolders(folder);
  });
  afterEach(() => realFs.rm(folder.root, { recursive: true, force: true }));

  it('gives several MCAPs, in which every message has the topic it was recorded on', async () => {
    const channels = Array.from({ length: CHANNELS }, (_, i) =>
      channel(`/crab/topic_${i}`, { robot: 'crab' }),
    );
    const segment = await wideSegment(folder, channels, 1, [], ({ topic }) => topic);
    const { manifests } = await seal(folder, segment);
    assert.equal(manifests.length, Math.ceil(CHANNELS / OBJECT_MAX_CHANNELS));
    assert.equal(new Set(manifests.map(({ key }) => key)).size, manifests.length);
    assert.deepEqual([...new Set(manifests.map(({ segment: { id } }) => segmentNumber(id)))], [1]);
    assert.equal(manifests[0]!.segment.id, segment.id);
    const topics = new Set<string>();
    for (const { file } of manifests) {
      await using handle = await realFs.open(join(folder.sealed, file.name));
      const reader = await openMcap(handleReadable(handle, file.name), file.name);
      for await (const { channel: of, data } of reader.messages()) {
        assert.equal(Buffer.from(data).toString(), of.topic);
        topics.add(of.topic);
      }
    }
    assert.equal(topics.size, CHANNELS);
    // Again, as after a crash in between: the same objects.
    const again = await seal(folder, segment);
    assert.deepEqual(again.manifests, manifests);
    await realFs.rm(segment.directory, { recursive: true });
    await using files = new FilePool(realFs);
    const { findings } = await verify({ kind: 'data', folder }, { files });
    assert.deepEqual(
      findings.filter(({ severity }) => severity === 'error'),
      [],
    );
  });
});
