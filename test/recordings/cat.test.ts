import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { present } from '../../src/core/present.js';
import { receiptText } from './receipt-text.js';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageWriter } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { catMessages, type CatOptions, type CatReport } from '../../src/recordings/cat.js';
import { CdrBounds } from '../../src/recordings/cdr-bounds.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { toJson } from '../../src/recordings/json-value.js';
import { listRows, type SegmentRow } from '../../src/recordings/list-segments.js';
import { MessageDecoder } from '../../src/recordings/message-decoder.js';
import { matches } from '../../src/recordings/message-filter.js';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { McapChannel } from '../../src/core/mcap/definitions.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { recording } from '../support/recordings.js';
import { cdrString, jsonMcap, testMcap } from '../support/test-mcap.js';
import { CHAT_MESSAGES, sealedFolder, segmentIdOf } from './sealed-fixture.js';
import { listSegments, type Problem, type Segment } from '../../src/recordings/segments.js';

const DEFINITION = [
  'bool flag',
  'int64 big',
  'uint64 unsigned',
  'float32 small',
  'float64 wide',
  'string text',
  'uint8[] blob',
  'byte[4] four',
  'int16[] shorts',
  'float64[] doubles',
  'int64[] bigs',
  'string[] texts',
  'Inner inner',
  'Inner[] inners',
  'builtin_interfaces/Time stamp',
  '='.repeat(80),
  'MSG: test/Inner',
  'uint8 a',
  'float64 b',
  'string c',
  '='.repeat(80),
  'MSG: builtin_interfaces/Time',
  'int32 sec',
  'uint32 nanosec',
].join('\n');

const channelOf = (encoding: string, schemaEncoding: string, data: string): McapChannel => ({
  id: 1,
  topic: '/x',
  encoding,
  schema: { name: 'test/msg/X', encoding: schemaEncoding, data: Buffer.from(data) },
  metadata: {},
  carried: false,
});

const inner = fc.record({ a: fc.nat(255), b: fc.double(), c: fc.string() });
const value = fc.record({
  flag: fc.boolean(),
  big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  unsigned: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  small: fc.float(),
  wide: fc.double(),
  // ASCII: the writer used here counts characters where CDR counts bytes.
  text: fc.string({ unit: 'grapheme-ascii' }),
  blob: fc.uint8Array({ maxLength: 20 }),
  four: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  shorts: fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 15 }),
  doubles: fc.array(fc.double(), { maxLength: 15 }),
  bigs: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 15 }),
  texts: fc.array(fc.string(), { maxLength: 5 }),
  inner,
  inners: fc.array(inner, { maxLength: 5 }),
  stamp: fc.record({ sec: fc.integer(), nanosec: fc.nat(999_999_999) }),
});

const unexpected = ({ where, reason }: Problem): never => assert.fail(`${where}: ${reason}`);

const number = (one: number): unknown =>
  Number.isFinite(one) ? (Object.is(one, -0) ? 0 : one) : String(one);

