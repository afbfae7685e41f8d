import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import type { Message } from '../../src/core/message.js';
import { present } from '../../src/core/present.js';
import { copyAsKilled } from '../support/copy-as-killed.js';
import { systemError, watchedFs } from './faulty-fs.js';
import { batch, channel, message, openWal, temporaryFolder } from './wal-support.js';

const numberedIn = 'nats:LOGS@2026-11-21T08:00:00Z';
const events = channel('logging.events.raw', { numberedIn });
const other = channel('logging.events.raw', { numberedIn: 'nats:LOGS@2026-11-22T08:00:00Z' });

const numbered = (numbers: readonly number[], of = events): Message[] =>
  numbers.map((sourceSequence) => message(of, `${sourceSequence}`, { sourceSequence }));

describe('Messages whose numbers identify them', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await realFs.rm(folder.root, { recursive: true, force: true });
    await realFs.rm(`${folder.root}-copy`, { recursive: true, force: true });
  });

  it('are new once, then pending, then durable, in one numbering and not in another', async () => {
    const { wal } = await openWal(folder);
    const admit = (number: number): string => wal.identities.admit(numberedIn, number);
    assert.deepEqual([admit(5), admit(5), admit(3)], ['new', 'pending', 'new']);
    await wal.commit(batch(numbered([5, 3])));
    assert.deepEqual([admit(5), admit(3), admit(4)], ['durable', 'durable', 'new']);
    assert.equal(wal.identities.admit(present(other.numberedIn), 5), 'new');
    assert.equal(wal.settledThrough(events), undefined, 'they do not settle what was never received');
    await wal.close();
  });

  it('are known after a kill, from the segment alone', async () => {
    const { wal } = await openWal(folder);
    await wal.commit(batch(numbered([1, 2, 2 ** 33, 7])));
    await wal.commit(batch(numbered([1], other)));
    await copyAsKilled(folder.root, `${folder.root}-copy`);
    await wal.close();
    const copy = dataFolder(`${folder.root}-copy`);
    const second = await openWal(copy);
    const admissions = [1, 2, 2 ** 33, 7, 3].map((n) => second.wal.identities.admit(numberedIn, n));
    assert.deepEqual(admissions, ['durable', 'durable', 'durable', 'durable', 'new']);
    assert.equal(second.wal.identities.admit(present(other.numberedIn), 1), 'durable');
    assert.equal(second.wal.identities.admit(present(other.numberedIn), 2), 'new');
    await second.wal.close();
  });

  it('are known when their segment was sealed and is gone, also after a kill', async () => {
    const { wal, closed } = await openWal(folder);
    await wal.commit(batch(numbered([1, 2, 3])));
    await wal.roll();
    await realFs.rm(closed[0]!.directory, { recursive: true });
    await wal.commit(batch(numbered([5])));
    await copyAsKilled(folder.root, `${folder.root}-copy`);
    await wal.close();
    const copy = dataFolder(`${folder.root}-copy`);
    for (let kill = 0; kill < 2; kill++) {
      const again = await openWal(copy);
      const admissions = [1, 3, 4, 5].map((n) => again.wal.identities.admit(numberedIn, n));
      assert.deepEqual(admissions, ['durable', 'durable', 'new', 'durable']);
      // Sealed and gone; then the folder is recovered a second time.
      for (const { directory } of again.recovered.segments) await realFs.rm(directory, { recursive: true });
    }
  });

  it('are new again if the fsync that should have covered them failed', async () => {
    let failing = false;
    const fs = watchedFs(({ method }) => {
      if (failing && /sync/.test(method)) throw systemError('EIO');
    });
    const { wal } = await openWal(folder, { fs, options: { durability: 'os' } });
    const data = Buffer.alloc(100_000);
    wal.identities.admit(numberedIn, 1);
    await wal.commit(batch([message(events, data, { sourceSequence: 1 })]));
    assert.equal(wal.identities.admit(numberedIn, 1), 'pending');
    failing = true;
    await wal.roll();
    assert.equal(wal.identities.admit(numberedIn, 1), 'new');
    failing = false;
    await wal.close();
  });

  it('of many streams: the one used last is the last to be forgotten', async () => {
    const { wal } = await openWal(folder);
    const streams = Array.from({ length: 20 }, (_, i) => channel('e', { numberedIn: `s${i}` }));
    for (const of of streams) await wal.commit(batch(numbered([1], of)));
    await wal.commit(batch(numbered([2], streams[10])));
    await wal.close();
    const second = await openWal(folder);
    const known = streams.map(
      ({ numberedIn: name }) => second.wal.identities.admit(present(name), 1) === 'durable',
    );
    assert.deepEqual([known[0], known[10], known[19]], [false, true, true]);
    assert.equal(known.filter(Boolean).length, 16);
    await second.wal.close();
  });
});
