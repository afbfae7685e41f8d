import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { McapChannel } from '../../src/core/mcap/definitions.js';
import { cdrKindOf } from '../../src/core/ros/cdr-kind.js';
import { valueAt } from '../../src/exporters/columns/batch-rows.js';
import { MessageTable } from '../../src/exporters/columns/message-table.js';
import { parseTypeTree } from '../../src/exporters/columns/type-tree.js';
import { Xcdr2 } from '../../src/exporters/columns/xcdr2.js';
import { MessageDecoder } from '../../src/recordings/message-decoder.js';
import { beginsWithHeader, contentHash } from '../../src/recordings/quality/content-hash.js';
import { cyclone, definition, mutable, mutableDefinition, pair, separator } from './cyclone-vectors.js';

const expected = {
  flag: true,
  big: -9007199254740993n,
  ps: [
    { a: 1, b: 1.5 },
    { a: 2, b: -2.5 },
  ],
  seq: [{ a: 3, b: 0.25 }],
  names: ['x', '', 'abcd'],
  two: ['left', 'right'],
  bools: [true, false, true],
  nested: { name: 'inner', raw: Uint8Array.of(1, 2, 3, 4, 5), stamps: [1_000_000_002n, 3_000_000_004n] },
  ns: [
    { name: '', raw: Uint8Array.of(), stamps: [] },
    { name: 'b', raw: Uint8Array.of(9), stamps: [5_000_000_006n] },
  ],
  stamp: 7_000_000_008n,
  wide: [1, 2],
  none: [],
  small: 65535,
  last: 9007199254740993n,
};

const mutableExpected = {
  ...{ flag: true, big: -9007199254740993n },
  ps: [
    { a: 1, b: 1.5 },
    { a: 2, b: -2.5 },
  ],
  ...{
    seq: [{ a: 3, b: 0.25 }],
    names: ['x', '', 'abcd'],
    two: ['left', 'right'],
    bools: [true, false, true],
  },
  nested: { name: 'inner', raw: Uint8Array.of(1, 2, 3, 4, 5) },
  ns: [
    { name: '', raw: Uint8Array.of() },
    { name: 'b', raw: Uint8Array.of(9) },
  ],
  ...{ wide: [1, 2], none: [], small: 65535, last: 9007199254740993n, text: 'hello', three: [1, 2, 3] },
};

type TestField = { readonly type: string; readonly value: unknown };

/** A mutable message, by the rules of DDS-XTypes 7.4.3.4.2; `isShort`: sizes that a member can say itself stand once. */
function mutableMessage(fields: readonly TestField[], isShort: boolean): Uint8Array {
  const out: number[] = [];
  const align = (to: number): void => {
    while (out.length % to !== 0) out.push(0);
  };
  const put = (bytes: number, write: (buffer: Buffer) => void): void => {
    align(Math.min(4, bytes));
    const buffer = Buffer.alloc(bytes);
    write(buffer);
    out.push(...buffer);
  };
  const u32 = (value: number): void => put(4, (buffer) => buffer.writeUInt32LE(value >>> 0));
  fields.forEach(({ type, value }, index) => {
    align(4);
    const size = { uint8: 1, int32: 4, float64: 8 }[type];
    if (size !== undefined && isShort) u32(((size === 1 ? 0 : size === 4 ? 2 : 3) << 28) | index);
    else if (size !== undefined) {
      u32((4 << 28) | index);
      u32(size);
    } else {
      const count = type === 'string' ? Buffer.byteLength(value as string) + 1 : (value as unknown[]).length;
      const bytes = count * (type === 'uint16[]' ? 2 : type === 'int64[]' ? 8 : 1);
      const code = type === 'string' ? 5 : type === 'int64[]' ? 7 : 4;
      u32(((isShort ? code : 4) << 28) | index);
      if (!isShort || code === 4) u32(4 + bytes);
      u32(count);
    }
    if (type === 'uint8') out.push(value as number);
    else if (type === 'int32') put(4, (buffer) => buffer.writeInt32LE(value as number));
    else if (type === 'float64') put(8, (buffer) => buffer.writeDoubleLE(value as number));
    else if (type === 'string') out.push(...Buffer.from(`${value as string}\0`));
    else if (type === 'uint16[]')
      for (const one of value as number[]) put(2, (buffer) => buffer.writeUInt16LE(one));
    else for (const one of value as bigint[]) put(8, (buffer) => buffer.writeBigInt64LE(one));
  });
  const size = Buffer.alloc(8);
  size[1] = 0x0b;
  size.writeUInt32LE(out.length, 4);
  return Uint8Array.from([...size, ...out]);
}

