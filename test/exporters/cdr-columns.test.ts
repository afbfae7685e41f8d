import assert from 'node:assert/strict';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { BatchBuilder } from '../../src/exporters/columns/batch.js';
import { valueAt } from '../../src/exporters/columns/batch-rows.js';
import { columnsOf, unionOf } from '../../src/exporters/columns/column.js';
import { compileCdr } from '../../src/exporters/columns/compile-cdr.js';
import { parseTypeTree, primitives } from '../../src/exporters/columns/type-tree.js';
import { definitionOf, encodeCdr, expectedValue, generatedType, generatedValue } from './generated-types.js';

/** Decodes payloads of one definition into columns and gives them back as objects. */
function throughColumns(definition: string, payloads: readonly Uint8Array[], flatten: boolean): unknown[] {
  const type = parseTypeTree(definition, '');
  const builder = new BatchBuilder(columnsOf(type, { flatten }));
  const decode = compileCdr(type, builder, builder.root, { flatten });
  for (const payload of payloads) decode(payload);
  const batch = builder.take();
  assert.equal(batch.rows, payloads.length);
  return payloads.map((_, row) => valueAt(batch, builder.root, row));
}

/** Expanded fixed arrays ({0: .., 1: ..}) as arrays again. */
function collapsed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(collapsed);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  const entries = Object.entries(value);
  if (entries.length > 0 && entries.every(([name], index) => name === String(index))) {
    return entries.map(([, one]) => collapsed(one));
  }
  return Object.fromEntries(entries.map(([name, one]) => [name, collapsed(one)]));
}

/** What @foxglove/rosmsg2-serialization decodes, in the words of columns. */
function fromReader(value: unknown): unknown {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>);
  if (Array.isArray(value)) return value.map(fromReader);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 2 && 'sec' in value && 'nanosec' in value) {
    return BigInt(value.sec as number) * 1_000_000_000n + BigInt(value.nanosec as number);
  }
  return Object.fromEntries(entries.map(([name, one]) => [name, fromReader(one)]));
}

const cdrOptions = fc.record({
  littleEndian: fc.boolean(),
  layout: fc.constant('xcdr1' as const),
  wideBytes: fc.constantFrom(2 as const, 4 as const),
});
const xcdr2Options = fc.record({
  littleEndian: fc.boolean(),
  layout: fc.constantFrom('final' as const, 'appendable' as const),
  wideBytes: fc.constant(2 as const),
});

