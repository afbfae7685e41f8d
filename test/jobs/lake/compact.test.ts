import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { present } from '../../../src/core/present.js';
import { EncodePool } from '../../../src/jobs/export/encode-pool.js';
import { ParquetDeriver } from '../../../src/jobs/lake/parquet-deriver.js';
import { compactLake, planCompaction, type CompactReport } from '../../../src/jobs/lake/compact-lake.js';
import { lakeForms, readChanges, readLake } from '../../../src/jobs/lake/lake-state.js';
import { compactedName, isCompacted, LAKE_WRITER } from '../../../src/jobs/lake/lake-claims.js';
import { isHoldfastError } from '../../../src/core/errors.js';
import {
  decodeLakeSegment,
  encodeLake,
  lakeChangeKey,
  type LakeChange,
  type LakeFile,
} from '../../../src/core/lake-manifest.js';
import type { Problem } from '../../../src/recordings/segments.js';
import { drainGroup } from '../../sync/group-world.js';
import { DyingProcess } from '../../sync/crash-disk.js';
import { realClock, SyncWorld } from '../../sync/sync-world.js';
import { runCli } from '../../support/cli.js';
import { arrowTable } from '../../support/arrow.js';
import { duckdb, rowsOf } from '../../support/duckdb.js';
import { MemoryStore, MemoryStoreContent } from '../../support/memory-store.js';
import { EIGHT, event, lakeSink, layoutOf, sealLake } from './lake-world.js';

const options = { smallBytes: 1 << 20, targetBytes: 1 << 22, keepMs: 0 };
const unreadable = ({ where, reason }: { where: string; reason: string }): void => {
  throw new Error(`${where}: ${reason}`);
};

function compact(
  store: MemoryStore,
  life = new DyingProcess(),
  onProblem: (problem: Problem) => void = unreadable,
): Promise<CompactReport> {
  const form = new ParquetDeriver(fs, { layout: layoutOf() }).form;
  const ports = {
    store,
    fs: life.fs,
    clock: realClock,
    random: randomBytes,
    signal: life.signal,
    onProblem,
  };
  return compactLake(form, options, ports);
}

/**
 * A Parquet file of the lake as version 0.1.0 wrote it: its footer has an empty list of key-value metadata (field 5) without a
 * type. Thrift's compact protocol writes the numbers of fields as differences.
 */
function withUntypedList(file: Buffer): Buffer {
  const writer = Buffer.from(LAKE_WRITER);
  const field = (difference: number): Buffer => Buffer.of((difference << 4) | 8, writer.byteLength);
  const at = file.lastIndexOf(Buffer.concat([field(2), writer]));
  assert.ok(at > 0, 'the footer names its writer');
  const end = file.byteLength - 8;
  const body = file.subarray(at + field(2).byteLength, end);
  const length = Buffer.alloc(4);
  const list = Buffer.of(0x19, 0x00);
  length.writeUInt32LE(file.readUInt32LE(end) + list.byteLength);
  return Buffer.concat([file.subarray(0, at), list, field(1), body, length, file.subarray(end + 4)]);
}