describe('decoding', () => {
  const definitions = parse(DEFINITION, { ros2: true });
  const writer = new MessageWriter(definitions);
  const channel = channelOf('cdr', 'ros2msg', DEFINITION);

  it('gives every value of a message as JSON', () => {
    const decoder = new MessageDecoder();
    fc.assert(
      fc.property(value, (message) => {
        const decoded = decoder.decode(channel, writer.writeMessage(message));
        assert.ok(decoded.ok, toJson(decoded));
        const expectedInner = (one: typeof message.inner): unknown => ({ ...one, b: number(one.b) });
        assert.deepEqual(JSON.parse(toJson(decoded.value)), {
          ...message,
          big: String(message.big),
          unsigned: String(message.unsigned),
          small: number(message.small),
          wide: number(message.wide),
          blob: Buffer.from(message.blob).toString('base64'),
          four: Buffer.from(message.four).toString('base64'),
          doubles: message.doubles.map(number),
          bigs: message.bigs.map(String),
          inner: expectedInner(message.inner),
          inners: message.inners.map(expectedInner),
          stamp: { ...message.stamp },
        });
      }),
      { numRuns: 150 },
    );
  });

  it('gives text beyond ASCII', () => {
    const decoded = new MessageDecoder().decode(
      channelOf('cdr', 'ros2msg', 'string data'),
      cdrString('grüße €'),
    );
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, { data: 'grüße €' });
  });

  it('survives any change of the payload, and allocates no more than the payload could hold', () => {
    const decoder = new MessageDecoder();
    fc.assert(
      fc.property(
        value,
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1 }),
        (message, changes) => {
          const data = Uint8Array.from(writer.writeMessage(message));
          for (const [at, byte] of changes) if (at >= 4 && at < data.byteLength) data[at] = byte;
          const decoded = decoder.decode(channel, data);
          if (decoded.ok) assert.ok(toJson(decoded.value).length < 4000 + 100 * data.byteLength);
        },
      ),
      { numRuns: 300 },
    );
  });

  for (const [field, length] of [
    ['uint8[] x', 0xffffffff],
    ['float64[] x', 0x20000000],
    ['string[] x', 0x01ffffff],
    ['bool[] x', 0x01ffffff],
    ['string x', 0x7fffffff],
    ['Inner[] x', 0x01ffffff],
    ['builtin_interfaces/Time[] x', 0x01ffffff],
    ['float64[400000000] x', 0],
  ] as const) {
    it(`does not believe ${length === 0 ? 'a definition' : `a length of ${length}`} for "${field}"`, () => {
      const text = `${field}\n${DEFINITION.slice(DEFINITION.indexOf('='))}`;
      for (const littleEndian of [true, false]) {
        const data = Buffer.alloc(24);
        data[1] = littleEndian ? 1 : 0;
        if (littleEndian) data.writeUInt32LE(length, 4);
        else data.writeUInt32BE(length, 4);
        const before = process.memoryUsage().arrayBuffers;
        const decoded = new MessageDecoder().decode(channelOf('cdr', 'ros2msg', text), data);
        assert.ok(!decoded.ok);
        assert.match(decoded.reason, /are left|bytes at|in a payload/);
        assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
      }
    });
  }

  it('decodes wide texts, beside every other kind of field, as exports do', () => {
    const text = `wstring w\nuint8[] raw\nint64 big\nbuiltin_interfaces/Time t\nfloat32[2] f${DEFINITION.slice(DEFINITION.indexOf('\n='))}`;
    const data = Buffer.concat([
      Buffer.from([0, 1, 0, 0, 2, 0, 0, 0, 0x61, 0, 0, 0, 0xfc, 0, 0, 0, 2, 0, 0, 0, 7, 8, 0, 0, 0, 0, 0, 0]),
      Buffer.from(BigInt64Array.of(-9_007_199_254_740_993n).buffer),
      Buffer.from(Int32Array.of(-1, 5).buffer),
      Buffer.from(Float32Array.of(0.5, NaN).buffer),
    ]);
    const decoded = new MessageDecoder().decode(channelOf('cdr', 'ros2msg', text), data);
    assert.ok(decoded.ok, decoded.ok ? '' : decoded.reason);
    assert.equal(
      toJson(decoded.value),
      '{"w":"aü","raw":"Bwg=","big":"-9007199254740993","t":{"sec":-1,"nanosec":5},"f":[0.5,"NaN"]}',
    );
  });

  it('decodes a type without fields to an empty object, with and without its placeholder byte', () => {
    for (const text of ['', '# nothing', 'uint8 A=1']) {
      for (const payload of [
        [0, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 0],
      ]) {
        const decoded = new MessageDecoder().decode(
          channelOf('cdr', 'ros2msg', text),
          Uint8Array.from(payload),
        );
        assert.deepEqual(decoded, { ok: true, value: {} }, `${text} ${payload.length}`);
      }
    }
  });

  it('says why it does not decode', () => {
    const decoder = new MessageDecoder();
    const reasonOf = (of: McapChannel, data = Uint8Array.of(0, 1, 0, 0)): string => {
      const decoded = decoder.decode(of, data);
      return decoded.ok ? '' : decoded.reason;
    };
    assert.match(reasonOf(channelOf('protobuf', 'protobuf', '')), /encoding "protobuf" is not decoded/);
    assert.match(reasonOf(channelOf('cdr', 'ros2idl', 'x')), /schema encoding "ros2idl" is not decoded/);
    assert.match(reasonOf(channelOf('cdr', '', '')), /no schema/);
    assert.match(reasonOf(channelOf('cdr', 'ros2msg', 'int32 = = 3')), /cannot be parsed/);
    assert.match(reasonOf(channelOf('json', '', ''), Buffer.from('{')), /JSON/);
    assert.match(
      reasonOf(channelOf('cdr', 'ros2msg', 'wstring x'), Uint8Array.of(0, 7, 0, 0)),
      /4 bytes where 0/,
    );
    assert.match(reasonOf(channel, Uint8Array.of(0, 2, 0, 0)), /encapsulation 0x0002/);
    const itself = { name: 'b', type: 'B', isComplex: true };
    const endless = new CdrBounds([{ definitions: [itself] }, { name: 'B', definitions: [itself] }]);
    assert.throws(() => endless.check(Uint8Array.of(0, 1, 0, 0), true), /nested deeper/);
  });

  it('reads exactly the written values', () => {
    const bounds = new CdrBounds(definitions);
    fc.assert(
      fc.property(value, (message) => {
        const data = writer.writeMessage(message);
        bounds.check(data, true);
        assert.throws(() => bounds.check(data.subarray(0, -1), true));
      }),
      { numRuns: 100 },
    );
  });
});

