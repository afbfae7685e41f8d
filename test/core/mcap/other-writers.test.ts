import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import zstd from '@foxglove/wasm-zstd';
import lz4 from 'lz4-napi';
import type { McapMessage } from '../../../src/core/mcap/block.js';
import { CarriedFilter } from '../../../src/core/mcap/carried.js';
import { loadDecompressors } from '../../../src/core/mcap/decompress.js';
import { openMcap, openOrSalvage } from '../../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../../src/core/mcap/readable.js';
import { lacksMessages } from '../../../src/core/mcap/scan-report.js';
import { scanMcap } from '../../../src/core/mcap/scan.js';
import { present } from '../../../src/core/present.js';
import { mcapFixture } from '../../support/mcap-fixtures.js';
import * as raw from '../../support/raw-mcap.js';
import { cdrString } from '../../support/test-mcap.js';

const textOf = ({ data }: McapMessage): string => Buffer.from(data.subarray(8, -1)).toString();

/** Texts by either way of reading, which must agree and miss nothing. */
async function textsOf(bytes: Uint8Array): Promise<string[]> {
  const scan = scanMcap(bytesReadable(bytes), 'scanned.mcap');
  const scanned: string[] = [];
  for await (const message of scan.messages()) scanned.push(textOf(message));
  const report = scan.report();
  assert.deepEqual(report.ranges, []);
  assert.ok(!lacksMessages(report));
  const reader = await openOrSalvage(bytesReadable(bytes), 'opened.mcap');
  const opened: string[] = [];
  for await (const message of reader.messages()) opened.push(textOf(message));
  assert.deepEqual(opened.toSorted(), scanned.toSorted());
  return opened;
}

const fixture = async (name: string): Promise<string[]> => textsOf(await fs.readFile(mcapFixture(name)));
const definitions = [raw.schema(1, 'std_msgs/msg/String', 'string data'), raw.channel(1, 1, '/a')];
const note = (text: string, time = 1n): Buffer => raw.message(1, time, cdrString(text));
const PRIVATE = raw.record(0x80, Buffer.from('anything'));
const FUTURE = raw.record(0x42, Buffer.alloc(300, 7));
const EXTRA = Buffer.of(1, 2, 3);

