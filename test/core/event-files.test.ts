import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeEvent, encodeEvent } from '../../src/core/event-files.js';
import { overlapsEvent } from '../../src/core/marked-event.js';

const event = {
  id: '0123456789abcdef0123456789abcdef',
  label: 'hit the kerb, "hard" ü',
  at: '1700000000000000000',
  from: '1699999990000000000',
  to: '1700000010000000000',
};

describe('the file of a marked event', () => {
  it('returns the marked event, still in version 1', () => {
    assert.deepEqual(decodeEvent(encodeEvent(event), event.id), event);
    assert.equal(
      encodeEvent({ ...event, label: 'bump' }),
      '{"crc32":642370565,"event":{"version":1,"id":"0123456789abcdef0123456789abcdef","label":"bump",' +
        '"at":"1700000000000000000","from":"1699999990000000000","to":"1700000010000000000"}}\n',
    );
  });

  it('is no mark with any bit flipped, cut anywhere, or under another name', () => {
    const bytes = Buffer.from(encodeEvent(event));
    const original = bytes.toString();
    fc.assert(
      fc.property(fc.nat(bytes.length - 2), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1 << bit;
        const text = changed.toString();
        // What JSON reads as the same is the same.
        const read = decodeEvent(text, event.id);
        assert.ok(read === undefined || JSON.stringify(read) === JSON.stringify(event), text);
      }),
    );
    for (let end = 0; end < original.length - 2; end++) {
      assert.equal(decodeEvent(original.slice(0, end), event.id), undefined);
    }
    assert.equal(decodeEvent(original, 'f'.repeat(32)), undefined);
    for (const text of ['null', '{}', '[]', '1', '{"event":null}']) {
      assert.equal(decodeEvent(text, event.id), undefined);
    }
  });

  it('overlaps what touches its window', () => {
    const from = BigInt(event.from);
    const to = BigInt(event.to);
    assert.ok(overlapsEvent(event, from - 5n, from));
    assert.ok(overlapsEvent(event, to, to + 5n));
    assert.ok(overlapsEvent(event, from - 5n, to + 5n));
    assert.ok(!overlapsEvent(event, from - 5n, from - 1n));
    assert.ok(!overlapsEvent(event, to + 1n, to + 5n));
  });
});
