import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageWriter } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { catMessages, type CatOptions, type CatReport } from '../../../src/app/reading/cat.js';
import { CdrBounds } from '../../../src/app/reading/cdr-bounds.js';
import { FilePool } from '../../../src/app/reading/file-readable.js';
import { toJson } from '../../../src/app/reading/json-value.js';
import { listRows, type SegmentRow } from '../../../src/app/reading/list-segments.js';
import { MessageDecoder } from '../../../src/app/reading/message-decoder.js';
import { matches } from '../../../src/app/reading/message-filter.js';
import type { DataFolder } from '../../../src/core/data-folder.js';
import type { McapChannel } from '../../../src/core/mcap/definitions.js';
import { bytesReadable } from '../../../src/core/mcap/readable.js';
import { recording } from '../../support/recordings.js';
import { cdrString, testMcap } from '../../support/test-mcap.js';
import { CHAT_MESSAGES, sealedFolder, segmentIdOf } from './sealed-fixture.js';
import { listSegments, type Problem, type Segment } from '../../../src/app/reading/segments.js';

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
    assert.match(reasonOf(channelOf('cdr', 'ros2msg', 'wstring x')), /wstring/);
    assert.match(reasonOf(channel, Uint8Array.of(0, 2, 0, 0)), /encapsulation 0x0002/);
    const itself = { name: 'b', type: 'B', isComplex: true };
    const endless = new CdrBounds([{ definitions: [itself] }, { name: 'B', definitions: [itself] }]);
    assert.throws(() => endless.check(Uint8Array.of(0, 1, 0, 0)), /nested deeper/);
  });

  it('walks exactly what was written', () => {
    const bounds = new CdrBounds(definitions);
    fc.assert(
      fc.property(value, (message) => {
        const data = writer.writeMessage(message);
        bounds.check(data);
        assert.throws(() => bounds.check(data.subarray(0, -1)));
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
    assert.deepEqual(report, { messages: 2846, decoded: 2846, undecoded: [], problems: [] });
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

  it('gives what it cannot decode as base64, with the reason and a count per topic', async () => {
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
    const stores = [{ uri: 'dir:/backup', sha256: '' }];
    await fs.writeFile(join(receipts, `${one}.r1.json`), JSON.stringify({ stores }));
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
    const uploaded = rows.find(({ state }) => state === 'uploaded')!;
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
