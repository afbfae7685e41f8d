import assert from 'node:assert/strict';
import { join, normalize, sep } from 'node:path';
import fc from 'fast-check';
import { ENCODED_NAME_MAX_BYTES, encodeName } from '../../src/core/name-encoding.js';

describe('Name encoding', () => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 100 }),
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 })
      .map((units) => String.fromCharCode(...units)),
    fc.constantFrom(
      '..',
      '.',
      '../',
      '../../etc/passwd',
      '/',
      '//',
      '~',
      '%',
      '%2F',
      '\0',
      'CON',
      'a.',
      '.a',
      '',
    ),
    fc.stringMatching(/^[~%./A-F0-9]{0,130}$/),
  );

  it('is one path element that stays in its folder, for any name', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const encoded = encodeName(name);
        assert.match(encoded, /^[A-Za-z0-9_.%~-]+$/);
        assert.ok(Buffer.byteLength(encoded) <= ENCODED_NAME_MAX_BYTES);
        assert.ok(encoded !== '.' && encoded !== '..' && !encoded.startsWith('.'));
        assert.equal(normalize(join('/data/sealed', encoded)), `/data/sealed${sep}${encoded}`);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives different names different encodings', () => {
    fc.assert(
      fc.property(anyName, anyName, (a, b) => {
        assert.equal(encodeName(a) === encodeName(b), a === b);
      }),
      { numRuns: 2000 },
    );
  });

  it('distinguishes lone surrogates from each other and from the text of their escapes', () => {
    const names = [
      '\ud800',
      '\ud801',
      '\udfff',
      '\ufffd',
      '\u{10ffff}d800',
      '\u{10ffff}',
      'd800',
      '\ud800\ud800',
    ];
    assert.equal(new Set(names.map(encodeName)).size, names.length);
  });

  it('keeps ordinary names as they are', () => {
    for (const name of ['robot_1', 'Crab-7', 'a.b.c']) assert.equal(encodeName(name), name);
    assert.equal(encodeName('/fleet/robot 1'), '%2Ffleet%2Frobot%201');
    assert.equal(encodeName('..'), '%2E.');
    assert.equal(encodeName(''), '~');
  });

  it('shortens a name of 4 kB without mixing it up with another of the same beginning', () => {
    const long = 'x'.repeat(4096);
    const encoded = [long, `${long}y`, `${long}z`, `${'x'.repeat(4095)}y`].map(encodeName);
    assert.equal(new Set(encoded).size, 4);
    for (const name of encoded) assert.ok(name.length <= ENCODED_NAME_MAX_BYTES && name.startsWith('xxxx'));
  });
});
