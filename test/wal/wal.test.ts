import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { batch, channel, message, openWal, payload, readSegment, temporaryFolder } from './wal-support.js';

describe('WAL', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await realFs.rm(folder.root, { recursive: true, force: true });
  });

  it('gives back every message of a segment byte for byte, inline and in the blob', async () => {
    const { wal, closed } = await openWal(folder);
    const one = channel('/one');
    const two = channel('/two', { robot: 'squid' });
    const sizes = [
      0,
      1,
      7,
      100,
      16 * 1024 - 1,
      16 * 1024,
      40_000,
      64 * 1024,
      70_000,
      1_000_000,
      5_000_000,
      3,
    ];
    const sent = sizes.map((size, i) =>
      message(i % 2 ? one : two, payload(size, i), {
        sourceSequence: 2 ** 40 + i,
        ...(i % 3 === 0 ? { publisher: `node ${i}` } : {}),
        publishedAt: BigInt(i),
      }),
    );
    await wal.commit(batch(sent.slice(0, 3)));
    await wal.commit(batch(sent.slice(3, 9)));
    await wal.commit(batch(sent.slice(9)));
    await wal.close();
    const { report, records } = await readSegment(closed[0]!.directory);
    assert.equal(report.state, 'clean');
    assert.deepEqual(report.faults, []);
    assert.equal(report.records, sent.length);
    assert.deepEqual(
      records,
      sent
        .map((m, i) => ({
          sequence: i + 1,
          topic: m.channel.topic,
          robot: m.channel.robot,
          data: m.data,
          receivedAt: m.receivedAt,
          publishedAt: m.publishedAt,
          sourceSequence: m.sourceSequence,
          publisher: m.publisher ?? null,
        }))
        .map((r) => ({ ...r, data: Buffer.from(r.data) })),
    );
  });

  it('refuses commits after closing, and closing twice is harmless', async () => {
    const { wal } = await openWal(folder);
    await wal.commit(batch([message(channel('/a'), 'x')]));
    await wal.close();
    await wal.close();
    await assert.rejects(wal.commit(batch([message(channel('/a'), 'y')])), (error) =>
      isHoldfastError(error, 'WAL_CLOSED'),
    );
    assert.equal((await realFs.readdir(join(folder.root, 'wal'))).length, 1);
  });
});