describe('compaction of a lake', function () {
  this.timeout(60_000);
  const pool = new EncodePool(1);
  let lake: MemoryStoreContent;
  /** Events 0 to 59 of 6 segments; the last is of another recorder and has 50 to 59 once more. */
  before(async () => {
    await using world = await SyncWorld.create();
    for (let part = 0; part < 6; part++) {
      const events = Array.from({ length: 10 }, (_, index) => event(10 * part + index));
      await sealLake(world, events, [{ logTime: EIGHT + BigInt(part), text: `text ${part}` }]);
    }
    await sealLake(
      world,
      Array.from({ length: 10 }, (_, index) => event(50 + index)),
      [],
      'r2',
    );
    lake = new MemoryStoreContent();
    const deriver = new ParquetDeriver(fs, { layout: layoutOf(), pool });
    await drainGroup(world, [lakeSink(new MemoryStore({ content: lake }), { deriver })]);
  });
  after(() => pool[Symbol.asyncDispose]());

  const copy = (): MemoryStoreContent => {
    const content = new MemoryStoreContent();
    content.id = lake.id;
    for (const [key, data] of lake.objects) content.objects.set(key, data);
    return content;
  };

  /** Rows of the files that count, read by DuckDB. */
  const rows = async (content: MemoryStoreContent): Promise<{ events: bigint[]; texts: string[] }> => {
    const store = new MemoryStore({ content });
    const signal = AbortSignal.timeout(30_000);
    const keys: string[] = [];
    for (const form of await lakeForms(store, signal)) {
      keys.push(...(await readLake(store, form, signal, unreadable)).live.keys());
    }
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-compact-'));
    try {
      for (const key of keys) {
        const data = content.objects.get(key);
        assert.ok(data, `${key} counts and is gone`);
        await fs.mkdir(dirname(join(folder, key)), { recursive: true });
        await fs.writeFile(join(folder, key), data);
      }
      const connection = await duckdb();
      const from = (what: string): string =>
        `FROM read_parquet([${keys
          .filter((key) => key.startsWith(what))
          .map((key) => `'${folder}/${key}'`)
          .join(', ')}], hive_partitioning=false)`;
      const events = await rowsOf(
        connection,
        `SELECT stream_sequence AS n, decode(event_payload) AS payload, log_time ${from('logs/')} ORDER BY n`,
      );
      for (const key of keys) assert.ok(arrowTable(present(content.objects.get(key))).numRows > 0, key);
      for (const { n, payload } of events) assert.equal(payload, `{"n":${Number(n) - 1}}`);
      const texts = await rowsOf(
        connection,
        `SELECT data ${from('robot=')} WHERE log_time >= TIMESTAMP '2026-11-28 08:00:00' ORDER BY data`,
      );
      return { events: events.map(({ n }) => n as bigint), texts: texts.map(({ data }) => data as string) };
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  };

  const once = Array.from({ length: 60 }, (_, index) => BigInt(index + 1));
  const texts = Array.from({ length: 6 }, (_, part) => `text ${part}`);

  it('merges the files of a folder, keeps one copy of each event, and removes the merged files', async () => {
    const content = copy();
    assert.equal((await rows(content)).events.length, 70);
    const report = await compact(new MemoryStore({ content }));
    assert.deepEqual(
      { ...report },
      { made: 2, replaced: 13, duplicates: 10, removed: 13, rows: 66, files: 2 },
    );
    assert.deepEqual(await rows(content), { events: once, texts });
    assert.equal([...content.objects.keys()].filter((key) => key.endsWith('.parquet')).length, 2);
    const again = await compact(new MemoryStore({ content }));
    assert.deepEqual([again.made, again.removed], [0, 0]);
  });

  it('makes files that arrow-rs reads of files whose footers have an empty list without a type', async () => {
    const content = copy();
    for (const [key, text] of content.objects) {
      if (!/^_holdfast\/.*\/segments\//.test(key)) continue;
      const marker = decodeLakeSegment(text.toString(), key);
      const files = marker.files.map((file) => {
        const old = withUntypedList(present(content.objects.get(file.key)));
        assert.throws(() => arrowTable(old), /./, file.key);
        content.objects.set(file.key, old);
        const sha256 = createHash('sha256').update(old).digest('hex');
        return { ...file, bytes: old.byteLength, sha256, crc32: crc32(old) };
      });
      content.objects.set(key, Buffer.from(encodeLake({ ...marker, files })));
    }
    const report = await compact(new MemoryStore({ content }));
    assert.deepEqual([report.made, report.replaced, report.rows], [2, 13, 66]);
    // It reads every file that counts with DuckDB and with arrow-rs.
    assert.deepEqual(await rows(content), { events: once, texts });
  });

  it('shows each row once at every step, and after a kill at any of them, and ends the same when run again', async () => {
    const whole = new DyingProcess();
    await compact(new MemoryStore({ content: copy(), faults: whole.faults }), whole);
    assert.ok(whole.steps.length > 30, `${whole.steps.length} steps`);
    for (let step = 0; step < whole.steps.length; step += 2) {
      const content = copy();
      const life = new DyingProcess(step);
      const where = `killed at step ${step}, ${whole.steps[step]}`;
      const report = await life.outcomeOf(compact(new MemoryStore({ content, faults: life.faults }), life));
      assert.equal(report, undefined, where);
      const between = await rows(content);
      assert.deepEqual([...new Set(between.events)], once, where);
      assert.ok([60, 70].includes(between.events.length), `${where}: ${between.events.length} rows`);
      assert.deepEqual(between.texts, texts, where);
      await compact(new MemoryStore({ content }));
      assert.deepEqual(await rows(content), { events: once, texts }, where);
      const left = [...content.objects.keys()].filter((key) => key.endsWith('.parquet'));
      assert.equal(left.length, 2, `${where}: ${left.join(' ')}`);
    }
  });

  it('is safe beside another one: nothing twice, nothing missing', async () => {
    const content = copy();
    await Promise.all([0, 1, 2].map(() => compact(new MemoryStore({ content }))));
    await compact(new MemoryStore({ content }));
    assert.deepEqual(await rows(content), { events: once, texts });
    assert.equal([...content.objects.keys()].filter((key) => key.endsWith('.parquet')).length, 2);
  });

  describe('beside somebody who may write to the store', () => {
    const form = new ParquetDeriver(fs, { layout: layoutOf() }).form;
    const segment = 'robot=r1/date=2026-11-28/hour=08/0000000001-00.mcap';

    /** Compacts with a forged change of the history, and returns what was reported. */
    const withForged = async (
      content: MemoryStoreContent,
      change: Partial<LakeChange>,
    ): Promise<{ problems: string; removed: number }> => {
      const store = new MemoryStore({ content });
      const changes = await readChanges(store, form, AbortSignal.timeout(10_000));
      const number = (changes.at(-1)?.number ?? 0) + 1;
      const forged: LakeChange = {
        ...{ format: 'holdfast-lake-change', version: 1, form, number, at: '0' },
        ...{ replaces: [], adds: [], duplicates: 0, abandons: [], ...change },
      };
      content.objects.set(lakeChangeKey(form, number), Buffer.from(encodeLake(forged)));
      const problems: string[] = [];
      const { removed } = await compact(store, new DyingProcess(), ({ where, reason }) =>
        problems.push(`${where}: ${reason}`),
      );
      return { problems: problems.join('\n'), removed };
    };
    const tables = (content: MemoryStoreContent): string[] =>
      [...content.objects.keys()].filter((key) => key.endsWith('.parquet'));
    const made = (key: string, rows: number): LakeFile => ({
      ...{ key, bytes: options.smallBytes, sha256: '0'.repeat(64), crc32: 0, rows, table: 'topics' },
    });

    it('never removes a segment, for any change in the history', async () => {
      for (const change of [
        { replaces: [segment] },
        { abandons: [segment] },
        { replaces: [segment], adds: [made(`x/${compactedName(form, '0'.repeat(16))}`, 1)] },
      ]) {
        const content = copy();
        content.objects.set(segment, Buffer.from('an MCAP'));
        const { problems } = await withForged(content, change);
        assert.ok(content.objects.has(segment), JSON.stringify(change));
        assert.match(problems, /kept: it/);
        assert.match(problems, new RegExp(segment));
      }
    });

    it('never removes a segment that a forged marker lists as a table', async () => {
      const content = copy();
      const bytes = Buffer.from('an MCAP under the name of a table');
      const key = `${dirname(tables(content)[0]!)}/mine.parquet`;
      content.objects.set(key, bytes);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const file = { ...made(key, 0), bytes: bytes.length, sha256, crc32: crc32(bytes) };
      const [markerKey, marker] = present([...content.objects].find(([one]) => one.includes('/segments/')));
      const listed = decodeLakeSegment(Buffer.from(marker).toString('utf8'), markerKey);
      const forged = { ...listed, files: [...listed.files, file] };
      content.objects.set(markerKey, Buffer.from(encodeLake(forged)));
      // The rest of what a compaction would have done, complete and true.
      const table = Buffer.from(present(content.objects.get(tables(content)[0]!)));
      const target = `${dirname(key)}/${compactedName(form, 'a'.repeat(16))}`;
      content.objects.set(target, table);
      const sum = createHash('sha256').update(table).digest('hex');
      const adds = [{ ...made(target, 0), bytes: table.length, sha256: sum, crc32: crc32(table) }];
      const { problems } = await withForged(content, { replaces: [key], adds });
      assert.ok(content.objects.has(key));
      assert.match(problems, /mine\.parquet: kept: .*no Parquet file/);
    });

    it('removes nothing whose rows would be gone', async () => {
      const content = copy();
      const before = tables(content);
      const all = await withForged(content, { replaces: before });
      assert.match(all.problems, /it adds 0 files/);
      const topic = present(before.find((key) => key.startsWith('robot=')));
      const few = await withForged(copy(), {
        replaces: [topic],
        adds: [made(`${dirname(topic)}/${compactedName(form, '1'.repeat(16))}`, 0)],
      });
      assert.match(few.problems, /it replaces \d+ rows by 0/);
      for (const key of before) assert.ok(content.objects.has(key), key);
    });

    it('keeps replaced files while the file that has their rows is missing or another', async () => {
      for (const spoil of [undefined, Buffer.from('something else')]) {
        const content = copy();
        const store = new MemoryStore({ content });
        const signal = AbortSignal.timeout(30_000);
        const ports = { store, fs, clock: realClock, random: randomBytes, signal, onProblem: unreadable };
        await compactLake(form, { ...options, keepMs: 3_600_000 }, ports);
        const before = tables(content).filter((key) => !isCompacted(form, key));
        for (const key of tables(content).filter((one) => isCompacted(form, one))) {
          if (spoil === undefined) content.objects.delete(key);
          else content.objects.set(key, spoil);
        }
        const problems: string[] = [];
        await compact(store, new DyingProcess(), ({ reason }) => problems.push(reason));
        for (const key of before) assert.ok(content.objects.has(key), key);
        assert.match(problems.join(), /what replaces it is not there/);
      }
    });

    it('ignores a change under the key of another one', async () => {
      const content = copy();
      await compact(new MemoryStore({ content }));
      const first = present([...content.objects].find(([key]) => key.includes('/changes/')));
      content.objects.set(lakeChangeKey(form, 99), first[1]);
      await assert.rejects(
        compact(new MemoryStore({ content })),
        (error) => isHoldfastError(error, 'MANIFEST_INVALID') && /belongs at/.test(error.message),
      );
    });
  });

  it('takes neither legal holds nor requests for a lake', async () => {
    const content = new MemoryStoreContent();
    content.objects.set('_holdfast/holds/0123456789abcdef.json', Buffer.from('{}'));
    content.objects.set('_holdfast/requests/robot=r1/0123456789abcdef.json', Buffer.from('{}'));
    const signal = AbortSignal.timeout(10_000);
    assert.deepEqual(await lakeForms(new MemoryStore({ content }), signal), []);
    content.objects.set(lakeChangeKey('topics', 1), Buffer.from('{}'));
    assert.deepEqual(await lakeForms(new MemoryStore({ content }), signal), ['topics']);
  });

  it('leaves replaced files for as long as readers of single files were promised', async () => {
    const content = copy();
    const form = (await lakeForms(new MemoryStore({ content }), AbortSignal.timeout(10_000)))[0]!;
    const store = new MemoryStore({ content });
    const signal = AbortSignal.timeout(30_000);
    const ports = { store, fs, clock: realClock, random: randomBytes, signal, onProblem: unreadable };
    const report = await compactLake(form, { ...options, keepMs: 3_600_000 }, ports);
    assert.equal(report.removed, 0);
    assert.deepEqual(await rows(content), { events: once, texts });
    assert.equal((await compact(store)).removed, 13);
  });

  it('plans by folder, kind and size', () => {
    const file = (key: string, bytes: number, table: LakeFile['table'] = 'topics'): LakeFile => ({
      key,
      bytes,
      sha256: '',
      crc32: 0,
      rows: 1,
      table,
    });
    const files = [
      file('a/1', 10),
      file('a/2', 10),
      file('a/3', 10),
      file('a/4', 10),
      file('a/5', 99),
      file('b/1', 1),
    ];
    const plan = planCompaction([...files].reverse(), { smallBytes: 50, targetBytes: 30, keepMs: 0 });
    assert.deepEqual(
      plan.map((group) => group.map(({ key }) => key)),
      [['a/1', 'a/2', 'a/3']],
    );
  });

  it('is a command, which lists too', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-compact-'));
    try {
      for (const [key, data] of lake.objects) {
        await fs.mkdir(dirname(join(folder, key)), { recursive: true });
        await fs.writeFile(join(folder, key), data);
      }
      const run = await runCli(['compact', `dir:${folder}`, '--json']);
      assert.equal(run.exitCode, 0, run.stderr);
      const list = await runCli(['compact', `dir:${folder}`, '--list']);
      assert.equal(list.stdout.trim().split('\n').length, 2, list.stdout);
      const bad = await runCli(['compact', `dir:${folder}`, '--small', 'much', '--keep', 'long', '--json']);
      assert.equal(bad.exitCode, 2);
      assert.match(bad.stderr, /--small[\s\S]*--keep/);
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });
});
