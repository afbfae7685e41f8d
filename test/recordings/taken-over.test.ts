import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { McapStreamReader, type TypedMcapRecord } from '@mcap/core';
import zstd from '@foxglove/wasm-zstd';
import { present } from '../../src/core/present.js';
import { catMessages } from '../../src/recordings/cat.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { replay } from '../../src/recordings/replay.js';
import type { Segment } from '../../src/recordings/segments.js';
import { createMcapSource } from '../../src/sources/mcap/mcap-source.js';
import { parseSourceUri } from '../../src/sources/source-uri.js';
import { exportTo } from '../jobs/export/export-support.js';
import { Probe, recordingLogger, type LogLine } from '../../src/testing/source-probe.js';
import { mcapFixture } from '../support/mcap-fixtures.js';
import { runCli } from '../support/cli.js';
import { testMcap } from '../support/test-mcap.js';

describe('what replay and export write', () => {
  let root: string;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-taken-over-'));
    await zstd.isLoaded;
  });
  afterEach(() => fs.rm(root, { recursive: true, force: true }));

  const segmentOf = (files: FilePool, path: string): Segment => ({
    name: path,
    bytes: 0,
    readable: () => files.readable(path),
  });

  /** Each way of making an MCAP of an MCAP. */
  const ways: Readonly<Record<string, (...paths: readonly string[]) => Promise<string>>> = {
    async replay(...paths) {
      await using files = new FilePool(fs);
      const output = join(root, 'replayed.mcap');
      const segments = paths.map((path) => segmentOf(files, path));
      const report = await replay(segments, { output, format: 'mcap', filter: {}, version: '1.0.0', fs });
      assert.deepEqual(report.problems, []);
      return output;
    },
    async 'export --format mcap'(path) {
      const to = join(root, 'exported');
      const { ok, manifest } = await exportTo(present(path), to, { format: 'mcap' });
      assert.ok(ok);
      return join(to, manifest.files[0]!.path);
    },
  };

  const recordsOf = async (path: string): Promise<TypedMcapRecord[]> => {
    const reader = new McapStreamReader({
      validateCrcs: true,
      decompressHandlers: { zstd: (data, size) => zstd.decompress(data, Number(size)) },
    });
    reader.append(await fs.readFile(path));
    const records: TypedMcapRecord[] = [];
    for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord())
      records.push(record);
    return records;
  };
  const vehicleRecords = (records: readonly TypedMcapRecord[]): unknown[] =>
    records.flatMap((record) =>
      record.type === 'Metadata' && record.name === 'vehicle' ? [Object.fromEntries(record.metadata)] : [],
    );

  for (const [way, write] of Object.entries(ways)) {
    it(`gives every message the definition it was recorded with: ${way}`, async () => {
      const path = await write(mcapFixture('changed-definition.mcap'));
      await using files = new FilePool(fs);
      const values: unknown[] = [];
      const take = (line: string): void => void values.push((JSON.parse(line) as { data: unknown }).data);
      await catMessages([segmentOf(files, path)], { filter: {}, write: take });
      assert.deepEqual(values, [{ a: 7 }, { z: 1.5, a: 7 }]);
    });

    it(`keeps the metadata records of the input: ${way}`, async () => {
      const records = await recordsOf(await write(mcapFixture('metadata-and-attachment.mcap')));
      const source = await recordsOf(mcapFixture('metadata-and-attachment.mcap'));
      assert.equal(vehicleRecords(source).length, 1);
      assert.deepEqual(vehicleRecords(records), vehicleRecords(source));
    });
  }

  it('keeps the attachments of the input, and what two inputs have alike once: replay', async () => {
    const path = mcapFixture('metadata-and-attachment.mcap');
    const copy = join(root, 'copy.mcap');
    await fs.copyFile(path, copy);
    const attachmentsOf = (records: readonly TypedMcapRecord[]): unknown[] =>
      records.flatMap((record) =>
        record.type === 'Attachment'
          ? [[record.name, record.mediaType, String(record.logTime), Buffer.from(record.data)]]
          : [],
      );
    const records = await recordsOf(await ways['replay']!(path, copy));
    const source = attachmentsOf(await recordsOf(path));
    assert.equal(source.length, 1);
    assert.deepEqual(attachmentsOf(records), source);
    assert.equal(vehicleRecords(records).length, 1);
  });

  const both = /not exported: 1 metadata records \(vehicle\) and 1 attachments/;
  for (const [format, left] of [
    ['mcap', /not exported: 1 attachments/],
    ...(['jsonl', 'csv', 'parquet', 'numpy', 'tfrecord'] as const).map((name) => [name, both] as const),
  ] as const) {
    it(`reports what it leaves out: export --format ${format}`, async () => {
      const path = mcapFixture('metadata-and-attachment.mcap');
      const { notes, ok } = await exportTo(path, join(root, format), { format });
      assert.ok(ok);
      assert.equal(notes.length, 1);
      assert.equal(basename(notes[0]!.where), basename(path));
      assert.match(notes[0]!.reason, left);
    });
  }

  it('reports what it leaves out: query', async function () {
    this.timeout(60_000);
    const path = mcapFixture('metadata-and-attachment.mcap');
    const run = await runCli([
      'query',
      '--from',
      path,
      '--output-format',
      'csv',
      'SELECT count(*) AS n FROM "/r/a"',
    ]);
    assert.match(run.stderr, both);
    assert.deepEqual([run.exitCode, run.stdout], [0, 'n\n1\n'], run.stderr);
  });

  it('keeps metadata records and attachments of the input: record, with and without an index', async () => {
    const indexed = join(root, 'indexed.mcap');
    await fs.writeFile(indexed, await testMcap({ metadata: [{ name: 'vehicle', metadata: { id: '7' } }] }));
    for (const path of [mcapFixture('metadata-and-attachment.mcap'), indexed]) {
      const lines: LogLine[] = [];
      const source = createMcapSource(parseSourceUri(`mcap:${path}`), { fs });
      const { events } = await new Probe(source, { logger: recordingLogger(lines) }).end();
      const records = events.flatMap((event) => (event.kind === 'record' ? [event.record] : []));
      assert.deepEqual(
        records.map(({ kind }) => kind),
        path === indexed ? ['metadata'] : ['metadata', 'attachment'],
      );
      assert.equal(records[0]?.name, 'vehicle');
      assert.deepEqual(
        lines.filter(({ level }) => level === 'warn' && path === indexed),
        [],
      );
    }
  });

  it('reports the metadata records of another recording that it leaves out: record', async () => {
    const path = join(root, 'recording.mcap');
    const gap = { name: 'holdfast_gap', metadata: { json: '{}' } };
    await fs.writeFile(path, await testMcap({ metadata: [gap, { name: 'holdfast', metadata: {} }] }));
    const lines: LogLine[] = [];
    const source = createMcapSource(parseSourceUri(`mcap:${path}`), { fs });
    const { events } = await new Probe(source, { logger: recordingLogger(lines) }).end();
    assert.ok(events.every(({ kind }) => kind !== 'record'));
    const told = lines.find(({ event }) => event === 'metadata records or attachments are not recorded');
    assert.deepEqual(told?.fields?.['reasons'], ['metadata record holdfast_gap of another recording']);
  });

  it('has them in its sealed files, which verify finds nothing wrong with: record', async function () {
    this.timeout(60_000);
    const rec = join(root, 'rec');
    const path = mcapFixture('metadata-and-attachment.mcap');
    const small = ['--retention-min-free-bytes', '0', '--ballast', '0', '--no-web', '--no-foxglove'];
    const { exitCode, stderr } = await runCli([
      'record',
      '--source',
      `mcap:${path}`,
      '--data',
      rec,
      ...small,
    ]);
    assert.equal(exitCode, 0, stderr);
    const sealed = present((await fs.readdir(join(rec, 'sealed'))).find((name) => name.endsWith('.mcap')));
    const records = await recordsOf(join(rec, 'sealed', sealed));
    const source = await recordsOf(path);
    assert.deepEqual(vehicleRecords(records), vehicleRecords(source));
    const attachment = (of: readonly TypedMcapRecord[]): unknown =>
      of.flatMap((record) => (record.type === 'Attachment' ? [[record.name, Buffer.from(record.data)]] : []));
    assert.deepEqual(attachment(records), attachment(source));
    assert.equal((await runCli(['verify', rec])).exitCode, 0);
  });
});
