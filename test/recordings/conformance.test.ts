import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapIndexedReader, McapStreamReader } from '@mcap/core';
import { present } from '../../src/core/present.js';
import { ObjectWriter } from '../../src/seal/object-writer.js';
import type { McapMessage } from '../../src/core/mcap/block.js';
import { openMcap, openOrSalvage } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { catMessages } from '../../src/recordings/cat.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { ReplayWriter } from '../../src/recordings/replay-writer.js';
import { verify } from '../../src/recordings/verify.js';
import { createMcapSource } from '../../src/sources/mcap/mcap-source.js';
import { parseSourceUri } from '../../src/sources/source-uri.js';
import { Probe } from '../../src/testing/source-probe.js';
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
  this.timeout(60_000);
  let root: string;
  let files: FilePool;
  let suite: readonly ConformanceFile[];
  before(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-conformance-'));
    files = new FilePool(fs);
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
      for (const write of [replayed, sealed]) {
        const path = join(root, `written-${write.name}.mcap`);
        await write(path, messages);
        const written = await fs.readFile(path);
        await fs.rm(path);
        assert.deepEqual(await rowsByOurs(written), expected, name);
        assert.deepEqual(await rowsByTheirs(written), expected, name);
      }
    }
  });
});

/** The writer of replay and of `export --format mcap`. */
async function replayed(path: string, messages: readonly McapMessage[]): Promise<void> {
  const handle = await fs.open(path, 'wx');
  try {
    const writer = new ReplayWriter(handle);
    await writer.start('1.0.0');
    for (const message of messages) await writer.add(message, undefined, message.logTime);
    await writer.finish();
  } finally {
    await handle.close();
  }
}

/** The writer of sealed segments. */
async function sealed(path: string, messages: readonly McapMessage[]): Promise<void> {
  const handle = await fs.open(path, 'wx');
  try {
    const writer = new ObjectWriter(handle, {
      softwareVersion: '1.0.0',
      chunkBytes: 1000,
      compressChunk: undefined,
    });
    await writer.start({ robot: 'r' });
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
