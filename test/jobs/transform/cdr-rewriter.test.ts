import assert from 'node:assert/strict';
import { parseTransformRule } from '../../../src/core/transform/rule.js';
import type { McapChannel } from '../../../src/core/mcap/definitions.js';
import { present } from '../../../src/core/present.js';
import { compileTransform, keyedHash } from '../../../src/jobs/transform/message-transform.js';
import { MessageDecoder } from '../../../src/recordings/message-decoder.js';
import { cyclone, definition, mutable, mutableDefinition } from '../../exporters/cyclone-vectors.js';

const hash = keyedHash(Buffer.from('a key of a fleet'));
const hashOf = (text: string): string => hash(Buffer.from(text));

function channelOf(text: string, topic = '/t'): McapChannel {
  const schema = { name: 'gen/msg/T', encoding: 'ros2msg', data: Buffer.from(text) };
  return { id: 1, topic, encoding: 'cdr', schema, metadata: {}, carried: false };
}

function changed(text: string, payload: Uint8Array, ...rules: string[]): Uint8Array {
  const parsed = rules.map((rule) => present(parseTransformRule(rule)));
  const transform = compileTransform(channelOf(text), parsed, hash);
  return typeof transform === 'function' ? transform(payload) : payload;
}

function valueOf(text: string, payload: Uint8Array): Record<string, unknown> {
  const decoded = new MessageDecoder().decode(channelOf(text), payload);
  assert.ok(decoded.ok, 'reason' in decoded ? decoded.reason : '');
  assert.equal(decoded.leftOver, undefined);
  // As text: elements of lists become alike.
  return JSON.parse(
    JSON.stringify(decoded.value, (_key, value: unknown) =>
      typeof value === 'bigint'
        ? String(value)
        : ArrayBuffer.isView(value)
          ? [...(value as Uint8Array)]
          : value,
    ),
  ) as Record<string, unknown>;
}

const encodings = [
  ...Object.entries(cyclone).map(([name, hex]) => ({ name, text: definition, hex })),
  ...Object.entries({ mutableLittle: mutable.little, mutableBig: mutable.big }).map(([name, hex]) => ({
    ...{ name, hex },
    text: mutableDefinition,
  })),
].map(({ name, text, hex }) => ({ name, text, payload: Buffer.from(hex, 'hex') }));

describe('CDR messages with changed fields', () => {
  for (const { name, text, payload } of encodings) {
    it(`keep every other byte (${name}, as Cyclone DDS writes it)`, () => {
      // A rounding that changes no number goes through the whole message.
      const same = changed(text, payload, '/t round=wide:3');
      assert.deepEqual(Buffer.from(same).toString('hex'), payload.toString('hex'));
      const zeroed = Buffer.from(changed(text, payload, '/t zero=small'));
      assert.equal(zeroed.length, payload.length);
      const differing = [...zeroed].filter((byte, at) => byte !== payload[at]).length;
      assert.equal(differing, 2, 'the two bytes of 65535');
    });

    it(`keep every other value, also when lengths change (${name})`, () => {
      const before = valueOf(text, payload);
      const rules = ['/t hash=names,ns.name drop=wide,nested.raw zero=nested.name,seq', '/t round=ps.b:0'];
      const after = valueOf(text, changed(text, payload, ...rules));
      const nested = before['nested'] as Record<string, unknown>;
      assert.deepEqual(after, {
        ...before,
        names: ['x', '', 'abcd'].map(hashOf),
        ns: (before['ns'] as Record<string, unknown>[]).map((one) => ({
          ...one,
          name: hashOf(String(one['name'])),
        })),
        wide: [],
        nested: { ...nested, name: '', raw: [] },
        seq: [{ a: 0, b: 0 }],
        ps: [
          { a: 1, b: 2 },
          { a: 2, b: -3 },
        ].map((pair, index) => ({ ...pair, b: Number([1.5, -2.5][index]!.toFixed(0)) })),
      });
    });

    it(`lose a removed text without a trace (${name})`, () => {
      const left = Buffer.from(changed(text, payload, '/t zero=nested.name hash=names'));
      assert.ok(payload.includes('inner') && payload.includes('abcd'));
      assert.ok(!left.includes('inner') && !left.includes('abcd'));
    });
  }

  it('round a position to a grid in metres', () => {
    const text = 'float64 latitude\nfloat64 longitude\nfloat64 altitude';
    const payload = Buffer.alloc(28);
    payload[1] = 1;
    [47.3769, 8.5417, 408.25].forEach((value, at) => payload.writeDoubleLE(value, 4 + 8 * at));
    const after = valueOf(text, changed(text, payload, '/t round=latitude+longitude:1000m,altitude:10m'));
    assert.ok(Math.abs(Number(after['latitude']) - 47.3769) < 0.0045);
    assert.notEqual(after['latitude'], 47.3769);
    assert.notEqual(after['longitude'], 8.5417);
    assert.equal(after['altitude'], 410);
  });

  it('are refused if a rule names a field that the type lacks, unless the rule says that it may', () => {
    const text = 'string name\nuint8 age';
    const fault = (rule: string): RegExp =>
      new RegExp(`"${rule.replace('?', '\\?')}" of sync.transform cannot be applied to /t`);
    const payload = Buffer.from('0001000002000000610007', 'hex');
    for (const [rule, reason] of [
      ['/t hash=nam', /nam is not a field; there are: name, age/],
      ['/t hash=age', /age is uint8; hash allows: string/],
      ['/t round=age:1', /age is uint8; round allows: float32, float64/],
    ] as const) {
      assert.throws(() => changed(text, payload, rule), { code: 'TRANSFORM_FAILED', message: reason });
      assert.throws(() => changed(text, payload, rule), { message: fault(rule) });
    }
    assert.deepEqual(changed(text, payload, '/t hash=nam?'), payload);
  });

  it('are refused if they do not fit their definition, because another field would be changed', () => {
    const text = 'string name\nuint8 age';
    for (const hex of [
      '00010000ff0000006100',
      '00010000020000006100',
      '0001000002000000610007ffffffffffffffff',
      '',
    ]) {
      assert.throws(
        () => changed(text, Buffer.from(hex, 'hex'), '/t zero=name'),
        { code: 'TRANSFORM_FAILED' },
        hex,
      );
    }
    const wide = 'wstring name';
    assert.throws(
      () => changed(wide, Buffer.from('0001000000000000', 'hex'), '/t zero=name'),
      /drop the topic/,
    );
  });
});
