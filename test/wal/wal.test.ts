import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import { isHoldfastError, systemCode } from '../../src/core/errors.js';
import type { Gap } from '../../src/core/gap.js';
import type { Message } from '../../src/core/message.js';
import { present } from '../../src/core/present.js';
import { BLOB_FILE } from '../../src/wal/segment-format.js';
import { readHead } from '../../src/wal/wal-head.js';
import { systemError, watchedFs } from './faulty-fs.js';
import {
  batch,
  channel,
  makeWal,
  message,
  openWal,
  payload,
  readSegment,
  temporaryFolder,
  type ReadRecord,
} from './wal-support.js';
import { copyAsKilled } from '../support/copy-as-killed.js';
import { eventually } from '../../src/testing/waiting.js';

const BIG = 100_000;

describe('WAL', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await realFs.rm(folder.root, { recursive: true, force: true });
  });

  const segmentsOnDisk = async (): Promise<string[]> => (await realFs.readdir(folder.wal)).sort();

  async function allRecords(cuts: ReadonlyMap<string, number> = new Map()): Promise<ReadRecord[]> {
    const records: ReadRecord[] = [];
    for (const id of await segmentsOnDisk()) {
      const read = await readSegment(join(folder.wal, id));
      const cut = cuts.get(id) ?? Infinity;
      records.push(...read.records.filter(({ sequence }) => sequence < cut));
    }
    return records;
  }

  it('gives back every message of a segment byte for byte, inline and in the blob', async () => {
    const { wal, closed } = await openWal(folder);
    const one = channel('/one');
    const two = channel('/two', { robot: 'squid' });
    const sizes = [0, 1, 7, 100, 16 * 1024 - 1, 16 * 1024, 40_000, 64 * 1024, 70_000, 1e6, 5e6, 3];
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
    const expected = sent.map((m, i) => ({
      sequence: i + 1,
      topic: m.channel.topic,
      robot: m.channel.robot,
      data: Buffer.from(m.data),
      receivedAt: m.receivedAt,
      publishedAt: m.publishedAt,
      sourceSequence: m.sourceSequence,
      publisher: m.publisher ?? null,
      intact: true,
    }));
    assert.deepEqual(records, expected);
  });

  it('refuses commits after closing, and closing twice is harmless', async () => {
    const { wal } = await openWal(folder);
    await wal.commit(batch([message(channel('/a'), 'x')]));
    await wal.close();
    await wal.close();
    await assert.rejects(wal.commit(batch([message(channel('/a'), 'y')])), (error) =>
      isHoldfastError(error, 'WAL_CLOSED'),
    );
    assert.equal((await segmentsOnDisk()).length, 1);
  });

  it('leaves nothing behind if nothing was committed', async () => {
    const { wal } = await openWal(folder);
    await wal.roll();
    await wal.close();
    assert.deepEqual(await segmentsOnDisk(), []);
  });

  it('rolls when the messages of a segment reach its bytes, and queues every segment', async () => {
    const { wal, closed } = await openWal(folder, { options: { segmentMaxBytes: 3 * BIG } });
    for (let i = 0; i < 7; i++) await wal.commit(batch([message(channel('/a'), payload(BIG, i))]));
    assert.equal(closed.length, 2);
    await wal.close();
    assert.equal(closed.length, 3);
    assert.deepEqual(
      (await allRecords()).map(({ sequence }) => sequence),
      [1, 2, 3, 4, 5, 6, 7],
    );
    assert.deepEqual(
      closed.map(({ id }) => id),
      await segmentsOnDisk(),
    );
  });

  it('does not count what every segment must begin with: thousands of channels roll nothing', async () => {
    const { wal, closed } = await openWal(folder, { options: { segmentMaxBytes: 256 * 1024 } });
    const schemas = Array.from({ length: 40 }, (_, i) => ({
      name: `p/msg/T${i}`,
      encoding: 'ros2msg',
      data: payload(10_000, i),
    }));
    const many = Array.from({ length: 5000 }, (_, i) => channel(`/t${i}`, { schema: schemas[i % 40]! }));
    await wal.commit(batch(many.map((of) => message(of, 'x'))));
    await wal.commit(batch(many.map((of) => message(of, 'y'))));
    assert.equal(closed.length, 1, 'two rounds of 5,000 messages pass 256 KiB, one does not');
    await wal.close();
    const { records, entries, report } = await readSegment(closed[0]!.directory);
    assert.equal(report.state, 'clean');
    assert.equal(records.length, 10_000);
    const schemasRead = entries.flatMap((entry) => (entry.kind === 'channel' ? [entry.channel.schema] : []));
    assert.equal(schemasRead.length, 5000);
    schemasRead.forEach((schema, i) => {
      assert.equal(schema.name, `p/msg/T${i % 40}`);
      assert.ok(Buffer.from(schema.data).equals(Buffer.from(schemas[i % 40]!.data)));
    });
    assert.ok(closed[0]!.bytes < 3e6, `each schema is stored once: ${closed[0]!.bytes} bytes`);
  });

  it('keeps one log for any amount that one commit writes beside its messages', async function () {
    this.timeout(60_000);
    const { wal, closed } = await openWal(folder);
    // 80 MB of schemas: more than LevelDB's memory may usually hold before it starts another log.
    const wide = Array.from({ length: 160 }, (_, i) =>
      channel(`/t${i}`, { schema: { name: `T${i}`, encoding: 'x', data: new Uint8Array(500_000).fill(i) } }),
    );
    await wal.commit(batch(wide.map((of) => message(of, 'x'))));
    await wal.commit(batch([message(wide[0]!, 'y')]));
    await wal.close();
    const files = await realFs.readdir(closed[0]!.directory);
    assert.equal(files.filter((name) => /\.(log|ldb)$/.test(name)).length, 1);
    const { records, report } = await readSegment(closed[0]!.directory);
    assert.equal(report.state, 'clean');
    assert.equal(records.length, 161);
  });

  it('rolls a segment at its age, and never an empty one', async () => {
    const { wal, clock, closed } = await openWal(folder, { options: { segmentMaxAgeMs: 1000 } });
    clock.pass(5000);
    await wal.rollIfOld();
    await wal.commit(batch([message(channel('/a'), 'x')]));
    clock.pass(999);
    await wal.rollIfOld();
    assert.equal(closed.length, 0);
    clock.pass(1);
    await wal.rollIfOld();
    assert.equal(closed.length, 1);
    clock.pass(5000);
    await wal.rollIfOld();
    assert.equal(closed.length, 1);
    await wal.close();
  });

  it('continues its numbers after a restart, also if only head.json is left', async () => {
    const first = await openWal(folder);
    await first.wal.commit(batch([1, 2, 3].map((n) => message(channel('/a'), 'x', { sourceSequence: n }))));
    await first.wal.close();
    await realFs.rm(join(folder.wal, first.closed[0]!.id), { recursive: true });
    const second = await openWal(folder);
    assert.equal(second.recovered.unclean, false);
    assert.equal(second.wal.settledThrough(channel('/a')), 3);
    await second.wal.commit(batch([message(channel('/a'), 'x')]));
    await second.wal.close();
    const { report } = await readSegment(second.closed[0]!.directory);
    assert.equal(report.firstSequence, 4);
    assert.ok(second.closed[0]!.id > first.closed[0]!.id);
  });

  it('does not lose its numbers when a recovery is followed by another before anything is recorded', async () => {
    const first = await openWal(folder);
    await first.wal.commit(batch([1, 2, 3].map((n) => message(channel('/a'), 'x', { sourceSequence: n }))));
    // Killed here: copied, because the process that has it open is this one.
    await copyAsKilled(folder.root, `${folder.root}-copy`);
    await first.wal.close();
    const copy = dataFolder(`${folder.root}-copy`);
    try {
      const second = await openWal(copy);
      assert.equal(second.recovered.unclean, true);
      assert.equal(second.recovered.segments.length, 1);
      // Sealed and gone; then killed again before the first commit.
      await realFs.rm(second.recovered.segments[0]!.directory, { recursive: true });
      const third = await openWal(copy);
      assert.equal(third.recovered.head.nextSequence, 4);
      assert.equal(third.wal.settledThrough(channel('/a')), 3);
      assert.equal(third.recovered.unclean, true);
    } finally {
      await realFs.rm(copy.root, { recursive: true, force: true });
    }
  });

  it('carries the latched messages at the head of every further segment, and counts them nowhere', async () => {
    const { wal, closed } = await openWal(folder);
    const latched = channel('/robot_description', { latched: true });
    await wal.commit(batch([message(latched, 'urdf'), message(channel('/a'), '1')]));
    await wal.roll();
    await wal.commit(batch([message(channel('/a'), '2')]));
    await wal.close();
    const { carried, records, report } = await readSegment(closed[1]!.directory);
    assert.deepEqual(
      carried.map(({ topic, data }) => [topic, data.toString()]),
      [['/robot_description', 'urdf']],
    );
    assert.deepEqual(
      records.map(({ sequence, data }) => [sequence, data.toString()]),
      [[3, '2']],
    );
    assert.equal(report.state, 'clean');
  });

  it('writes gaps with their nanoseconds, with or without messages', async () => {
    const { wal, closed } = await openWal(folder);
    const gap: Gap = {
      id: 'g1',
      reason: 'source_lost',
      robot: 'crab',
      topic: '/a',
      count: 2 ** 40,
      bytes: Number.MAX_SAFE_INTEGER,
      firstTime: 1_700_000_000_123_456_789n,
      lastTime: 5n,
      settledThrough: 2 ** 45,
      detail: 'ünïcode \u{1f980}',
    };
    await wal.commit(batch([], [gap]));
    await wal.commit(batch([message(channel('/a'), 'x')], [{ ...gap, id: 'g2', firstTime: 0n }]));
    assert.equal(wal.settledThrough(channel('/a')), 2 ** 45);
    await wal.close();
    const { gaps, records } = await readSegment(closed[0]!.directory);
    assert.deepEqual(gaps, [gap, { ...gap, id: 'g2', firstTime: 0n }]);
    assert.equal(records.length, 1);
  });

  it('records with a wall clock beyond every format, at the latest time there is', async () => {
    const { wal, clock, closed, stalls } = await openWal(folder);
    clock.wall = 2n ** 64n + 5n;
    const late = { receivedAt: clock.wall, publishedAt: 2n ** 63n };
    const early = { receivedAt: -7n, publishedAt: 2n ** 70n };
    const gap: Gap = { id: 'g', reason: 'paused', robot: 'crab', firstTime: -1n, lastTime: clock.wall };
    wal.noteClockStep({ at: String(clock.wall), stepNs: '1' });
    await wal.commit(batch([message(channel('/a'), 'x', late), message(channel('/a'), 'y', early)], [gap]));
    clock.wall = 1_700_000_000_000_000_000n;
    await wal.commit(batch([message(channel('/a'), 'z')]));
    await wal.close();
    assert.deepEqual(
      stalls.filter((reason) => reason !== undefined),
      [],
    );
    const { records, gaps } = await readSegment(closed[0]!.directory);
    assert.equal(closed.length, 1);
    const latest = 2n ** 63n - 1n;
    assert.deepEqual(
      records.slice(0, 2).map(({ receivedAt, publishedAt }) => [receivedAt, publishedAt]),
      [
        [latest, latest],
        [0n, latest],
      ],
    );
    assert.deepEqual([gaps[0]?.firstTime, gaps[0]?.lastTime], [0n, latest]);
  });

  it('leaves out what cannot be encoded, counts it, acknowledges it, and records the rest at once', async () => {
    const { wal, closed, stalls } = await openWal(folder);
    let acknowledged = 0;
    const ack = (): void => {
      acknowledged++;
    };
    const metadata = { bad: 2n ** 70n } as unknown as Record<string, string>;
    const bad = message(channel('/bad', { metadata }), 'lost', { ack });
    const badGap = { id: 'g', reason: 'paused', robot: 'crab', count: 2n ** 70n } as unknown as Gap;
    await wal.commit(batch([message(channel('/a'), '1', { ack })]));
    await wal.commit(batch([message(channel('/a'), '2', { ack }), bad], [badGap]));
    await wal.commit(batch([message(channel('/a'), '3', { ack })]));
    await wal.close();
    assert.equal(acknowledged, 4);
    assert.equal(wal.stats.failed, 0);
    assert.deepEqual(
      stalls.filter((reason) => reason !== undefined),
      [],
    );
    const texts: string[] = [];
    const gaps: Gap[] = [];
    for (const { directory } of closed) {
      const read = await readSegment(directory);
      assert.equal(read.report.state, 'clean');
      texts.push(...read.records.map(({ data }) => Buffer.from(data).toString()));
      gaps.push(...read.gaps);
    }
    assert.deepEqual(texts, ['1', '2', '3']);
    assert.deepEqual(
      gaps.map(({ reason, topic, count }) => [reason, topic, count]),
      [
        ['paused', undefined, undefined],
        ['invalid_message', '/bad', 1],
      ],
    );
    assert.match(present(gaps[1]!.detail), /^it cannot be encoded: /);
  });

  describe('when the disk refuses', () => {
    it('writes the batch again into a new segment, under the same sequences', async () => {
      let failing = false;
      const fs = watchedFs(({ method, path }) => {
        if (failing && method === 'datasync' && path.endsWith(BLOB_FILE)) {
          failing = false;
          throw systemError('EIO');
        }
      });
      const { wal, closed, stalls } = await openWal(folder, { fs });
      const acked: number[] = [];
      const send = (n: number): Message =>
        message(channel('/a'), payload(BIG, n), { ack: () => acked.push(n) });
      await wal.commit(batch([send(1)]));
      failing = true;
      await wal.commit(batch([send(2), send(3)]));
      await wal.commit(batch([send(4)]));
      await wal.close();
      assert.deepEqual(acked, [1, 2, 3, 4]);
      assert.equal(wal.durable, 4);
      assert.deepEqual(stalls, ['commit_failed', undefined]);
      const cuts = new Map(closed.map(({ id, cutAtSequence }) => [id, cutAtSequence]));
      assert.deepEqual(
        (await allRecords(cuts)).map(({ sequence, data }) => [sequence, data]),
        [1, 2, 3, 4].map((n) => [n, Buffer.from(payload(BIG, n))]),
      );
      assert.equal(closed[0]!.cutAtSequence, 2);
    });

    it('keeps trying until there is space again, and reports why', async () => {
      let left = 4;
      const fs = watchedFs(({ method, path }) => {
        if (left > 0 && method === 'writev' && path.endsWith(BLOB_FILE) && left-- > 0)
          throw systemError('ENOSPC');
      });
      const { wal, stalls } = await openWal(folder, { fs });
      await wal.commit(batch([message(channel('/a'), payload(BIG, 1))]));
      assert.deepEqual(stalls, ['disk_full', 'disk_full', 'disk_full', 'disk_full', undefined]);
      assert.equal(wal.stats.failed, 4);
      await wal.close();
      assert.equal((await allRecords()).length, 1);
      assert.equal((await segmentsOnDisk()).length, 1, 'segments without a commit are gone');
    });

    it('gives up with the cause when told to', async () => {
      const fs = watchedFs(({ method, path }) => {
        if (method === 'writev' && path.endsWith(BLOB_FILE)) throw systemError('ENOSPC');
      });
      const { wal } = await openWal(folder, { fs });
      const stop = new AbortController();
      const acked: number[] = [];
      const commit = wal.commit(
        batch([message(channel('/a'), payload(BIG, 1), { ack: () => acked.push(1) })]),
        stop.signal,
      );
      setImmediate(() => stop.abort());
      await assert.rejects(commit, (error) => systemCode(error) === 'ENOSPC');
      assert.deepEqual(acked, []);
      assert.equal(wal.durable, 0);
      await wal.close();
    });

    it('finishes a write the operating system took only a part of', async () => {
      const fs = watchedFs(() => undefined);
      const shortFs = {
        ...fs,
        open: async (...args: Parameters<typeof fs.open>) => {
          const handle = await fs.open(...args);
          if (!String(args[0]).endsWith(BLOB_FILE)) return handle;
          const writev = handle.writev.bind(handle);
          let turn = 0;
          handle.writev = async (buffers, position) => {
            if (++turn % 3 === 0) return writev(buffers, position);
            const first = present(buffers.find(({ byteLength }) => byteLength > 0));
            const part = new Uint8Array(first.buffer, first.byteOffset, Math.ceil(first.byteLength / 2));
            return { ...(await writev([part], position)), buffers };
          };
          return handle;
        },
      };
      const { wal, closed } = await openWal(folder, { fs: shortFs });
      const sent = [1, 2, 3].map((n) => message(channel('/a'), payload(BIG + n, n)));
      await wal.commit(batch(sent));
      await wal.close();
      const { records, report } = await readSegment(closed[0]!.directory);
      assert.equal(report.state, 'clean');
      assert.deepEqual(
        records.map(({ data }) => data),
        sent.map(({ data }) => Buffer.from(data)),
      );
    });

    it('hands no segment to sealing before head.json records its content', async () => {
      let failing = true;
      const fs = watchedFs(({ method, path }) => {
        if (failing && method === 'open' && path.includes('head.json')) throw systemError('ENOSPC');
      });
      const ready = await openWal(folder);
      const { wal, closed } = makeWal(folder, ready.recovered.head, ready.clock, { fs });
      await wal.commit(batch([message(channel('/a'), 'x')]));
      await wal.roll();
      assert.equal(closed.length, 0);
      failing = false;
      await wal.rollIfOld();
      assert.equal(closed.length, 1);
      assert.equal((await readHead(realFs, folder.root))?.nextSequence, 2);
      await wal.close();
    });

    it('writes a batch once, also if a source fails to take its acknowledgement', async () => {
      const { wal, closed } = await openWal(folder);
      let later = 0;
      const throwing = (): void => {
        throw new Error('the source is gone');
      };
      await wal.commit(
        batch([
          message(channel('/a'), '1', { ack: throwing }),
          message(channel('/a'), '2', { ack: () => later++ }),
        ]),
      );
      await wal.close();
      assert.equal(later, 1);
      assert.deepEqual(
        (await readSegment(closed[0]!.directory)).records.map(({ sequence }) => sequence),
        [1, 2],
      );
    });
  });

  describe('durability', () => {
    function watchSyncs(): { fs: ReturnType<typeof watchedFs>; synced: () => number } {
      let count = 0;
      const fs = watchedFs(({ method, path }) => {
        if (method === 'datasync' && path.endsWith(BLOB_FILE)) count++;
      });
      return { fs, synced: () => count };
    }

    it('acknowledges only after the fsync in mode commit', async () => {
      const { fs, synced } = watchSyncs();
      const { wal } = await openWal(folder, { fs });
      const at: number[] = [];
      for (let i = 0; i < 3; i++) {
        await wal.commit(batch([message(channel('/a'), payload(BIG, i), { ack: () => at.push(synced()) })]));
      }
      assert.deepEqual(at, [1, 2, 3]);
      assert.equal(wal.unsynced.length, 0);
      await wal.close();
    });

    it('acknowledges at the interval in mode interval', async () => {
      const { fs, synced } = watchSyncs();
      const options = { durability: 'interval', intervalMs: 30 } as const;
      const { wal, clock } = await openWal(folder, { fs, options });
      let acked = 0;
      const two = batch([1, 2].map((n) => message(channel('/a'), payload(BIG, n), { ack: () => acked++ })));
      await wal.commit(two);
      await wal.commit(two);
      assert.deepEqual([acked, synced(), wal.durable], [0, 0, 0]);
      assert.deepEqual(
        wal.unsynced.map(({ messages, bytes }) => [messages.length, bytes]),
        [
          [2, 2 * BIG],
          [2, 2 * BIG],
        ],
      );
      await clock.advance(29);
      assert.deepEqual([acked, synced(), wal.durable], [0, 0, 0]);
      clock.pass(1);
      await eventually(() => wal.durable >= 4);
      assert.deepEqual([acked, synced(), wal.unsynced.length], [4, 1, 0]);
      await wal.close();
    });

    it('acknowledges at the roll in mode os, and keeps no payloads in memory till then', async () => {
      const { fs, synced } = watchSyncs();
      const { wal, closed } = await openWal(folder, { fs, options: { durability: 'os' } });
      let acked = 0;
      await wal.commit(batch([message(channel('/a'), payload(BIG, 1), { ack: () => acked++ })]));
      assert.deepEqual([acked, synced()], [0, 0]);
      assert.doesNotMatch(inspect(wal.unsynced, { depth: 9 }), /Uint8Array|Buffer/);
      await wal.roll();
      assert.deepEqual([acked, synced(), wal.durable], [1, 1, 1]);
      await wal.close();
      assert.equal((await readSegment(closed[0]!.directory)).report.state, 'clean');
    });

    it('acknowledges nothing an fsync failed to cover, and continues in another segment', async () => {
      let failing = true;
      const fs = watchedFs(({ method, path }) => {
        if (failing && method === 'datasync' && path.endsWith(BLOB_FILE)) {
          failing = false;
          throw systemError('EIO');
        }
      });
      const { wal, closed } = await openWal(folder, { fs, options: { durability: 'os' } });
      const acked: number[] = [];
      await wal.commit(batch([message(channel('/a'), payload(BIG, 1), { ack: () => acked.push(1) })]));
      await wal.roll();
      await wal.commit(batch([message(channel('/a'), payload(BIG, 2), { ack: () => acked.push(2) })]));
      await wal.close();
      assert.deepEqual(acked, [2]);
      assert.equal(wal.durable, 1);
      const [first, second] = await Promise.all(closed.map(({ directory }) => readSegment(directory)));
      assert.ok(first && second);
      assert.equal(first.report.state, 'unclean');
      assert.equal(second.report.state, 'clean');
      assert.equal(second.report.firstSequence, 2, 'the number is not used a second time');
    });
  });
});