const channelOf = (text: string): McapChannel => ({
  id: 1,
  topic: '/x',
  encoding: 'cdr',
  schema: { name: 'gen/msg/X', encoding: 'ros2msg', data: Buffer.from(text) },
  metadata: {},
  carried: false,
});

/** As the exports and the checks read it; or the reason why not. */
function asColumns(text: string, payload: Uint8Array): unknown {
  const { encoding, schema } = channelOf(text);
  const table = new MessageTable([{ encoding, schema }], {
    flatten: false,
    raw: false,
    robot: '',
    topic: '',
  });
  const head = { logTime: 1n, publishTime: 1n, robot: '', topic: '', sequence: 0 };
  const reason = table.adder({ encoding, schema })(head, payload);
  if (reason !== undefined) return reason;
  const batch = table.take();
  return Object.fromEntries(
    table.root.children.slice(5).map((child) => [child.name, valueAt(batch, child, 0)]),
  );
}

/** As cat and the reader give it; or the reason why not. */
function asObject(text: string, payload: Uint8Array): unknown {
  const decoded = new MessageDecoder().decode(channelOf(text), payload);
  return decoded.ok ? decoded.value : decoded.reason;
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const two = `gen/P[2] ps\nuint32 x${separator}${pair}`;
const twoExpected = {
  ps: [
    { a: 1, b: 10 },
    { a: 2, b: 20 },
  ],
  x: 99,
};

describe('XCDR2', () => {
  for (const name of ['finalLittle', 'finalBig', 'appendableLittle', 'appendableBig'] as const) {
    it(`gives every value that Cyclone DDS wrote as ${name}`, () => {
      const payload = hex(cyclone[name]);
      assert.deepEqual(asColumns(definition, payload), expected);
      const plain = asObject(definition, hex(cyclone.plain));
      assert.deepEqual(asObject(definition, payload), plain);
      assert.deepEqual((plain as { seq: unknown }).seq, expected.seq);
    });
  }

  it('becomes the bytes that Cyclone DDS writes as plain CDR', () => {
    const xcdr2 = new Xcdr2(parseTypeTree(definition, 'gen/msg/X'));
    for (const payload of [cyclone.finalLittle, cyclone.appendableLittle].map(hex)) {
      const { payload: plain, leftOver } = xcdr2.toPlain(payload, cdrKindOf(payload));
      assert.equal(Buffer.from(plain).toString('hex'), cyclone.plain);
      assert.equal(leftOver, 0);
    }
  });

  it('does not shift a fixed array of structs by the size in front of it', () => {
    const text = `pkg/P[2] ps\nint32 x${separator}MSG: pkg/P\nuint8 a\nint32 b\n`;
    const payload = hex('0007000010000000010000000a000000020000001400000063000000');
    const values = {
      ps: [
        { a: 1, b: 10 },
        { a: 2, b: 20 },
      ],
      x: 99,
    };
    assert.deepEqual(asColumns(text, payload), values);
    assert.deepEqual(asObject(text, payload), values);
  });

  it('finds out whether nested structs have their size in front', () => {
    for (const payload of [
      // A final type that holds appendable ones, and the other way round, both by Cyclone DDS.
      '00070000200000000c0000000100000000000000000024400c00000002000000000000000000344063000000',
      '00090000200000001800000001000000000000000000244002000000000000000000344063000000',
    ]) {
      assert.deepEqual(asColumns(two, hex(payload)), twoExpected);
      assert.deepEqual(asObject(two, hex(payload)), twoExpected);
    }
    const text = `gen/S inner${separator}MSG: gen/S\nstring s`;
    const payload = hex('000700000a0000000600000068656c6c6f00');
    assert.deepEqual(asColumns(text, payload), { inner: { s: 'hello' } });
  });

  it('reads the identifiers that stand for the same layouts outside of RTPS', () => {
    for (const [rtps, file] of [
      ['finalBig', 0x10],
      ['finalLittle', 0x11],
      ['appendableBig', 0x14],
      ['appendableLittle', 0x15],
    ] as const) {
      const payload = hex(cyclone[rtps]);
      payload[1] = file;
      assert.deepEqual(asColumns(definition, payload), expected, rtps);
    }
  });

  it('refuses unsupported forms by name', () => {
    const refusals: readonly (readonly [string, RegExp])[] = [
      ['0003000000000000', /0x0003 \(PL_CDR, little-endian/],
      ['0002000000000000', /0x0002 \(PL_CDR, big-endian/],
      ['0004000000000000', /0x0004 \(XML/],
      ['00ff000000000000', /0x00ff is not decoded/],
      ['0107000000000000', /0x0107 is not decoded/],
      ['0007', /a CDR payload of 2 bytes/],
    ];
    for (const [payload, reason] of refusals) {
      for (const read of [asColumns, asObject]) assert.match(String(read(two, hex(payload))), reason);
    }
  });

  it('decodes or refuses each encapsulation by its identifier, and never takes one for another', () => {
    const decodedOnes = new Set([
      0x00, 0x01, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
    ]);
    for (let identifier = 0; identifier <= 0x17; identifier++) {
      const payload = Uint8Array.of(0, identifier, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      const read = (): unknown => cdrKindOf(payload);
      if (decodedOnes.has(identifier)) assert.doesNotThrow(read);
      else
        assert.throws(read, new RegExp(`0x00${identifier.toString(16).padStart(2, '0')}.* is not decoded`));
    }
  });

  for (const name of ['little', 'big'] as const) {
    it(`gives every value of a mutable type with mutable parts that Cyclone DDS wrote as ${name}-endian`, () => {
      const payload = hex(mutable[name]);
      assert.deepEqual(asColumns(mutableDefinition, payload), mutableExpected);
      assert.deepEqual((asObject(mutableDefinition, payload) as { ns: unknown }).ns, mutableExpected.ns);
    });
  }

  it('gives the values of a mutable type with final parts, and of one whose members have hashed numbers', () => {
    const parts =
      '000b00002800000000000050180000000100000000000000000024400200000000000000000034400100002063000000';
    assert.deepEqual(asColumns(two, hex(parts)), twoExpected);
    assert.deepEqual(asColumns('uint8 a\nstring name\nfloat64 b', hex(mutable.hashed)), {
      a: 1,
      name: 'hi',
      b: 2.5,
    });
  });

  it('gives no value of a mutable type whose members have other numbers, another order, or are not all there', () => {
    const text = 'int32 a\nint32 b';
    const member = (number: number, value: number, code = 2): string => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32LE(((code << 28) | number) >>> 0, 0);
      bytes.writeInt32LE(value, 4);
      return bytes.toString('hex');
    };
    const payload = (...members: string[]): Uint8Array => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(members.join('').length / 2);
      return hex(`000b0000${size.toString('hex')}${members.join('')}`);
    };
    assert.deepEqual(asColumns(text, payload(member(0, 7), member(1, 8))), { a: 7, b: 8 });
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [[member(1, 7), member(2, 8)], /member a has the number 1, expected/],
      [[member(1, 8), member(0, 7)], /member a has the number 1/],
      [[member(0, 7)], /member b is not there/],
      [[], /member a is not there/],
      [[member(0, 7), member(1, 8), member(2, 9)], /ends 8 bytes behind its last member/],
      [[member(0, 7), member(5, 8)], /member b has the number 5, expected 1/],
      [[member(0, 7, 1), member(1, 8)], /member a of 2 bytes, by its definition 4/],
      [[member(0, 4, 4), member(1, 8)], /./],
    ];
    for (const [members, reason] of wrong) {
      for (const read of [asColumns, asObject]) assert.match(String(read(text, payload(...members))), reason);
    }
  });

  it('gives no other values when a mutable message is cut off or changed', () => {
    const whole = hex(mutable.little);
    for (let length = 4; length < whole.length; length++) {
      assert.equal(typeof asColumns(mutableDefinition, whole.slice(0, length)), 'string', `${length} bytes`);
    }
  });

  it('gives the values of any mutable type, for any form of its sizes', () => {
    const field = fc.oneof(
      fc.record({ type: fc.constant('uint8'), value: fc.nat(255) }),
      fc.record({ type: fc.constant('int32'), value: fc.integer() }),
      fc.record({ type: fc.constant('float64'), value: fc.double({ noNaN: true }) }),
      fc.record({ type: fc.constant('string'), value: fc.string({ unit: 'grapheme-ascii', maxLength: 9 }) }),
      fc.record({ type: fc.constant('uint16[]'), value: fc.array(fc.nat(65535), { maxLength: 5 }) }),
      fc.record({
        type: fc.constant('int64[]'),
        value: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 4 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 8 }), fc.boolean(), (fields, isShort) => {
        const text = fields.map(({ type }, index) => `${type} f${index}`).join('\n');
        const values = Object.fromEntries(fields.map(({ value }, index) => [`f${index}`, value]));
        assert.deepEqual(asColumns(text, mutableMessage(fields, isShort)), values);
      }),
    );
  });

  it('gives no value if a size does not fit the definition', () => {
    const good = hex('00070000180000000100000000000000000024400200000000000000000034406300000');
    const payloads = [
      // The array without its size, one byte more and less, a message that ends early, one with more behind it.
      '000700000100000000000000000024400200000000000000000034406300000000000000',
      '00070000190000000100000000000000000024400200000000000000000034406300000000',
      '00070000170000000100000000000000000024400200000000000000000034406300000000',
      '0007000018000000010000000000000000002440020000000000000000003440',
      '000700001800000001000000000000000000244002000000000000000000344063000000ffffffff',
      '0009000018000000010000000000000000002440020000000000000000003440630000',
    ];
    assert.equal(good.length, 35);
    for (const payload of payloads) {
      for (const read of [asColumns, asObject]) {
        assert.equal(typeof read(two, hex(payload)), 'string', payload);
      }
    }
  });

  it('leaves the header out of the hash of a picture, if structs have their size in front', () => {
    const text = [
      'std_msgs/Header header\nuint8[] data',
      'MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id',
      'MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec',
    ].join(separator);
    const { schema } = channelOf(text);
    assert.ok(beginsWithHeader(schema));
    const payloadAt = (sec: number): Uint8Array => {
      const words = [0x0900, 32, 18, 8, sec, 5, 2, 0x61, 4, 0x04030201];
      const payload = Buffer.alloc(4 * words.length);
      words.forEach((word, at) => payload.writeUInt32LE(word, 4 * at));
      return payload;
    };
    assert.deepEqual(asColumns(text, payloadAt(1)), {
      header: { stamp: 1_000_000_005n, frame_id: 'a' },
      data: Uint8Array.of(1, 2, 3, 4),
    });
    const [first, second] = [payloadAt(1), payloadAt(2)];
    assert.notDeepEqual(first, second);
    assert.equal(contentHash(first, true), contentHash(second, true));
  });
});
