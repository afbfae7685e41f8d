import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zstd from '@foxglove/wasm-zstd';
import { McapIndexedReader, McapStreamReader } from '@mcap/core';
import { present } from '../../src/core/present.js';
import { ObjectWriter } from '../../src/seal/object-writer.js';
import type { McapMessage } from '../../src/core/mcap/block.js';
import { openMcap, openOrSalvage, type McapReader } from '../../src/core/mcap/open-mcap.js';
import { takeOverRecords, type RecordTaker } from '../../src/core/mcap/other-records.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { catMessages } from '../../src/recordings/cat.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { replay } from '../../src/recordings/replay.js';
import { ReplayWriter } from '../../src/recordings/replay-writer.js';
import { verify } from '../../src/recordings/verify.js';
import { createMcapSource } from '../../src/sources/mcap/mcap-source.js';
import { parseSourceUri } from '../../src/sources/source-uri.js';
import { Probe } from '../../src/testing/source-probe.js';
import { exportTo } from '../jobs/export/export-support.js';
import { runCli } from '../support/cli.js';
import { conformanceFiles, type ConformanceFile } from '../support/conformance.js';

interface Row {
  readonly topic: string;
  readonly encoding: string;
  readonly schema: string;
  readonly times: string;
  readonly data: string;
}

function rowOf({ channel, logTime, publishTime, data }: McapMessage): Row {
  return {
    topic: channel.topic,
    encoding: channel.encoding,
    schema: `${channel.schema.name} ${channel.schema.encoding} ${Buffer.from(channel.schema.data).toString('hex')}`,
    times: `${logTime} ${publishTime}`,
    data: Buffer.from(data).toString('hex'),
  };
}

/** By our reader, which must not have to salvage. */
async function rowsByOurs(bytes: Uint8Array): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const message of (await openMcap(bytesReadable(bytes), 'ours.mcap')).messages()) {
    rows.push(rowOf(message));
  }
  return rows;
}

/** By the format's own reader, through the index, and all CRCs checked in file order. */
async function rowsByTheirs(bytes: Uint8Array): Promise<Row[]> {
  const stream = new McapStreamReader({ validateCrcs: true });
  stream.append(bytes);
  while (stream.nextRecord() !== undefined);
  assert.ok(stream.done());
  const reader = await McapIndexedReader.Initialize({ readable: bytesReadable(bytes) });
  const rows: Row[] = [];
  for await (const { channelId, logTime, publishTime, data } of reader.readMessages({ validateCrcs: true })) {
    const { topic, messageEncoding, schemaId } = present(reader.channelsById.get(channelId));
    const {
      name = '',
      encoding = '',
      data: text = new Uint8Array(0),
    } = reader.schemasById.get(schemaId) ?? {};
    rows.push({
      topic,
      encoding: messageEncoding,
      schema: `${name} ${encoding} ${Buffer.from(text).toString('hex')}`,
      times: `${logTime} ${publishTime}`,
      data: Buffer.from(data).toString('hex'),
    });
  }
  return rows;
}

