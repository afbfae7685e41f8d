import assert from 'node:assert/strict';
import { printableJson, printableLines } from '../../src/core/unseen-text.js';
import { printable, renderTable } from '../../src/host/human.js';
import { createStreamLogger } from '../../src/host/stream-logger.js';

/** Moves the cursor (C0 and C1), turns the direction of writing, breaks a line, hides itself. */
const hostile = [
  '\u001b[2J',
  '\u009b2J',
  '\u202emoor',
  '\u2066x',
  '\u2028',
  '\u200b',
  '\ufeff',
  '\ud800',
  '\n',
  '\r',
];
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe('a hostile name', () => {
  it('is shown with everything escaped that is not seen', () => {
    for (const name of hostile) assert.doesNotMatch(printable(name), UNSEEN, JSON.stringify(name));
    assert.equal(printable('\u009b \u202e robot 7 größe 日本'), '\\x9b \\u202e robot 7 größe 日本');
    assert.equal(printableLines('a\u001b\nb\tc'), 'a\\x1b\nb\tc');
  });

  it('is the same value in JSON, and nothing in it is unseen', () => {
    const value = { name: hostile.join('größe') };
    const json = printableJson(JSON.stringify(value));
    assert.doesNotMatch(json, UNSEEN);
    assert.deepEqual(JSON.parse(json), value);
  });

  it('does nothing to a log, as text and as JSON', () => {
    for (const format of ['text', 'json'] as const) {
      const lines: string[] = [];
      const write = (line: string): void => void lines.push(line.slice(0, -1));
      const logger = createStreamLogger({ format, nowMs: () => 0, write });
      for (const robot of hostile) logger.warn('seen', { robot });
      for (const line of lines) assert.doesNotMatch(line, UNSEEN);
    }
  });

  it('of 5,000 characters is cut in a table and leaves the other columns where they are', () => {
    const rows = [
      ['r'.repeat(5_000), '1'],
      ['robot', '2'],
    ];
    const lines = renderTable([{ head: 'ROBOT' }, { head: 'N', right: true }], rows);
    for (const line of lines) assert.ok(line.length <= 90, `${line.length} characters`);
    assert.match(lines[1]!, /^r{77}\.\.\. +1$/);
    assert.match(lines[2]!, /^robot +2$/);
  });
});