describe('cat', () => {
  let root: string;
  let files: FilePool;
  let folder: DataFolder;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-cat-'));
    files = new FilePool(fs);
    folder = await sealedFolder(root);
  });
  afterEach(async () => {
    await files[Symbol.asyncDispose]();
    await fs.rm(root, { recursive: true, force: true });
  });

  type Line = Record<string, unknown>;
  async function cat(
    segments: readonly Segment[],
    options: Partial<CatOptions> = {},
  ): Promise<{ lines: Line[]; report: CatReport }> {
    const lines: Line[] = [];
    const write = (line: string): void => void lines.push(JSON.parse(line) as Line);
    return { report: await catMessages(segments, { filter: {}, write, ...options }), lines };
  }
  const local = (): Promise<Segment[]> =>
    listSegments({ kind: 'data', folder }, { files, onProblem: unexpected });

  it('decodes every message of a real recording', async () => {
    const path = `${recording('two_robots_split_zstd')}/two_robots_split_zstd_0.mcap`;
    const segments = await listSegments(
      { kind: 'mcap', path, files: [path] },
      { files, onProblem: unexpected },
    );
    const { lines, report } = await cat(segments);
    assert.deepEqual(report, { messages: 2846, decoded: 2846, leftOver: [], undecoded: [], problems: [] });
    const fix = lines.find((line) => line['topic'] === '/robot1/gps/fix') as { data: Line };
    assert.equal(typeof fix.data['latitude'], 'number');
    assert.equal((fix.data['position_covariance'] as unknown[]).length, 9);
    assert.match(String(lines[0]!['time']), /^2026-11-20T21:44:42\.114996958Z$/);
    assert.equal(lines[0]!['logTime'], '1795211082114996958');
  });

  it('gives the segments of a data folder in order, with robots, carried messages once', async () => {
    const { lines } = await cat(await local());
    assert.equal(lines.length, 4 * CHAT_MESSAGES + 2);
    assert.equal(lines.filter((line) => line['topic'] === '/r1/tf_static').length, 1);
    assert.deepEqual(
      lines.slice(0, 2).map(({ robot, data }) => [robot, data]),
      [
        ['r1', { data: 'transform of r1' }],
        ['r1', { data: 'r1 segment 1 line 0' }],
      ],
    );
    const later = await cat((await local()).filter(({ id }) => id === segmentIdOf(2)));
    assert.equal(later.lines.filter((line) => line['carried'] === true).length, 2);
  });

  it('stops at the limit', async () => {
    for (const limit of [0, 1, 7]) assert.equal((await cat(await local(), { limit })).lines.length, limit);
  });

  it('prints messages that it cannot decode as base64, with the reason and a count per topic', async () => {
    const bytes = await testMcap({
      topics: [{ topic: '/good' }, { topic: '/bad', payload: () => Buffer.from('0001000000ffffff', 'hex') }],
      messages: 10,
    });
    const segment = { name: 'x.mcap', bytes: bytes.byteLength, readable: () => bytesReadable(bytes) };
    const { lines, report } = await cat([segment]);
    assert.equal(lines[1]!['base64'], Buffer.from('0001000000ffffff', 'hex').toString('base64'));
    assert.equal(report.decoded, 5);
    const [bad, ...others] = report.undecoded;
    assert.deepEqual([bad?.topic, bad?.messages, others.length], ['/bad', 5, 0]);
    assert.equal(lines[1]!['reason'], bad?.reason);
  });

  it('continues after JSON that nests too deep to be walked', async () => {
    const nested = Buffer.from(`${'['.repeat(20_000)}${']'.repeat(20_000)}`);
    const allowed = Buffer.from(`${'['.repeat(512)}${']'.repeat(512)}`);
    const bytes = await jsonMcap([nested, allowed, Buffer.from('{"text":"[[[\\"[[["}')]);
    const segment = { name: 'x.mcap', bytes: bytes.byteLength, readable: () => bytesReadable(bytes) };
    const { lines, report } = await cat([segment]);
    assert.equal(lines.length, 3);
    assert.equal(report.decoded, 2);
    assert.match(String(lines[0]!['reason']), /nested more than 512 deep/);
    assert.deepEqual(lines[2]!['data'], { text: '[[["[[[' });
  });

  it('counts messages with bytes left over behind them, and says how many at each', async () => {
    const padded = (zeros: number): Uint8Array => Buffer.concat([cdrString('x'), Buffer.alloc(zeros)]);
    const more = Buffer.concat([cdrString('x'), Buffer.from([0, 0, 1])]);
    const bytes = await testMcap({
      topics: [
        { topic: '/padded', payload: (index) => padded(index % 8) },
        { topic: '/eight', payload: () => padded(8) },
        { topic: '/more', payload: () => more },
        // Its options say that 3 bytes are padding, whatever they are.
        { topic: '/told', payload: () => Uint8Array.from(more, (byte, at) => (at === 3 ? 3 : byte)) },
      ],
      messages: 40,
    });
    const segment = { name: 'x.mcap', bytes: bytes.byteLength, readable: () => bytesReadable(bytes) };
    const { lines, report } = await cat([segment]);
    assert.deepEqual([report.decoded, report.undecoded], [40, []]);
    assert.deepEqual(report.leftOver, [
      { topic: '/eight', messages: 10, bytes: 8 },
      { topic: '/more', messages: 10, bytes: 3 },
    ]);
    assert.deepEqual(
      lines.slice(0, 4).map(({ leftOver }) => leftOver),
      [undefined, 8, 3, undefined],
    );
    assert.deepEqual(lines[1]!['data'], { data: 'x' });
  });

  it('gives JSON messages in the words of their writer, and each line is JSON whatever they hold', async () => {
    const texts = [
      '{"stamp":1700000000123456789,"id":18446744073709551615,"big":12345678901234567890123}',
      '{"a":1,"a":2,"n":-0,"e":1e400,"z":1.0}',
      '\ufeff{"bom":9007199254740993}',
      String.raw`"\u0000\ud83d\ude00\ud800"`,
      '[\r\n1,\n2]',
      'null',
      '{"x":NaN}',
      '['.repeat(5_000) + ']'.repeat(5_000),
      '{"a":1}',
    ];
    const bytes = await jsonMcap(texts.map((text) => Buffer.from(text)));
    const segment = { name: 'x.mcap', bytes: bytes.byteLength, readable: () => bytesReadable(bytes) };
    const written: string[] = [];
    const report = await catMessages([segment], { filter: {}, write: (line) => void written.push(line) });
    for (const line of written) assert.ok(!/[\r\n]/.test(line) && typeof JSON.parse(line) === 'object');
    assert.deepEqual(
      written.map((line) => /"data":(.*)\}$/.exec(line)?.[1]),
      [
        ...texts.slice(0, 2),
        '{"bom":9007199254740993}',
        String.raw`"\u0000\ud83d\ude00\ufffd"`,
        '[ 1, 2]',
        'null',
        undefined,
        undefined,
        '{"a":1}',
      ],
    );
    assert.equal(report.undecoded[0]!.messages, 2);
    assert.match(String((JSON.parse(written[7]!) as Line)['reason']), /nested more than 512 deep/);
  });

  it('matches names with stars', () => {
    assert.ok(matches(undefined, 'x'));
    assert.ok(!matches([], 'x'));
    for (const pattern of ['/a/*', '*/c', '/a*c', '*', '/*b*', '/a/b/c', '**']) {
      assert.ok(matches([pattern], '/a/b/c'), pattern);
    }
    for (const pattern of ['/a', 'a/*', '*/b', '/a/b/c*c', '/a/b/c/*', '']) {
      assert.ok(!matches([pattern], '/a/b/c'), pattern);
    }
  });

  it('lists what there is with its state', async () => {
    const { sealed, receipts, tombstones, quarantine, wal } = folder;
    const [one, two] = [segmentIdOf(1), segmentIdOf(2)];
    await fs.writeFile(join(receipts, `${one}.r1.json`), receiptText(one, 'r1', '0'.repeat(64)));
    await fs.rename(join(sealed, `${one}.r2.json`), join(tombstones, `${one}.r2.json`));
    await fs.rm(join(sealed, `${one}.r2.mcap`));
    await fs.rm(join(sealed, `${two}.r2.json`));
    for (const number of [4, 5]) {
      await fs.mkdir(join(wal, segmentIdOf(number)));
      await fs.writeFile(join(wal, segmentIdOf(number), '000003.log'), Buffer.alloc(100 * number));
    }
    await fs.mkdir(join(quarantine, segmentIdOf(3)));
    const rows: SegmentRow[] = [];
    for await (const row of listRows({ kind: 'data', folder }, { files, onProblem: unexpected }))
      rows.push(row);
    assert.deepEqual(
      rows.map(({ segment, robot, state }) => [Number(segment.slice(0, 12)), robot, state]),
      [
        [3, undefined, 'quarantined'],
        [1, 'r2', 'evicted'],
        [1, 'r1', 'uploaded'],
        [2, 'r1', 'sealed'],
        [2, undefined, 'unfinished'],
        [4, undefined, 'waiting'],
        [5, undefined, 'open'],
      ],
    );
    const uploaded = present(rows.find(({ state }) => state === 'uploaded'));
    assert.deepEqual(
      [uploaded.messages, uploaded.channels, uploaded.gaps, uploaded.stores],
      [CHAT_MESSAGES + 1, 2, 1, ['dir:/backup']],
    );
    assert.deepEqual(
      rows.filter(({ state }) => state === 'open' || state === 'waiting').map(({ bytes }) => bytes),
      [400, 500],
    );
  });
});
