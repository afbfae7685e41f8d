import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import { present } from '../../src/core/present.js';
import { bytesReadable, type Readable } from '../../src/core/mcap/readable.js';
import { decryptAll, decryptedReadable } from '../../src/encryption/decrypted-readable.js';
import { factsOf, newContentKey } from '../../src/encryption/encrypted-content.js';
import { decodeKey, encodeKey } from '../../src/encryption/key-text.js';
import { openDataKey, parseIdentities, parseRecipient } from '../../src/encryption/keyring.js';
import { newIdentity, recipientOf, type Identity } from '../../src/encryption/wrapped-key.js';
import { packageRoot } from '../../src/host/version.js';
import { counted, encrypted, plainOf } from './made-content.js';

async function whole(file: Buffer, dataKey: Uint8Array): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of decryptAll(bytesReadable(file), dataKey, 'f.enc')) pieces.push(piece);
  return Buffer.concat(pieces);
}

const isCorrupt = (error: unknown): boolean => isHoldfastError(error, 'CIPHERTEXT_CORRUPT');
const CHUNK = 65_536;
const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5];

describe('An encrypted file', () => {
  const key = newContentKey(randomBytes);

  for (const size of SIZES) {
    it(`of ${size} bytes comes back, whole and by ranges`, async () => {
      const plain = plainOf(size);
      const file = await encrypted(plain, key);
      assert.ok((await whole(file, key.dataKey)).equals(plain));
      const readable = decryptedReadable(bytesReadable(file), key.dataKey, 'f.enc');
      assert.equal(await readable.size(), BigInt(size));
      for (const [from, to] of [
        [0, size],
        [0, 0],
        [Math.floor(size / 3), size],
        [Math.max(0, size - 1), size],
        [Math.floor(size / 2), Math.floor(size / 2) + Math.min(1, size - Math.floor(size / 2))],
        [Math.min(size, CHUNK - 2), Math.min(size, CHUNK + 2)],
      ] as const) {
        const part = Buffer.from(await readable.read(BigInt(from), BigInt(to - from)));
        assert.ok(part.equals(plain.subarray(from, to)), `${from} to ${to}`);
      }
    });
  }

  it('is the same for the same key and plaintext, in pieces of any size', async () => {
    const plain = plainOf(2 * CHUNK + 7);
    const file = await encrypted(plain, key);
    for (const pieceBytes of [1_000, CHUNK, file.length]) {
      assert.ok((await encrypted(plain, key, pieceBytes)).equals(file), `pieces of ${pieceBytes}`);
    }
  });

  it('never uses one key stream for two plaintexts, even with the same data key and salt', async () => {
    const [a, b] = [plainOf(1_000), plainOf(1_000)];
    b[500] = 255;
    const [x, y] = [await encrypted(a, key), await encrypted(b, key)];
    const same = x.subarray(120).filter((byte, i) => (byte ^ a[i]!) === (y[120 + i]! ^ b[i]!)).length;
    assert.ok(same < 50, `${same} of 1,000 bytes have the same key stream`);
  });

  it('reads only the chunks that a range needs', async () => {
    const plain = plainOf(20 * CHUNK);
    const file = await encrypted(plain, key);
    let read = 0n;
    const inner = bytesReadable(file);
    const counting: Readable = {
      size: () => inner.size(),
      read: (offset, size) => {
        read += size;
        return inner.read(offset, size);
      },
    };
    const readable = decryptedReadable(counting, key.dataKey, 'f.enc');
    await readable.read(BigInt(7 * CHUNK + 3), 10n);
    await readable.read(BigInt(7 * CHUNK + 500), 10n);
    assert.equal(read, BigInt(120 + CHUNK + 16));
  });

  it('shows a flipped bit at every byte, and gives nothing of that chunk', async () => {
    const plain = plainOf(300);
    const file = await encrypted(plain, key);
    for (let at = 0; at < file.length; at++) {
      file[at] = file[at]! ^ (1 << (at % 8));
      await assert.rejects(whole(file, key.dataKey), isCorrupt, `byte ${at}`);
      const readable = decryptedReadable(bytesReadable(file), key.dataKey, 'f.enc');
      await assert.rejects(readable.read(0n, 300n), isCorrupt, `byte ${at} by range`);
      file[at] = file[at]! ^ (1 << (at % 8));
    }
    assert.ok((await whole(file, key.dataKey)).equals(plain));
  });

  it('shows exchanged, removed, repeated and cut chunks, and names the damaged one', async () => {
    const file = await encrypted(plainOf(4 * CHUNK), key);
    const sealed = CHUNK + 16;
    const chunk = (i: number): Buffer => file.subarray(120 + i * sealed, 120 + (i + 1) * sealed);
    const head = file.subarray(0, 120);
    const wrong = {
      exchanged: Buffer.concat([head, chunk(0), chunk(2), chunk(1), chunk(3)]),
      repeated: Buffer.concat([head, chunk(0), chunk(1), chunk(1), chunk(3)]),
      'last one first': Buffer.concat([head, chunk(3), chunk(1), chunk(2), chunk(0)]),
      removed: Buffer.concat([head, chunk(0), chunk(1), chunk(3)]),
      cut: file.subarray(0, -1),
      'cut in the header': file.subarray(0, 60),
      longer: Buffer.concat([file, chunk(3)]),
      empty: Buffer.alloc(0),
    };
    for (const [name, bytes] of Object.entries(wrong)) {
      await assert.rejects(whole(bytes, key.dataKey), isCorrupt, name);
    }
    await assert.rejects(whole(wrong.exchanged, key.dataKey), /chunk 1 of 4 is damaged/);
    await assert.rejects(whole(wrong.cut, key.dataKey), /truncated/);
    // A range before the damage still reads.
    const readable = decryptedReadable(bytesReadable(wrong.exchanged), key.dataKey, 'f.enc');
    assert.equal((await readable.read(0n, 100n)).byteLength, 100);
  });

  it('is not opened with another data key', async () => {
    const file = await encrypted(plainOf(100), key);
    await assert.rejects(whole(file, randomBytes(32)), /data key belongs to another file/);
  });
});