describe('the 416 files of the MCAP conformance suite', function () {
  this.timeout(120_000);
  let root: string;
  let files: FilePool;
  let suite: readonly ConformanceFile[];
  before(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-conformance-'));
    files = new FilePool(fs);
    await zstd.isLoaded;
    suite = await conformanceFiles();
    assert.equal(suite.length, 416);
    for (const { name, bytes } of suite) await fs.writeFile(join(root, name), bytes);
  });
  after(async () => {
    await files[Symbol.asyncDispose]();
    await fs.rm(root, { recursive: true, force: true });
  });

  it('are read right by cat', async () => {
    for (const { name, messages, group } of suite) {
      const lines: string[] = [];
      const segment = { name, bytes: 0, readable: () => files.readable(join(root, name)) };
      const report = await catMessages([segment], { filter: {}, write: (line) => void lines.push(line) });
      assert.deepEqual(report.problems, [], name);
      assert.equal(lines.length, messages, name);
      if (group !== 'OneMessage') continue;
      const { topic, sequence, logTime, publishTime, base64, type } = JSON.parse(lines[0]!) as Record<
        string,
        unknown
      >;
      assert.deepEqual(
        { topic, sequence, logTime, publishTime, base64, type },
        { topic: 'example', sequence: 10, logTime: '2', publishTime: '1', base64: 'AQID', type: 'Example' },
        name,
      );
    }
  });

  it('have no error for verify', async () => {
    for (const { name, messages } of suite) {
      const path = join(root, name);
      const report = await verify({ kind: 'mcap', path, files: [path] }, { files });
      assert.ok(report.ok, `${name}: ${JSON.stringify(report.findings)}`);
      assert.equal(report.totals.messages, messages, name);
    }
  });

  it('are given whole to the recorder', async () => {
    for (const { name, messages, group } of suite) {
      const probe = new Probe(createMcapSource(parseSourceUri(`mcap:${join(root, name)}`), { fs }));
      await probe.end();
      assert.equal(probe.messages.length, messages, name);
      assert.ok(!probe.events.some(({ kind }) => kind === 'gap'), name);
      if (group === 'OneMessage') assert.equal(probe.channels[0]?.schema.name, 'Example', name);
    }
  });

  it('are the same messages for both readers after replay, export to MCAP and sealing wrote them again', async () => {
    for (const { name, bytes } of suite) {
      const messages: McapMessage[] = [];
      const reader = await openOrSalvage(bytesReadable(bytes), name);
      for await (const message of reader.messages()) messages.push(message);
      const expected = messages.map(rowOf);
      const others = othersOf(bytes);
      for (const write of [replayed, sealed]) {
        const path = join(root, `written-${write.name}.mcap`);
        await write(path, messages, reader);
        const written = await fs.readFile(path);
        await fs.rm(path);
        assert.deepEqual(await rowsByOurs(written), expected, name);
        assert.deepEqual(await rowsByTheirs(written), expected, name);
        assert.deepEqual(othersOf(written), others, name);
        await indexesOthers(written, others, name);
      }
    }
  });

  it('keep what is not a message through replay; an export to MCAP keeps or reports it', async () => {
    const odd = suite.filter(({ group }) => group === 'OneAttachment' || group === 'OneMetadata');
    for (const { name, bytes, group } of [
      ...odd,
      ...suite.filter(({ group }) => group === 'OneMessage').slice(0, 8),
    ]) {
      const path = join(root, name);
      const output = join(root, 'replayed.mcap');
      const segment = { name, bytes: 0, readable: () => files.readable(path) };
      const report = await replay([segment], { output, format: 'mcap', filter: {}, version: '1.0.0', fs });
      assert.deepEqual(report.problems, [], name);
      assert.deepEqual(othersOf(await fs.readFile(output)), othersOf(bytes), name);
      await fs.rm(output);
      const to = join(root, 'exported');
      const { ok, notes, manifest } = await exportTo(path, to, { format: 'mcap' });
      await fs.rm(to, { recursive: true });
      assert.ok(ok, name);
      assert.equal(manifest.files.length, group === 'OneMessage' ? 1 : 0, name);
      // An export without a message has no file that could hold them.
      const left = { OneAttachment: '1 attachments', OneMetadata: '1 metadata records (myMetadata)' }[group];
      assert.deepEqual(
        notes.map(({ reason }) => reason),
        left === undefined ? [] : [`not exported: ${left}`],
        name,
      );
    }
  });

  it('are whole in sealed files after the command record took all of them in one run', async function () {
    this.timeout(180_000);
    const folder = join(root, 'suite');
    const data = join(root, 'rec');
    await fs.mkdir(folder);
    for (const { name, bytes } of suite) await fs.writeFile(join(folder, name), bytes);
    const small = [
      '--retention-min-free-bytes',
      '0',
      '--ballast',
      '0',
      '--no-web',
      '--no-foxglove',
      '--compression',
      'none',
    ];
    const recorded = await runCli([
      'record',
      '--source',
      `mcap:${folder}`,
      '--robot',
      'r',
      '--data',
      data,
      ...small,
    ]);
    assert.equal(recorded.exitCode, 0, recorded.stderr);
    const verified = await runCli(['verify', data, '--json']);
    assert.equal(verified.exitCode, 0, verified.stderr);
    const messages: string[] = [];
    const others: unknown[] = [];
    for (const name of (await fs.readdir(join(data, 'sealed'))).filter((one) => one.endsWith('.mcap'))) {
      const bytes = await fs.readFile(join(data, 'sealed', name));
      const own = await rowsByTheirs(bytes);
      assert.deepEqual(await rowsByOurs(bytes), own);
      messages.push(...own.map((row) => JSON.stringify(row)));
      others.push(...othersOf(bytes));
    }
    const expected: string[] = [];
    const expectedOthers: unknown[] = [];
    for (const { name, bytes } of suite) {
      const reader = await openOrSalvage(bytesReadable(bytes), name);
      for await (const message of reader.messages()) expected.push(JSON.stringify(rowOf(message)));
      expectedOthers.push(...othersOf(bytes));
    }
    assert.deepEqual(messages.sort(), expected.sort());
    const texts = (of: readonly unknown[]): string[] => of.map((one) => JSON.stringify(one)).sort();
    // Records that several files have alike are recorded once.
    assert.deepEqual(texts(others), [...new Set(texts(expectedOthers))]);
    await fs.rm(folder, { recursive: true });
    await fs.rm(data, { recursive: true });
  });
});

