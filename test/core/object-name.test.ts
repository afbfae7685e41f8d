import assert from 'node:assert/strict';
import { objectName } from '../../src/core/object-name.js';

describe('the names of sealed objects', () => {
  it('distinguish a robot with a class from a robot of that name', () => {
    const suffixes = [
      objectName('a', 'low'),
      objectName('a.low', 'normal'),
      objectName('a~low', undefined),
      objectName('', 'low'),
      objectName('~', 'low'),
      objectName('a', 'high'),
    ].map(({ suffix }) => suffix);
    assert.equal(new Set(suffixes).size, suffixes.length, suffixes.join(' '));
  });
});
