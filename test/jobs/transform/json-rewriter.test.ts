import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseTransformRule } from '../../../src/core/transform/rule.js';
import { present } from '../../../src/core/present.js';
import { planOf } from '../../../src/jobs/transform/field-plan.js';
import { rewriteJson } from '../../../src/jobs/transform/json-rewriter.js';

function changed(text: string, rule: string): string {
  const plan = planOf(present(parseTransformRule(`/t ${rule}`)));
  return Buffer.from(
    rewriteJson(Buffer.from(text), plan, (one) => `#${Buffer.from(one).toString()}#`),
  ).toString();
}

describe('JSON messages with changed fields', () => {
  it('keep every other byte: white space, digits, the order of members', () => {
    const text = '{ "b" : 1.50,\n  "name":"Ann", "list":[ {"name":"x"} , 7 ],"a":-0e0 }';
    assert.equal(changed(text, 'zero=name'), text.replace('"Ann"', '""'));
    assert.equal(changed(text, 'hash=name'), text.replace('"Ann"', '"#Ann#"'));
    assert.equal(changed(text, 'zero=list'), text.replace('"x"', '""').replace('7', '0'));
    assert.equal(changed(text, 'round=b:0'), text.replace('1.50', '2'));
    assert.equal(changed(text, 'round=b:2'), text);
    assert.equal(
      changed(text, 'drop=name,list.name?,nothing'),
      '{ "b" : 1.50,\n  "list":[ {} , 7 ],"a":-0e0 }',
    );
  });

  it('lose members wherever they stand', () => {
    for (const [text, left] of [
      ['{"x":1}', '{}'],
      ['{"x":1,"y":2}', '{"y":2}'],
      ['{"y":2,"x":1}', '{"y":2}'],
      ['{"x":1,"y":2,"x":3}', '{"y":2}'],
      ['{"x":1,"x":[{"x":2}]}', '{}'],
      ['{"\\u0078":1,"y":"\\"x\\":"}', '{"y":"\\"x\\":"}'],
      ['[{"x":1},{"y":{"x":1}}]', '[{},{"y":{"x":1}}]'],
      ['\uFEFF{"x":1}', '\uFEFF{}'],
      ['7', '7'],
    ] as const) {
      assert.equal(changed(text, 'drop=x'), left);
    }
  });

  it('round a position to a grid, and refuse half of one', () => {
    const rounded = JSON.parse(changed('{"lat":47.3769,"lon":8.5417}', 'round=lat+lon:1000m')) as Record<
      string,
      number
    >;
    assert.ok(Math.abs(rounded['lat']! - 47.3769) < 0.0045 && rounded['lat'] !== 47.3769);
    assert.equal(changed('{"lat":null,"lon":8.5417}', 'round=lat+lon:1000m'), '{"lat":null,"lon":null}');
    assert.throws(() => changed('{"lat":47.3}', 'round=lat+lon:1000m'), /once each/);
    assert.throws(() => changed('{"lat":"47.3","lon":1}', 'round=lat+lon:1000m'), /no number/);
  });

  it('are refused without a word of what they hold', () => {
    for (const text of ['{"name":"secret"', 'secret', '{"name":{"a":"secret"}}', '{"age":"secret"}']) {
      assert.throws(
        () => changed(text, 'hash=name round=age:1'),
        (error: Error) => !error.message.includes('secret') && /not JSON|allow/.test(error.message),
        text,
      );
    }
  });

  it('have the same value as a copy that lost its members', () => {
    const without = (value: object): object =>
      Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'x'));
    fc.assert(
      fc.property(
        fc
          .jsonValue()
          .chain((value) =>
            fc.record(
              { y: fc.constant(value), x: fc.jsonValue(), ['z"\\']: fc.jsonValue() },
              { requiredKeys: [] },
            ),
          ),
        fc.constantFrom(undefined, 1, '\t'),
        (value, space) => {
          const text = JSON.stringify(value, null, space);
          assert.deepEqual(JSON.parse(changed(text, 'drop=x')), without(JSON.parse(text) as object));
        },
      ),
    );
  });
});
