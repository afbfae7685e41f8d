import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { present } from '../../src/core/present.js';
import { SegmentCipher, WRAPPED_BYTES } from '../../src/wal/segment-cipher.js';

describe('the cipher of a WAL segment', () => {
  const [key, other] = [randomBytes(32), randomBytes(32)] as const;
  const segment = '000000000001-00000000000000000000000000000000';
  const stamp = Buffer.alloc(16, 7);

  it('opens with the key that wrapped it, on any place in the list', () => {
    const cipher = SegmentCipher.create(key, randomBytes);
    const sealed = cipher.sealWrite(5n, stamp, Buffer.from('entries'));
    for (const keys of [[key], [other, key]]) {
      const opened = SegmentCipher.open(cipher.wrapped, keys, segment);
      assert.equal(String(opened.openWrite(5n, stamp, sealed)), 'entries');
    }
  });

  it('never has the same data key twice', () => {
    const plain = Buffer.alloc(64);
    const all = Array.from({ length: 20 }, () => {
      const cipher = SegmentCipher.create(key, randomBytes);
      return Buffer.concat([cipher.sealWrite(1n, stamp, plain), ...cipher.sealPart(0, [plain])]).toString(
        'hex',
      );
    });
    assert.equal(new Set(all).size, all.length);
  });

  it('encrypts no two writes or parts alike: no number and no offset shares a nonce with another', () => {
    const cipher = SegmentCipher.create(key, randomBytes);
    const numbers = [...Array(300).keys(), 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, 2 ** 40, 2 ** 52];
    const plain = Buffer.alloc(16);
    const all = numbers.flatMap((number) => [
      cipher.sealWrite(BigInt(number), stamp, plain).subarray(0, 16).toString('hex'),
      Buffer.from(present(cipher.sealPart(number, [plain])[0])).toString('hex'),
    ]);
    assert.equal(new Set(all).size, all.length);
  });

  it('names the missing key, the given ones and what is allowed', () => {
    const { wrapped } = SegmentCipher.create(key, randomBytes);
    for (const [keys, given] of [
      [[], 'no key'],
      [[other], 'key:'],
    ] as const) {
      assert.throws(
        () => SegmentCipher.open(wrapped, keys, segment),
        (error: Error & { code: string }) =>
          error.code === 'IDENTITY_MISSING' &&
          error.message.includes(segment) &&
          /encrypted with key:[0-9a-f]{16}/.test(error.message) &&
          error.message.includes(`given: ${given}`) &&
          error.message.includes('encryption.at_rest_key'),
      );
    }
  });

  it('shows a flipped bit at every byte of the wrapped key, and every other length', () => {
    const { wrapped } = SegmentCipher.create(key, randomBytes);
    assert.equal(wrapped.length, WRAPPED_BYTES);
    for (let at = 0; at < wrapped.length; at++) {
      const damaged = Buffer.from(wrapped);
      damaged[at]! ^= 1 << (at % 8);
      assert.throws(() => SegmentCipher.open(damaged, [key], segment), { code: 'CIPHERTEXT_CORRUPT' });
    }
    for (const form of [wrapped.subarray(1), Buffer.concat([wrapped, Buffer.of(0)]), Buffer.alloc(0)]) {
      assert.throws(() => SegmentCipher.open(form, [key], segment), { code: 'CIPHERTEXT_CORRUPT' });
    }
  });

  it('opens a write only as the same one of the same segment', () => {
    const cipher = SegmentCipher.create(key, randomBytes);
    const sealed = cipher.sealWrite(5n, stamp, Buffer.from('entries'));
    assert.equal(cipher.openWrite(6n, stamp, sealed), undefined);
    assert.equal(cipher.openWrite(5n, Buffer.alloc(16, 8), sealed), undefined);
    assert.equal(cipher.openWrite(5n, stamp, sealed.subarray(0, 10)), undefined);
    assert.equal(SegmentCipher.create(key, randomBytes).openWrite(5n, stamp, sealed), undefined);
  });

  it('opens a part of the blob only at its offset, and gives zeros instead of what it cannot authenticate', () => {
    const cipher = SegmentCipher.create(key, randomBytes);
    const sealed = Buffer.concat(cipher.sealPart(100, [Buffer.from('pay'), Buffer.from('load')]));
    const target = Buffer.alloc(7, 1);
    assert.equal(cipher.openPart(100, sealed, target), true);
    assert.equal(String(target), 'payload');
    assert.equal(cipher.openPart(101, sealed, target), false);
    assert.deepEqual(target, Buffer.alloc(7));
    sealed[3]! ^= 4;
    target.fill(1);
    assert.equal(cipher.openPart(100, sealed, target), false);
    assert.deepEqual(target, Buffer.alloc(7));
  });
});
