import assert from 'node:assert/strict';
import { escapeMarkup } from '../../src/core/escape-markup.js';

describe('escapeMarkup', () => {
  it('leaves no character that could end a text or an attribute', () => {
    assert.equal(
      escapeMarkup(`<a href="b" c='d' e=\`f\`>&amp;`),
      '&lt;a href=&quot;b&quot; c=&#39;d&#39; e=&#96;f&#96;&gt;&amp;amp;',
    );
  });
});
