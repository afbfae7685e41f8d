import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { silentLogger } from '../../src/core/logger.js';
import { SegmentHandover } from '../../src/wal/segment-handover.js';
import { readHead } from '../../src/wal/wal-head.js';
import type { ClosedSegment } from '../../src/wal/wal-ports.js';
import { systemError } from './faulty-fs.js';
import { temporaryFolder } from './wal-support.js';

describe('handing closed segments over', () => {
  let folder: DataFolder;
  let isFull: boolean;
  let handed: string[];
  let handover: SegmentHandover;
  const segment = (id: string): ClosedSegment => ({ id, directory: id, cutAtSequence: 7, bytes: 1 });

  beforeEach(async () => {
    folder = await temporaryFolder();
    isFull = false;
    handed = [];
    const fs: FileSystem = {
      ...realFs,
      open: (...args: Parameters<typeof realFs.open>) =>
        isFull ? Promise.reject(systemError('ENOSPC')) : realFs.open(...args),
    };
    handover = new SegmentHandover(
      folder.root,
      { fs, logger: silentLogger, onClosed: ({ id }) => void handed.push(id) },
      () => ({ nextNumber: 2, nextSequence: 7, sourceSequences: { topic: 5 } }),
    );
  });
  afterEach(() => realFs.rm(folder.root, { recursive: true, force: true }));

  it('happens only once head.json has the numbers, oldest first', async () => {
    isFull = true;
    await handover.add(segment('a'));
    await handover.add(segment('b'));
    assert.deepEqual([handed, handover.isWaiting], [[], true]);
    isFull = false;
    await handover.retry();
    assert.deepEqual([handed, handover.isWaiting], [['a', 'b'], false]);
    const head = await readHead(realFs, folder.root);
    assert.deepEqual([head?.nextSequence, head?.sourceSequences, head?.closed], [7, { topic: 5 }, false]);
  });

  it('keeps the cuts of the last thousand segments', async () => {
    for (let i = 0; i < 1_005; i++) handover.cut(`segment ${i}`, i);
    await handover.retry();
    const cuts = (await readHead(realFs, folder.root))?.cuts ?? {};
    assert.equal(Object.keys(cuts).length, 1_000);
    assert.deepEqual([cuts['segment 4'], cuts['segment 5']], [undefined, 5]);
  });

  it('states a proper end until the next begin, even if that fails at first', async () => {
    await handover.end(true);
    assert.equal((await readHead(realFs, folder.root))?.closed, true);
    isFull = true;
    await assert.rejects(handover.begin(), { code: 'ENOSPC' });
    assert.equal((await readHead(realFs, folder.root))?.closed, true);
    isFull = false;
    await handover.begin();
    assert.equal((await readHead(realFs, folder.root))?.closed, false);
  });
});