describe('CDR into columns', () => {
  it('gives every value of generated messages of generated types, in both byte orders', () => {
    const cases = generatedType(2).chain((type) =>
      fc.tuple(fc.constant(type), fc.array(generatedValue(type), { maxLength: 5 }), cdrOptions, fc.boolean()),
    );
    fc.assert(
      fc.property(cases, ([type, values, options, flatten]) => {
        const payloads = values.map((value) => encodeCdr(type, value, options));
        const decoded = throughColumns(definitionOf(type), payloads, flatten).map(collapsed);
        assert.deepEqual(
          decoded,
          values.map((value) => collapsed(expectedValue(type, value))),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('gives every value of XCDR2 messages of generated types, final and appendable, in both byte orders', () => {
    const among = primitives.filter((one) => one !== 'wstring');
    const cases = generatedType(2, among).chain((type) =>
      fc.tuple(fc.constant(type), generatedValue(type), xcdr2Options, fc.boolean()),
    );
    fc.assert(
      fc.property(cases, ([type, value, options, flatten]) => {
        const [decoded] = throughColumns(definitionOf(type), [encodeCdr(type, value, options)], flatten);
        assert.deepEqual(collapsed(decoded), collapsed(expectedValue(type, value)));
      }),
      { numRuns: 300 },
    );
  });

  it('agrees with @foxglove/rosmsg2-serialization on every message', () => {
    const among = primitives.filter((one) => one !== 'wstring');
    const cases = generatedType(2, among).chain((type) =>
      fc.tuple(fc.constant(type), generatedValue(type), cdrOptions),
    );
    fc.assert(
      fc.property(cases, ([type, value, options]) => {
        const definition = definitionOf(type);
        const payload = encodeCdr(type, value, options);
        const reader = new MessageReader(parse(definition, { ros2: true }));
        const [decoded] = throughColumns(definition, [payload], false);
        assert.deepEqual(decoded, fromReader(reader.readMessage(payload)));
      }),
      { numRuns: 200 },
    );
  });

  it('refuses every cut payload and allocates nothing for lengths that lie', () => {
    const among = primitives.filter((one) => one !== 'wstring');
    const cases = generatedType(1, among).chain((type) =>
      fc.tuple(
        fc.constant(type),
        generatedValue(type),
        fc.oneof(cdrOptions, xcdr2Options),
        fc.nat(),
        fc.nat(),
      ),
    );
    fc.assert(
      fc.property(cases, ([type, value, options, at, word]) => {
        const payload = encodeCdr(type, value, options);
        const tree = parseTypeTree(definitionOf(type), '');
        const builder = new BatchBuilder(columnsOf(tree, { flatten: false }));
        const decode = compileCdr(tree, builder, builder.root, { flatten: false });
        const cut = payload.subarray(0, 4 + (at % (payload.length - 3)));
        const lying = Uint8Array.from(payload);
        if (lying.length >= 8) {
          new DataView(lying.buffer).setUint32(4 + (at % (lying.length - 7)), 0xfffffff0 - word, true);
        }
        for (const damaged of [cut, lying]) {
          try {
            decode(damaged);
          } catch (error) {
            assert.ok(error instanceof Error && !(error instanceof RangeError), String(error));
          }
        }
        const rows = builder.rows;
        decode(payload);
        const batch = builder.take();
        assert.ok(batch.nodes.every(({ data }) => data === undefined || data.length < 1_000_000));
        assert.deepEqual(valueAt(batch, builder.root, rows), expectedValue(type, value));
      }),
      { numRuns: 300 },
    );
  });

  it('keeps 4,294,967,295 announced elements out of memory', () => {
    const payload = Uint8Array.from([0, 1, 0, 0, 255, 255, 255, 255, 1, 2, 3, 4]);
    for (const definition of [
      'float64[] a',
      'string[] a',
      'string a',
      'uint8[] a',
      'wstring a',
      'gen/E[] a',
    ]) {
      const text = `${definition}\n${'='.repeat(80)}\nMSG: gen/E\n`;
      assert.throws(() => throughColumns(text, [payload], false), /left/, definition);
    }
  });

  it('decodes two versions of a type into the union of their columns', () => {
    const [first, second] = ['int32 a\nstring b\nint32 c', 'int32 a\nfloat64 c\nint16[] d'].map((text) =>
      parseTypeTree(text, ''),
    );
    assert.ok(first && second);
    for (const flatten of [true, false]) {
      const shape = { flatten };
      const table = unionOf(columnsOf(first, shape), columnsOf(second, shape), flatten);
      const builder = new BatchBuilder(table);
      const value = { littleEndian: true, layout: 'xcdr1' as const, wideBytes: 2 as const };
      const one = [
        { base: 'int32' as const, array: undefined },
        { base: 'string' as const, array: undefined },
        { base: 'int32' as const, array: undefined },
      ];
      const two = [
        { base: 'int32' as const, array: undefined },
        { base: 'float64' as const, array: undefined },
        { base: 'int16' as const, array: 'sequence' as const },
      ];
      const decodeFirst = compileCdr(first, builder, builder.root, shape);
      const decodeSecond = compileCdr(second, builder, builder.root, shape);
      decodeFirst(encodeCdr(one, [1, 'x', 3], value));
      decodeSecond(encodeCdr(two, [2, 0.5, [7, 8]], value));
      decodeFirst(encodeCdr(one, [4, 'y', 5], value));
      const batch = builder.take();
      const rows = [0, 1, 2].map((row) => valueAt(batch, builder.root, row));
      assert.deepEqual(rows, [
        { a: 1, b: 'x', c: 3, c_float64: null, d: null },
        { a: 2, b: null, c: null, c_float64: 0.5, d: [7, 8] },
        { a: 4, b: 'y', c: 5, c_float64: null, d: null },
      ]);
    }
  });

  it('gives invalid UTF-8 replacement characters', () => {
    const payload = Uint8Array.from([0, 1, 0, 0, 3, 0, 0, 0, 0xff, 0x41, 0]);
    assert.deepEqual(throughColumns('string a', [payload], false), [{ a: '\ufffdA' }]);
  });

  it('refuses a type that contains itself, and one with too many fields', () => {
    const line = '='.repeat(80);
    const self = `gen/A a\n${line}\nMSG: gen/A\ngen/B b\n${line}\nMSG: gen/B\ngen/A[] a`;
    assert.throws(() => parseTypeTree(self, ''), /nested deeper/);
    const levels = Array.from({ length: 12 }, (_, i) => {
      const inner = i === 11 ? 'int32' : `gen/L${i + 1}`;
      return `MSG: gen/L${i}\n${inner} a\n${inner} b\n${inner} c\n${inner} d`;
    });
    const wide = `gen/L0 x\n${levels.map((level) => `${'='.repeat(80)}\n${level}`).join('\n')}`;
    assert.throws(() => parseTypeTree(wide, ''), /more than/);
  });
});
