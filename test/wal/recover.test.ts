import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import { silentLogger } from '../../src/core/logger.js';
import { present } from '../../src/core/present.js';
import { recoverWal } from '../../src/wal/recover.js';
import { BLOB_FILE } from '../../src/wal/segment-format.js';
import { readHead, writeHead } from '../../src/wal/wal-head.js';
import { systemError, watchedFs } from './faulty-fs.js';
import { damages } from './memory-fs.js';
import { batch, channel, message, openWal, payload, readSegment, temporaryFolder } from './wal-support.js';

const BIG = 100_000;

describe('Recovery', () => {
  let folder: DataFolder;
  const copies: string[] = [];
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    for (const path of [folder.root, ...copies.splice(0)])
      await realFs.rm(path, { recursive: true, force: true });
  });

  /** What a kill at this moment leaves; the original stays open in this process. */
  async function killed(): Promise<DataFolder> {
    const root = `${folder.root}-killed-${copies.length}`;
    copies.push(root);
    for (;;) {
      try {
        await realFs.cp(folder.root, root, { recursive: true });
        return dataFolder(root);
      } catch (error) {
        // LevelDB renames its files while the next segment is being made: no moment, then, but two.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        await realFs.rm(root, { recursive: true, force: true });
      }
    }
  }

  const recover = (of: DataFolder) => recoverWal(realFs, of, silentLogger);

  it('makes durable what an earlier process renamed just before it was killed', async () => {
    await recover(folder);
    const synced = new Set<string>();
    const fs = watchedFs(({ method, path }) => {
      if (method === 'sync') synced.add(path);
    });
    await recoverWal(fs, folder, silentLogger);
    const { wal, sealed, receipts, tombstones, quarantine, trash } = folder;
    for (const path of [wal, sealed, receipts, tombstones, quarantine, trash]) {
      assert.ok(synced.has(path), path);
    }
  });

  it('empties the trash only after what lies there has durably left the WAL', async () => {
    await recover(folder);
    await realFs.mkdir(join(folder.trash, 'segment'));
    const calls: string[] = [];
    const fs = watchedFs(({ method, path }) => calls.push(`${method} ${path}`));
    await recoverWal(fs, folder, silentLogger);
    const removed = calls.indexOf(`rm ${join(folder.trash, 'segment')}`);
    for (const path of [folder.wal, folder.trash]) {
      const at = calls.indexOf(`sync ${path}`);
      assert.ok(at >= 0 && at < removed, path);
    }
  });

  it('makes an empty folder usable', async () => {
    const { head, segments, unclean } = await recover(folder);
    assert.deepEqual([head.nextSequence, head.nextNumber, segments, unclean], [1, 1, [], false]);
    assert.deepEqual((await realFs.readdir(folder.root)).sort(), [
      'head.json',
      'lock',
      'quarantine',
      'receipts',
      'sealed',
      'tombstones',
      'trash',
      'wal',
    ]);
  });

  it('finds the segments of a killed recorder, and the same ones the second time', async () => {
    const { wal } = await openWal(folder, { options: { segmentMaxBytes: 2 * BIG } });
    for (let i = 1; i <= 5; i++) {
      await wal.commit(batch([message(channel('/a'), payload(BIG, i), { sourceSequence: 10 * i })]));
    }
    const copy = await killed();
    await wal.close();
    const first = await recover(copy);
    assert.deepEqual(
      first.segments.map(({ report }) => [report.state, report.records]),
      [
        ['clean', 2],
        ['clean', 2],
        ['unclean', 1],
      ],
    );
    assert.equal(first.unclean, true);
    assert.equal(first.head.nextSequence, 6);
    assert.deepEqual(first.head.sourceSequences, { '["crab","/a"]': 50 });
    assert.deepEqual(await recover(copy), first);
    assert.deepEqual(await readHead(realFs, copy.root), first.head);
  });

  it('takes away segments in which nothing was ever written, and still knows about the kill', async () => {
    const { wal } = await openWal(folder);
    await wal.commit(batch([message(channel('/a'), 'x')]));
    await wal.roll();
    const copy = await killed();
    await wal.close();
    const sealedMeanwhile = (await recover(copy)).segments;
    assert.deepEqual(
      sealedMeanwhile.map(({ report }) => report.state),
      ['clean'],
    );
    assert.equal((await realFs.readdir(copy.wal)).length, 1);
    assert.deepEqual(await realFs.readdir(copy.trash), []);
    assert.equal((await recover(copy)).unclean, true, 'the messages in memory were still lost');
  });

  it('knows a proper end from a kill', async () => {
    const first = await openWal(folder);
    await first.wal.commit(batch([message(channel('/a'), 'x')]));
    await first.wal.close();
    const second = await openWal(folder);
    assert.equal(second.recovered.unclean, false);
    const copy = await killed();
    await second.wal.close();
    assert.equal((await recover(copy)).unclean, true);
  });

  it('cuts a failed write off if it was written again', async () => {
    let failing = false;
    const fs = watchedFs(({ method, path }) => {
      if (failing && method === 'datasync' && path.endsWith(BLOB_FILE)) {
        failing = false;
        throw systemError('EIO');
      }
    });
    const { wal, closed } = await openWal(folder, { fs });
    const send = (n: number) => batch([message(channel('/a'), payload(BIG, n))]);
    await wal.commit(send(1));
    failing = true;
    await wal.commit(send(2));
    const copy = await killed();
    await wal.close();
    const [left, next] = (await recover(copy)).segments;
    assert.ok(left && next);
    assert.equal(left.id, closed[0]!.id);
    // The failed one had not reached the log; had it, the cut would say so:
    assert.equal(left.cutAtSequence, undefined);
    assert.equal(next.report.firstSequence, 2);
    await plantRecord(copy, left.id, next.id);
    const [planted] = (await recover(copy)).segments;
    assert.ok(planted);
    assert.equal(planted.report.lastSequence, 2);
    assert.equal(planted.cutAtSequence, 2);
  });

  /** Makes a segment also hold what the next begins with: two segments of the same sequences. */
  async function plantRecord(of: DataFolder, id: string, source: string): Promise<void> {
    const { wal } = await openWal(await temporary(), { options: { durability: 'commit' } });
    await wal.close();
    const head = present(await readHead(realFs, of.root));
    // Written by a WAL of its own that begins at sequence 1, so that it ends at 2.
    const other = await openWal(await temporary(), { random: () => Buffer.from(id.slice(-32), 'hex') });
    await other.wal.commit(batch([message(channel('/a'), payload(BIG, 1))]));
    await other.wal.commit(batch([message(channel('/a'), payload(BIG, 2))]));
    await other.wal.close();
    await realFs.rm(join(of.wal, id), { recursive: true });
    await realFs.cp(other.closed[0]!.directory, join(of.wal, id), { recursive: true });
    assert.ok(head.nextSequence >= 3 && source > id);
  }

  async function temporary(): Promise<DataFolder> {
    const made = await temporaryFolder();
    copies.push(made.root);
    return made;
  }

  it('remembers the cut when the segment with the rest is already gone, and only then', async () => {
    const other = await openWal(folder);
    await other.wal.commit(batch([message(channel('/a'), '1', { sourceSequence: 1 })]));
    await other.wal.commit(batch([message(channel('/a'), '2', { sourceSequence: 2 })]));
    await other.wal.close();
    const id = other.closed[0]!.id;
    const head = present(await readHead(realFs, folder.root));
    const cutFor = async (nextSequence: number): Promise<number | undefined> => {
      const changed = { ...head, nextSequence, cuts: { [id]: 2 } };
      await writeHead(realFs, folder.root, changed);
      const { segments } = await recover(folder);
      assert.deepEqual((await recover(folder)).segments, segments, 'also the second time');
      return segments[0]!.cutAtSequence;
    };
    assert.equal(await cutFor(3), 2, 'record 2 was written again and sealed');
    assert.equal(await cutFor(2), undefined, 'record 2 never came to be written again: it is all there is');
  });

  it('ignores lower source numbers of an old segment', async () => {
    const { wal } = await openWal(folder);
    await wal.commit(batch([message(channel('/a'), '1', { sourceSequence: 10 })]));
    await wal.close();
    const head = present(await readHead(realFs, folder.root));
    const ahead = { ...head, sourceSequences: { '["crab","/a"]': 99 }, nextSequence: 500, nextNumber: 70 };
    await writeHead(realFs, folder.root, ahead);
    const recovered = (await recover(folder)).head;
    assert.deepEqual(
      [recovered.sourceSequences['["crab","/a"]'], recovered.nextSequence, recovered.nextNumber],
      [99, 500, 70],
    );
  });

  it('uses the segments if head.json is damaged, at any byte', async () => {
    const { wal } = await openWal(folder);
    await wal.commit(batch([1, 2].map((n) => message(channel('/a'), 'x', { sourceSequence: n }))));
    await wal.close();
    const path = join(folder.root, 'head.json');
    const head = present(await readHead(realFs, folder.root));
    const content = await realFs.readFile(path);
    for (const text of [
      '',
      '{',
      '{"version":1}',
      '{"head":null}',
      '{"head":{},"crc32":0}',
      'null',
      '7',
      '[]',
    ]) {
      await realFs.writeFile(path, text);
      const recovered = (await recover(folder)).head;
      assert.deepEqual(
        [recovered.nextSequence, recovered.sourceSequences],
        [3, { '["crab","/a"]': 2 }],
        text,
      );
    }
    for (let at = 0; at < content.length; at++) {
      for (const [kind, damage] of Object.entries(damages)) {
        await realFs.writeFile(path, damage(content, at));
        const read = await readHead(realFs, folder.root);
        // White space between the tokens is all that may change unnoticed.
        assert.ok(read === undefined || isDeepStrictEqual(read, head), `${kind} at ${at}`);
      }
    }
  });

  it('never gives a number out that a sealed or quarantined segment has', async () => {
    await recover(folder);
    await realFs.rm(join(folder.root, 'head.json'));
    await realFs.writeFile(join(folder.sealed, `000000000041-${'a'.repeat(32)}.crab.json`), '');
    await realFs.mkdir(join(folder.quarantine, `000000000057-${'a'.repeat(32)}`));
    assert.equal((await recover(folder)).head.nextNumber, 58);
  });

  it('removes unfinished files, and leaves unknown ones alone', async () => {
    await recover(folder);
    await realFs.writeFile(join(folder.sealed, 'x.mcap.tmp'), '');
    await realFs.writeFile(join(folder.sealed, 'notes.txt'), '');
    await realFs.mkdir(join(folder.trash, 'old', 'deep'), { recursive: true });
    await realFs.mkdir(join(folder.wal, 'not a segment'));
    await recover(folder);
    assert.deepEqual(await realFs.readdir(folder.sealed), ['notes.txt']);
    assert.deepEqual(await realFs.readdir(folder.trash), []);
    assert.deepEqual(await realFs.readdir(folder.wal), ['not a segment']);
  });

  it('takes away an object without manifest only while its segment is there to make it again', async () => {
    const { wal, closed } = await openWal(folder);
    await wal.commit(batch([message(channel('/a'), 'x')]));
    await wal.close();
    const gone = `000000000099-${'a'.repeat(32)}.crab.mcap`;
    for (const name of [gone, `${closed[0]!.id}.crab.mcap`])
      await realFs.writeFile(join(folder.sealed, name), 'x');
    await recover(folder);
    assert.deepEqual(await realFs.readdir(folder.sealed), [gone]);
  });

  it('reads the last message of an earlier run out of a segment that was cut off in a commit', async () => {
    const { wal } = await openWal(folder);
    await wal.commit(batch([message(channel('/a'), 'one')]));
    await wal.commit(batch([message(channel('/a'), 'two')]));
    const copy = await killed();
    await wal.close();
    const [id] = (await realFs.readdir(copy.wal)).sort();
    assert.ok(id !== undefined);
    const log = join(copy.wal, id, '000003.log');
    await realFs.truncate(log, (await realFs.stat(log)).size - 1);
    const { segments } = await recover(copy);
    assert.deepEqual([segments[0]!.report.state, segments[0]!.report.records], ['unclean', 1]);
    assert.ok(segments[0]!.report.tornBytes > 0);
    const { records } = await readSegment(segments[0]!.directory);
    assert.deepEqual(
      records.map(({ data }) => data.toString()),
      ['one'],
    );
  });
});