describe('an MCAP of another writer', () => {
  it('that defines a channel in front of its schema is decoded by it', async () => {
    const [schema, channel] = definitions as [Buffer, Buffer];
    const records = [channel, schema, note('one'), note('two', 2n)];
    for (const bytes of [raw.rawMcap(records), raw.rawMcap([raw.chunk(records, { to: 2n })])]) {
      const reader = await openOrSalvage(bytesReadable(bytes), 'channel-first.mcap');
      const found: string[] = [];
      for await (const { channel: of } of reader.messages())
        found.push(`${of.schema.name} ${of.schemaMissing}`);
      assert.deepEqual(found, ['std_msgs/msg/String undefined', 'std_msgs/msg/String undefined']);
    }
  });

  it('that gives a channel number to another topic keeps each message on the topic it was written for', async () => {
    const other = raw.channel(1, 1, '/b');
    const records = [
      ...definitions,
      note('one', 1n),
      other,
      note('two', 2n),
      raw.channel(1, 1, '/a'),
      note('three', 3n),
    ];
    for (const bytes of [raw.rawMcap(records), raw.rawMcap([raw.chunk(records, { from: 1n, to: 3n })])]) {
      const reader = await openOrSalvage(bytesReadable(bytes), 'redefined.mcap');
      const found: string[] = [];
      for await (const message of reader.messages())
        found.push(`${message.channel.topic} ${textOf(message)}`);
      assert.deepEqual(found, ['/a one', '/b two', '/a three']);
    }
  });

  const fixtures: Readonly<Record<string, readonly string[]>> = {
    'private-in-chunk.mcap': ['m0', 'm1', 'm2', 'm3'],
    'private-between-chunks.mcap': ['m0', 'm1', 'm2', 'm3'],
    'private-in-indexed-chunk.mcap': ['m0', 'm1', 'm2', 'm3'],
    'typescript-writer.mcap': ['m0', 'm1', 'm2'],
    'chunk-head-without-first.mcap': ['m0', 'm1'],
    'chunk-head-without-times.mcap': ['m0', 'm1'],
  };
  for (const [name, texts] of Object.entries(fixtures)) {
    it(`is read whole: ${name}`, async () => {
      assert.deepEqual(await fixture(name), texts);
    });
  }

  for (const name of ['two-lz4-frames.mcap', 'two-zstd-frames.mcap']) {
    it(`is read whole: ${name}`, async () => {
      const texts = await fixture(name);
      assert.equal(texts.length, 6);
      assert.ok(texts.every((text, i) => text.startsWith(`m${i}`)));
    });
  }

  const places: Readonly<Record<string, Buffer>> = {
    'before everything': raw.rawMcap([PRIVATE, FUTURE, ...definitions, note('m0'), note('m1')]),
    'among messages outside of chunks': raw.rawMcap([
      ...definitions,
      note('m0'),
      PRIVATE,
      FUTURE,
      note('m1'),
    ]),
    'before the end of the data': raw.rawMcap([raw.chunk([...definitions, note('m0'), note('m1')]), FUTURE]),
    'nine in a row': raw.rawMcap([...Array<Buffer>(9).fill(PRIVATE), ...definitions, note('m0'), note('m1')]),
    'in a chunk without CRC': raw.rawMcap([
      raw.chunk([...definitions, note('m0'), PRIVATE, FUTURE, note('m1')], { hasCrc: false }),
    ]),
    'that hold a chunk of their own': raw.rawMcap([
      raw.record(0x90, raw.chunk([note('hidden')], { hasCrc: false }).subarray(9)),
      raw.chunk([...definitions, note('m0'), note('m1')]),
    ]),
    'empty ones': raw.rawMcap([raw.record(0xff), ...definitions, note('m0'), raw.record(0x10), note('m1')]),
  };
  for (const [place, bytes] of Object.entries(places)) {
    it(`loses nothing to records of unknown types ${place}`, async () => {
      assert.deepEqual(await textsOf(bytes), ['m0', 'm1']);
    });
  }

  it('reports how many records of unknown types it skipped', async () => {
    const scan = scanMcap(bytesReadable(places['among messages outside of chunks']!), 'x.mcap');
    for await (const _ of scan.blocks());
    assert.equal(scan.report().recordsPassedOver, 2);
  });

  it('ignores fields that a later version adds to a chunk, with and without a CRC', async () => {
    for (const hasCrc of [true, false]) {
      const one = raw.chunk([...definitions, note('m0')], { hasCrc, extra: EXTRA });
      const two = raw.chunk([note('m1')], { hasCrc, extra: EXTRA });
      assert.deepEqual(await textsOf(raw.rawMcap([one, raw.metadata('x', EXTRA), two])), ['m0', 'm1']);
    }
  });

  it('reads the file of a killed writer of a later version, up to the cut', async () => {
    const whole = raw.rawMcap([
      raw.metadata('x', EXTRA),
      raw.chunk([...definitions, note('m0'), note('m1')], { hasCrc: false }),
    ]);
    const scan = scanMcap(bytesReadable(whole.subarray(0, whole.indexOf('m1') - 4)), 'cut.mcap');
    const texts: string[] = [];
    for await (const message of scan.messages()) texts.push(textOf(message));
    assert.deepEqual(texts, ['m0']);
    assert.equal(scan.report().metadataRecords, 1);
  });

  const heads: readonly (readonly [string, bigint, bigint])[] = [
    ['no times', 0n, 0n],
    ['a beginning of 0', 0n, 1_700_000_000_000_000_005n],
    ['an end before its beginning', 9n, 1n],
    ['times that are too early', 1n, 2n],
    ['times that are too late', 1_800_000_000_000_000_000n, 1_800_000_000_000_000_001n],
  ];
  for (const [what, from, to] of heads) {
    it(`is read whole if the head of a chunk states ${what}`, async () => {
      const time = 1_700_000_000_000_000_000n;
      const records = [...definitions, note('m0', time), note('m1', time + 5n)];
      for (const hasCrc of [true, false]) {
        assert.deepEqual(await textsOf(raw.rawMcap([raw.chunk(records, { from, to, hasCrc })])), [
          'm0',
          'm1',
        ]);
      }
    });
  }

  it('is not read by an index whose times are impossible, so that a time range misses nothing', async () => {
    const time = 1_700_000_000_000_000_000n;
    for (const [from, to] of [
      [0n, 0n],
      [0n, time + 1n],
      [time + 1n, time],
    ] as const) {
      const data = raw.chunk([note('m0', time)], { from, to });
      const index = raw.chunkIndex({ at: raw.RAW_DATA_AT, length: data.byteLength, from, to });
      const bytes = raw.rawMcap([data], [...definitions, index]);
      await assert.rejects(openMcap(bytesReadable(bytes), 'x.mcap'), /no usable index/);
      const reader = await openOrSalvage(bytesReadable(bytes), 'x.mcap');
      const texts: string[] = [];
      for await (const message of reader.messages({ select: () => ({ from: time, to: time }) })) {
        texts.push(textOf(message));
      }
      assert.deepEqual(texts, ['m0']);
    }
  });

  it('has the schemas of its channels if the summary repeats only the channels', async () => {
    const data = raw.chunk([...definitions, note('m0')], { from: 1n, to: 1n });
    const index = raw.chunkIndex({ at: raw.RAW_DATA_AT, length: data.byteLength, from: 1n, to: 1n });
    const bytes = raw.rawMcap([data], [raw.channel(1, 1, '/a'), index]);
    const reader = await openOrSalvage(bytesReadable(bytes), 'x.mcap');
    assert.equal(reader.channels[0]?.schema.name, 'std_msgs/msg/String');
    assert.deepEqual(await textsOf(bytes), ['m0']);
  });

  it('decodes messages with the definition before them, if a schema id is used again', async () => {
    const again = [raw.schema(1, 'std_msgs/msg/String', 'string text'), raw.channel(1, 1, '/a')];
    const bytes = raw.rawMcap([raw.chunk([...definitions, note('m0')]), raw.chunk([...again, note('m1')])]);
    const texts: string[] = [];
    for await (const { channel } of scanMcap(bytesReadable(bytes), 'x.mcap').messages()) {
      texts.push(Buffer.from(channel.schema.data).toString());
    }
    assert.deepEqual(texts, ['string data', 'string text']);
  });

  it('gives a carried message also if another definition had the same payload', () => {
    const filter = new CarriedFilter();
    const carried = (definition: string): McapMessage => ({
      channel: {
        ...{ id: 1, topic: '/t', encoding: 'cdr', metadata: {}, carried: true },
        schema: { name: 'pkg/msg/T', encoding: 'ros2msg', data: Buffer.from(definition) },
      },
      ...{ sequence: 0, logTime: 1n, publishTime: 1n, data: Uint8Array.of(0, 1, 0, 0, 7) },
    });
    const given = ['uint8 a', 'uint8 a', 'int8 a'].map((definition) => filter.accept(carried(definition)));
    assert.deepEqual(given, [true, false, true]);
  });

  it('gives metadata records and counts attachments that its index does not list', async () => {
    const bytes = raw.rawMcap([raw.metadata('vehicle'), ...definitions], definitions);
    const reader = await openMcap(bytesReadable(bytes), 'x.mcap');
    assert.deepEqual(await reader.metadata('vehicle'), [{ name: 'vehicle', metadata: {} }]);
    assert.deepEqual(await reader.metadata('other'), []);
  });
});

