import assert from 'node:assert/strict';
import { JSON_MAX_DEPTH } from '../../src/core/json-depth.js';
import { jsonText, jsonValue } from '../../src/core/json-message.js';

const parse = (given: string): { readonly text: string; readonly value: unknown } => {
  const text = jsonText(Buffer.from(given));
  return { text, value: jsonValue(text) };
};

describe('a JSON message', () => {
  it('keeps every digit of its numbers, in its text and as a value', () => {
    const { text, value } = parse('{"a":18446744073709551615,"b":-9007199254740993,"c":9007199254740991}');
    assert.equal(text, '{"a":18446744073709551615,"b":-9007199254740993,"c":9007199254740991}');
    assert.deepEqual(value, { a: 18446744073709551615n, b: -9007199254740993n, c: 9007199254740991 });
    const kept = '{"x":1e400,"y":-0,"z":0.12345678901234567890,"z":2}';
    assert.equal(parse(kept).text, kept);
  });

  it('takes digits inside of a text for no number', () => {
    const texts = ['12345678901234567890', '\ue000', 'a"9007199254740993', '\ue00112345678901234567890'];
    const { value } = parse(JSON.stringify([...texts, 1]).replace(/1\]$/, '9007199254740993]'));
    assert.deepEqual(value, [...texts, 9007199254740993n]);
    assert.deepEqual(parse('["\\ue0001234567890123456",12345678901234567890]').value, [
      '\ue0001234567890123456',
      12345678901234567890n,
    ]);
  });

  it('is read without the byte order mark in front of it, and refused with one inside', () => {
    const { text, value } = parse('\ufeff{"a":1}');
    assert.deepEqual([text, value], ['{"a":1}', { a: 1 }]);
    assert.throws(() => parse('\ufeff\ufeff{"a":1}'));
    assert.throws(() => parse('{\ufeff"a":1}'));
  });

  it('has U+FFFD for half a surrogate pair, and whole pairs as they are', () => {
    const { text, value } = parse(String.raw`["\ud800","\uDC00x","\ud83d\ude00","\\ud800","\ud800A"]`);
    assert.equal(text, String.raw`["\ufffd","\ufffdx","\ud83d\ude00","\\ud800","\ufffdA"]`);
    assert.deepEqual(value, ['\ufffd', '\ufffdx', '😀', '\\ud800', '\ufffdA']);
    assert.throws(() => jsonText(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])));
  });

  it('is refused when it is nested deeper than readers go, by its brackets and not by its texts', () => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    assert.equal(parse(nested(JSON_MAX_DEPTH)).text, nested(JSON_MAX_DEPTH));
    assert.throws(() => parse(nested(JSON_MAX_DEPTH + 1)), /nested more than 512 deep/);
    assert.throws(() => parse(nested(5_000)), /nested more than 512 deep/);
    assert.throws(() => parse('{"a":'.repeat(100_000)), /nested more than 512 deep/);
    const brackets = JSON.stringify({ a: '['.repeat(5_000), b: '"' + '{'.repeat(5_000) });
    assert.equal(parse(brackets).text, brackets);
  });

  it('stays on one line', () => {
    assert.equal(parse('\r\n{\n"a" :\r\n 1 }\n').text, '{ "a" :  1 }');
  });

  it('is refused when it is no JSON', () => {
    for (const text of ['', '{', '{a:1}', '[1,]', 'NaN', '01', "{'a':1}", '{} {}']) {
      assert.throws(() => parse(text), text);
    }
  });
});