describe('A wrapped key', () => {
  const dataKey = randomBytes(32);
  const ann = newIdentity();
  const ben = newIdentity();
  const shared: Identity = { kind: 'symmetric', key: randomBytes(32) };
  const recipients = [recipientOf(ann), recipientOf(shared)];
  const facts = factsOf({ dataKey }, 5, recipients, randomBytes);

  it('opens for each recipient', () => {
    for (const identity of [ann, shared]) {
      assert.deepEqual(openDataKey({ identities: [ben, identity] }, facts, 'f'), dataKey);
    }
  });

  it('opens for nobody else, and the error names the recipients', () => {
    const { recipient } = present(facts.keys[0]);
    for (const identities of [[], [ben]]) {
      assert.throws(
        () => openDataKey({ identities }, facts, 'f'),
        (error) => isHoldfastError(error, 'IDENTITY_MISSING') && error.message.includes(recipient),
      );
    }
  });

  it('shows damage of every byte', () => {
    for (const [index, wrapped] of facts.keys.entries()) {
      const identity = present([ann, shared][index]);
      for (const member of ['wrapped', wrapped.type === 'X25519' ? 'ephemeral' : 'salt'] as const) {
        const bytes = Buffer.from(present((wrapped as unknown as Record<string, string>)[member]), 'base64');
        for (let at = 0; at < bytes.length; at++) {
          // X25519 ignores the highest bit of the last byte; HKDF does not.
          bytes[at] = bytes[at]! ^ 0x80;
          const keys = [{ ...wrapped, [member]: bytes.toString('base64') }];
          assert.throws(() => openDataKey({ identities: [identity] }, { ...facts, keys }, 'f'), isCorrupt);
          bytes[at] = bytes[at]! ^ 0x80;
        }
      }
    }
  });

  it('of another file is not taken', () => {
    const other = { ...facts, keyId: '00'.repeat(16) };
    assert.throws(() => openDataKey({ identities: [ann] }, other, 'f'), isCorrupt);
  });
});

describe('The text of a key', () => {
  it('shows every wrong character', () => {
    const text = encodeKey('recipient', randomBytes(32));
    for (let at = 0; at < text.length; at++) {
      const wrong = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      assert.throws(
        () => decodeKey('recipient', wrong, 'sync.recipients'),
        (error) => isHoldfastError(error, 'KEY_INVALID'),
        wrong,
      );
    }
  });

  it('is never a secret in the place of a recipient, or the other way round', () => {
    const identity = encodeKey('identity', randomBytes(32));
    assert.throws(() => parseRecipient(identity, 'x'), /holds an identity; allowed: the recipient/);
    const recipient = encodeKey('recipient', randomBytes(32));
    assert.throws(
      () => parseIdentities(`# a\n${recipient}\n`, 'k'),
      /holds a recipient, which can only encrypt/,
    );
    assert.throws(() => parseIdentities('# nothing\n', 'k'), /holds no key/);
    const wrong = `${identity.slice(0, -1)}${identity.endsWith('A') ? 'B' : 'A'}`;
    assert.throws(
      () => parseIdentities(wrong, 'k'),
      (error) => isHoldfastError(error, 'KEY_INVALID') && !error.message.includes(wrong.slice(8, 20)),
    );
  });
});

/** Kept as it was written once; it never changes. */
const vectors = join(packageRoot, 'test', 'golden', 'encryption', 'v1', 'vectors.json');

interface Vectors {
  readonly identity: string;
  readonly symmetric: string;
  readonly dataKey: string;
  readonly salt: string;
  readonly facts: ReturnType<typeof factsOf>;
  readonly files: readonly { readonly bytes: number; readonly header: string; readonly sha256: string }[];
}

async function made(): Promise<Vectors> {
  const random = counted();
  const identity: Identity = { kind: 'x25519', secretKey: random(32) };
  const symmetric: Identity = { kind: 'symmetric', key: random(32) };
  const key = newContentKey(random);
  const files = [];
  for (const bytes of SIZES) {
    const file = await encrypted(plainOf(bytes), key);
    const sha256 = createHash('sha256').update(file).digest('hex');
    files.push({ bytes, header: file.subarray(0, 120).toString('hex'), sha256 });
  }
  return {
    identity: encodeKey('identity', identity.secretKey),
    symmetric: encodeKey('symmetric', symmetric.key),
    dataKey: Buffer.from(key.dataKey).toString('hex'),
    salt: Buffer.from(key.salt).toString('hex'),
    facts: factsOf(key, 5, [recipientOf(identity), recipientOf(symmetric)], random),
    files,
  };
}

describe('The golden vectors of encryption', () => {
  it('are written byte for byte as before', async () => {
    const now = await made();
    if (process.env['HOLDFAST_WRITE_GOLDEN'] === '1') {
      await writeFile(vectors, `${JSON.stringify(now, null, 1)}\n`, { flag: 'wx' }).catch(() => undefined);
    }
    assert.deepEqual(now, JSON.parse(await readFile(vectors, 'utf8')));
  });

  it('open with their keys', async () => {
    const { identity, symmetric, facts, dataKey } = JSON.parse(await readFile(vectors, 'utf8')) as Vectors;
    for (const text of [identity, symmetric]) {
      const opened = openDataKey({ identities: parseIdentities(text, 'vector') }, facts, 'vector');
      assert.equal(opened.toString('hex'), dataKey);
    }
  });
});
