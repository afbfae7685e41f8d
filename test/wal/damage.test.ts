import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { present } from '../../src/core/present.js';
import { surveySegment } from '../../src/seal/segment-survey.js';
import { LOG_BLOCK_BYTES } from '../../src/wal/leveldb-log.js';
import { damages, directoryInMemory } from './memory-fs.js';
import { testWalKeys } from '../support/encrypted-segments.js';
import type { WalKeys } from '../../src/wal/segment-cipher.js';
import { logName, smallSegment, type SmallSegment, type SmallSegmentOptions } from './small-segment.js';
import { readSegment, type ReadRecord } from './wal-support.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';

/** What reading a damaged segment comes to. */
interface Outcome {
  readonly state: string;
  readonly missing: number;
  readonly faults: number;
  readonly missingRecords: number;
}

const forms: readonly [name: string, keys: WalKeys][] = [
  ['A damaged WAL segment', []],
  ['A damaged WAL segment that is encrypted', testWalKeys],
];
for (const [form, keys] of forms)
  describe(form, () => {
    const isEncrypted = keys.length > 0;
    let root: string;
    before(async () => {
      root = await realFs.mkdtemp(join(tmpdir(), 'holdfast-damage-'));
    });
    after(async () => {
      await realFs.rm(root, { recursive: true, force: true });
    });

    let made = 0;
    const make = (options: SmallSegmentOptions): Promise<SmallSegment> =>
      smallSegment(join(root, String(made++)), { ...options, keys });

    /**
     * The promise: every message given back is byte-identical, none appears that was not written, and where
     * one is missing the report says so.
     */
    async function check(
      segment: SmallSegment,
      files: ReadonlyMap<string, Buffer>,
      what: string,
    ): Promise<Outcome> {
      const directory = join(root, segment.name);
      const fs = directoryInMemory(files);
      const { records, gaps, report } = await readSegment(directory, fs, keys);
      const known = new Map(segment.messages.map((one) => [present(one.sourceSequence), one]));
      const got = new Set<number>();
      for (const record of records) {
        if (!record.intact || record.topic === '(unknown)') continue;
        assertSame(record, known, what);
        assert.ok(!got.has(record.sequence), `${what}: record ${record.sequence} twice`);
        got.add(record.sequence);
      }
      for (const gap of gaps) assert.deepEqual(gap, segment.gaps[0], what);
      const missing = segment.messages.length - got.size;
      const incomplete = missing > 0 || gaps.length < segment.gaps.length;
      // The reader does not check payloads; the survey before sealing checks them.
      const { state, faults, missingRecords } =
        incomplete || report.state === 'corrupt'
          ? (await surveySegment(fs, directory, false, Infinity, true, keys)).report
          : report;
      if (incomplete) {
        assert.ok(state === 'corrupt' || state === 'unclean', `${what}: ${missing} missing, but ${state}`);
      }
      assert.equal(state === 'corrupt', faults.length > 0, what);
      return { state, missing, faults: faults.length, missingRecords };
    }

    function assertSame(
      record: ReadRecord,
      known: ReadonlyMap<number, SmallSegment['messages'][number]>,
      what: string,
    ): void {
      const sent = known.get(record.sequence);
      assert.ok(sent, `${what}: record ${record.sequence} was never written`);
      assert.ok(
        record.data.equals(Buffer.from(sent.data)),
        `${what}: record ${record.sequence} has other bytes`,
      );
      const { channel } = sent;
      assert.ok(
        record.topic === channel.topic &&
          record.robot === channel.robot &&
          record.receivedAt === sent.receivedAt &&
          record.publishedAt === sent.publishedAt &&
          record.sourceSequence === sent.sourceSequence,
        `${what}: record ${record.sequence} is described otherwise`,
      );
    }

    async function checkEveryOffset(segment: SmallSegment, files: readonly string[]): Promise<Outcome[]> {
      const outcomes: Outcome[] = [];
      for (const name of files) {
        const bytes = present(segment.files.get(name));
        for (const [kind, damage] of Object.entries(damages)) {
          for (let offset = 0; offset < bytes.length; offset++) {
            const damaged = new Map(segment.files).set(name, damage(bytes, offset));
            outcomes.push(await check(segment, damaged, `${kind} at ${offset} of ${name}`));
          }
        }
      }
      return outcomes;
    }

    const shape = { batches: [[20, 0, 33], [10, 64], [100], [5, 5]], inlineMaxBytes: 1e6 };

    it('reads whole if nothing is damaged', async () => {
      for (const inlineMaxBytes of [0, 1e6]) {
        for (const ended of [true, false]) {
          const segment = await make({ ...shape, inlineMaxBytes, ended });
          const outcome = await check(segment, segment.files, 'undamaged');
          assert.deepEqual(outcome, {
            state: ended ? 'clean' : 'unclean',
            missing: 0,
            faults: 0,
            missingRecords: 0,
          });
        }
      }
    });

    it('with inline batches never lies about any byte of its log', async function () {
      this.timeout(120_000);
      const segment = await make({ ...shape, ended: true });
      const outcomes = await checkEveryOffset(segment, [logName(segment)]);
      // One damaged byte costs the commit it lies in; or, in the first, the channels and with them all.
      assert.ok(outcomes.every(({ missing }) => missing <= 3 || missing === segment.messages.length));
      assert.ok(outcomes.some(({ state }) => state === 'corrupt'));
      for (const { state, missing, missingRecords } of outcomes) {
        if (state === 'corrupt' && missing > 0)
          assert.ok(missingRecords >= missing, 'the report counts them');
      }
    });

    it('with its batches in the blob never lies about any byte of log or blob', async function () {
      this.timeout(120_000);
      const segment = await make({ ...shape, inlineMaxBytes: 0, ended: true });
      const outcomes = await checkEveryOffset(segment, [logName(segment), 'blob']);
      assert.ok(
        outcomes.some(({ state, missing }) => state === 'corrupt' && missing === 1),
        'one payload damaged',
      );
    });

    if (!isEncrypted)
      it('with its payloads in place never lies about any byte of log, blob or object file', async function () {
        this.timeout(120_000);
        for (const inlineMaxBytes of [0, 1e6]) {
          const batches = [
            [20, 33, 0],
            [30, 64],
            [5, 100],
          ];
          const segment = await make({ batches, inlineMaxBytes, inPlaceMinBytes: 20, ended: true });
          const beside = [...segment.files.keys()].filter((name) => /^object-/.test(name));
          assert.deepEqual(beside.sort(), ['object-1.mcap', 'object-2.mcap']);
          assert.equal((await check(segment, segment.files, 'undamaged')).state, 'clean');
          const outcomes = await checkEveryOffset(segment, [...beside, ...(inlineMaxBytes ? [] : ['blob'])]);
          assert.ok(outcomes.some(({ state, missing }) => state === 'corrupt' && missing === 1));
          assert.ok(outcomes.some(({ state, missing }) => state === 'clean' && missing === 0));
          if (inlineMaxBytes > 0) await checkEveryOffset(segment, [logName(segment)]);
          const without = new Map(segment.files);
          without.delete('object-1.mcap');
          const { state, missing } = await check(segment, without, 'without its object file');
          assert.deepEqual([state, missing], ['corrupt', 2]);
        }
      });

    it('that was cut off by a kill never lies about any byte of log or blob', async function () {
      this.timeout(120_000);
      const segment = await make({ batches: [[9], [8, 7]], inlineMaxBytes: 0, ended: false });
      await checkEveryOffset(segment, [logName(segment), 'blob']);
      const single = await make({ batches: [[9, 3]], inlineMaxBytes: 1e6, ended: false });
      const outcomes = await checkEveryOffset(single, [logName(single)]);
      // The only commit may be a torn one as well: it is kept for a person to see, never dropped as empty.
      assert.ok(outcomes.every(({ state, missing }) => missing === 0 || state !== 'empty'));
    });

    it('that lost the end of its log is distinguished from one that was cut off while it wrote ahead', async () => {
      const stateWith = async (...staged: ('ahead' | 'alone')[]): Promise<[string, number]> => {
        const segment = await make({ batches: [[9], [8, 7]], inlineMaxBytes: 0, ended: false, staged });
        const { state, missingRecords } = await check(segment, segment.files, staged.join(' and '));
        return [state, missingRecords];
      };
      assert.deepEqual(await stateWith('alone'), ['unclean', 0]);
      assert.deepEqual(await stateWith('alone', 'ahead'), ['unclean', 0]);
      assert.deepEqual(await stateWith('ahead', 'ahead'), ['unclean', 0]);
      assert.deepEqual(await stateWith('alone', 'alone'), ['corrupt', 2]);
      assert.deepEqual(await stateWith('alone', 'ahead', 'ahead'), ['corrupt', 3]);
    });

    if (!isEncrypted)
      it('that lost the end of its log is noticed by its object files, where the batches lay in the log', async () => {
        const stateWith = async (staged: number): Promise<[string, number]> => {
          const segment = await make({
            batches: [[9], [8, 27]],
            inlineMaxBytes: 1e6,
            inPlaceMinBytes: 15,
            ended: false,
            staged: Array.from({ length: staged }, () => 'ahead' as const),
          });
          const { state, missingRecords } = await check(segment, segment.files, `${staged} staged`);
          return [state, missingRecords];
        };
        assert.deepEqual(await stateWith(1), ['unclean', 0]);
        assert.deepEqual(await stateWith(2), ['unclean', 0]);
        assert.deepEqual(await stateWith(3), ['corrupt', 3]);
      });

    it('does not depend on any other file of its folder', async () => {
      const segment = await make({ ...shape, ended: true });
      for (const name of segment.files.keys()) {
        if (name === logName(segment) || name === 'blob') continue;
        const without = new Map(segment.files);
        without.delete(name);
        for (const files of [without, new Map(segment.files).set(name, Buffer.from('nonsense'))]) {
          assert.equal((await check(segment, files, name)).state, 'clean');
        }
      }
    });

    it('over many blocks loses no more than the damaged commit, and is not taken for cut off', async function () {
      this.timeout(120_000);
      const batches = [
        [100],
        [40_000],
        [30_000, 10_000],
        [50],
        [60_000],
        ...Array.from({ length: 60 }, () => [900]),
      ];
      const segment = await make({ batches, inlineMaxBytes: 1e6, ended: true });
      const log = present(segment.files.get(logName(segment)));
      assert.ok(log.length > 6 * LOG_BLOCK_BYTES);
      const random = seededBytes(7);
      const offsets = Array.from({ length: 250 }, () => Buffer.from(random(4)).readUInt32LE() % log.length);
      for (let block = LOG_BLOCK_BYTES; block < log.length; block += LOG_BLOCK_BYTES) {
        for (let near = -8; near < 8; near++) offsets.push(block + near);
      }
      for (const offset of offsets) {
        const damaged = new Map(segment.files).set(logName(segment), damages['a flipped bit']!(log, offset));
        const { state, missing } = await check(segment, damaged, `a flipped bit at ${offset}`);
        // Behind the first commit, which holds the channels.
        if (offset > 1500) assert.ok(missing <= 2, `a flipped bit at ${offset} cost ${missing} messages`);
        if (missing > 0) assert.equal(state, 'corrupt', `a flipped bit at ${offset}`);
      }
      for (const kind of ['a missing byte', 'an added byte']) {
        for (const offset of offsets.slice(0, 60)) {
          const damaged = new Map(segment.files).set(logName(segment), damages[kind]!(log, offset));
          await check(segment, damaged, `${kind} at ${offset}`);
        }
      }
    });

    it('does not take the log of another segment inside a payload for its own', async function () {
      this.timeout(120_000);
      const other = await make({
        batches: [[11, 12], [13], [14, 15]],
        inlineMaxBytes: 1e6,
        ended: true,
        seed: 5,
      });
      const inside = present(other.files.get(logName(other)));
      const batches = [[20], [30, inside.length], [5]];
      const segment = await make({
        batches: [...batches.slice(0, 1), [30]],
        inlineMaxBytes: 1e6,
        ended: false,
      });
      const nested = await make({
        batches: [[20], [30, inside.length]],
        lastPayload: inside,
        inlineMaxBytes: 1e6,
        ended: false,
      });
      assert.ok(segment.messages.length < nested.messages.length);
      await checkEveryOffset(nested, [logName(nested)]);
      // Stale bytes of another segment in the disk blocks behind the end, as a power cut may leave them.
      const log = present(segment.files.get(logName(segment)));
      for (const tail of [inside, Buffer.concat([Buffer.alloc(100), inside]), inside.subarray(0, 700)]) {
        const stale = new Map(segment.files).set(logName(segment), Buffer.concat([log, tail]));
        await check(segment, stale, 'stale blocks behind the end');
      }
    });

    it('whose log lost its end or all of it is not sealed as if that were all', async () => {
      const segment = await make({ batches: [[9], [8], [7], [6]], inlineMaxBytes: 0, ended: false });
      const name = logName(segment);
      for (const log of [Buffer.alloc(0), present(segment.files.get(name)).subarray(0, 900)]) {
        const outcome = await check(segment, new Map(segment.files).set(name, log), 'a truncated log');
        assert.equal(outcome.state, 'corrupt');
        assert.ok(outcome.missingRecords >= 3);
      }
      const without = new Map(segment.files);
      without.delete(name);
      assert.equal((await check(segment, without, 'no log')).state, 'corrupt');
    });

    if (!isEncrypted)
      it('keeps the topic and bytes of messages whose schema was lost', async () => {
        const segment = await make({ ...shape, ended: true });
        const name = logName(segment);
        const damaged = Buffer.from(present(segment.files.get(name)));
        const at = damaged.indexOf('uint8[] data\n');
        // A valid write whose schema entry has another key: what a lost entry looks like to the channel.
        const key = damaged.lastIndexOf('d', damaged.lastIndexOf(Buffer.from([0, 0, 0, 1]), at));
        damaged[key + 4] = 9;
        rewriteRecordCrc(damaged);
        const { records, report } = await readSegment(
          join(root, segment.name),
          directoryInMemory(new Map(segment.files).set(name, damaged)),
        );
        assert.equal(records.length, segment.messages.length);
        assert.equal(report.state, 'corrupt');
        assert.match(report.faults[0]!.what, /schema p\/msg\/T was not read/);
      });
  });

/** Masked CRC-32C of the first physical record, as LevelDB writes it. */
function rewriteRecordCrc(log: Buffer): void {
  const length = log.readUInt16LE(4);
  const value = crc32c(log.subarray(6, 7 + length));
  log.writeUInt32LE((((value >>> 15) | (value << 17)) + 0xa282ead8) >>> 0, 0);
  assert.notEqual(crc32(log), 0);
}

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