describe('compressed frames', () => {
  const part = (text: string): Buffer => Buffer.from(text.repeat(500));
  const content = Buffer.concat([part('one'), part('two')]);
  const skippable = Buffer.from('502a4d1803000000aabbcc', 'hex');
  const PADDING = Buffer.alloc(7);

  for (const [name, frame] of [
    ['zstd', (data: Buffer) => Buffer.from(zstd.compress(data, 1))],
    ['lz4', (data: Buffer) => lz4.compressFrameSync(data)],
  ] as const) {
    it(`of ${name} are one content: several, passed over ones among them, padding behind them`, async () => {
      await zstd.isLoaded;
      const decompress = present((await loadDecompressors()).get(name));
      const [one, two] = [frame(part('one')), frame(part('two'))];
      for (const bytes of [
        Buffer.concat([one, two]),
        Buffer.concat([skippable, one, skippable, two, skippable]),
        Buffer.concat([one, two, PADDING]),
        Buffer.concat([frame(content), PADDING]),
        Buffer.concat([one, frame(Buffer.alloc(0)), two]),
      ]) {
        assert.deepEqual(Buffer.from(await decompress(bytes, content.byteLength)), content);
      }
    });

    it(`of ${name} are refused if they are cut, or make more or less than was announced`, async () => {
      await zstd.isLoaded;
      const decompress = present((await loadDecompressors()).get(name));
      const both = Buffer.concat([frame(part('one')), frame(part('two'))]);
      const isWhole = async (bytes: Buffer, size: number): Promise<boolean> =>
        (await decompress(bytes, size)).byteLength === size;
      for (const size of [content.byteLength - 1, content.byteLength + 1_000_000]) {
        await assert.rejects(async () => assert.ok(await isWhole(both, size)));
      }
      await assert.rejects(isWhole(both.subarray(0, -3), content.byteLength), /a cut/);
      assert.ok(await isWhole(both, content.byteLength));
    });
  }
});