/** Names of the records that every writer makes for its own content. */
const OWN = new Set(['holdfast', 'holdfast_gap', 'rosbag2']);

/** Metadata records and attachments, by the format's own reader. */
function othersOf(bytes: Uint8Array): unknown[] {
  const stream = new McapStreamReader({
    validateCrcs: true,
    decompressHandlers: { zstd: (data, size) => zstd.decompress(data, Number(size)) },
  });
  stream.append(bytes);
  const found: unknown[] = [];
  for (let record = stream.nextRecord(); record !== undefined; record = stream.nextRecord()) {
    if (record.type === 'Metadata' && !OWN.has(record.name)) {
      found.push([record.name, Object.fromEntries(record.metadata)]);
    }
    if (record.type !== 'Attachment') continue;
    const { name, mediaType, logTime, createTime, data } = record;
    found.push([name, mediaType, String(logTime), String(createTime), Buffer.from(data).toString('hex')]);
  }
  return found;
}

/** Whether the summary has an index record for each of them. */
async function indexesOthers(bytes: Uint8Array, others: readonly unknown[], name: string): Promise<void> {
  const reader = await McapIndexedReader.Initialize({ readable: bytesReadable(bytes) });
  const { attachmentIndexes, metadataIndexes, statistics } = reader;
  const metadata = metadataIndexes.filter((index) => !OWN.has(index.name)).length;
  assert.equal(metadata + attachmentIndexes.length, others.length, name);
  assert.equal(present(statistics).attachmentCount, attachmentIndexes.length, name);
  assert.equal(present(statistics).metadataCount, metadataIndexes.length, name);
}

const notLost = (reason: string): never => assert.fail(reason);

/** The writer of replay and of `export --format mcap`. */
async function replayed(path: string, messages: readonly McapMessage[], reader: McapReader): Promise<void> {
  const handle = await fs.open(path, 'wx');
  try {
    const writer = new ReplayWriter(handle);
    await writer.start('1.0.0');
    await takeOverRecords(reader, writer, notLost);
    for (const message of messages) await writer.add(message, undefined, message.logTime);
    await writer.finish();
  } finally {
    await handle.close();
  }
}

/** The writer of sealed segments. */
async function sealed(path: string, messages: readonly McapMessage[], reader: McapReader): Promise<void> {
  const handle = await fs.open(path, 'wx');
  try {
    const writer = new ObjectWriter(handle, {
      softwareVersion: '1.0.0',
      chunkBytes: 1000,
      compressChunk: undefined,
    });
    await writer.start({ robot: 'r' });
    const taker: RecordTaker = {
      addMetadata: ({ name, metadata }) => writer.addMetadata(name, metadata),
      addAttachment: (attachment) => writer.addAttachment(attachment),
    };
    await takeOverRecords(reader, taker, notLost);
    for (const { channel, logTime, publishTime, sequence, data } of messages) {
      const { id, topic, encoding, schema, metadata } = channel;
      if (!writer.hasChannel(id)) {
        writer.addChannel(id, {
          robot: 'r',
          topic,
          encoding,
          schema,
          metadata,
          latched: false,
          priority: 'normal',
        });
      }
      await writer.add({ channelId: id, logTime, publishTime, sourceSequence: sequence, data });
    }
    await writer.finish();
  } finally {
    await handle.close();
  }
}
