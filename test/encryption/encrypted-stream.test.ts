import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import { bytesReadable, type Readable } from '../../src/core/mcap/readable.js';
import { decryptAll, decryptedReadable } from '../../src/encryption/decrypted-readable.js';
import { newContentKey } from '../../src/encryption/encrypted-content.js';
import { packageRoot } from '../../src/host/version.js';
import { counted, plainOf, streamed } from './made-content.js';

async function whole(file: Buffer, dataKey: Uint8Array): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of decryptAll(bytesReadable(file), dataKey, 'f.enc')) pieces.push(piece);
  return Buffer.concat(pieces);
}

const isCorrupt = (error: unknown): boolean => isHoldfastError(error, 'CIPHERTEXT_CORRUPT');
const CHUNK = 65_536;
const SEALED = CHUNK + 16;
const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5];

describe('A file that was encrypted in one pass', () => {
  const key = newContentKey(randomBytes);

  for (const size of SIZES) {
    it(`of ${size} bytes comes back, whole and by ranges, for pieces of any size`, async () => {
      const plain = plainOf(size);
      const file = streamed(plain, key);
      for (const pieceBytes of [1_000, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK]) {
        assert.ok(streamed(plain, key, pieceBytes).equals(file), `pieces of ${pieceBytes}`);
      }
      assert.equal(file.length, 80 + size + 16 * Math.max(1, Math.ceil(size / CHUNK)));
      assert.ok((await whole(file, key.dataKey)).equals(plain));
      const readable = decryptedReadable(bytesReadable(file), key.dataKey, 'f.enc');
      assert.equal(await readable.size(), BigInt(size));
      for (const [from, to] of [
        [0, size],
        [Math.floor(size / 3), size],
        [Math.min(size, CHUNK - 2), Math.min(size, CHUNK + 2)],
      ] as const) {
        const part = Buffer.from(await readable.read(BigInt(from), BigInt(to - from)));
        assert.ok(part.equals(plain.subarray(from, to)), `${from} to ${to}`);
      }
    });
  }

  it('shows a flipped bit at every byte', async () => {
    const file = streamed(plainOf(300), key);
    for (let at = 0; at < file.length; at++) {
      file[at] = file[at]! ^ (1 << (at % 8));
      await assert.rejects(whole(file, key.dataKey), isCorrupt, `byte ${at}`);
      file[at] = file[at]! ^ (1 << (at % 8));
    }
  });

  it('that was cut or extended anywhere is refused before a byte of it is given', async () => {
    const file = streamed(plainOf(3 * CHUNK), key);
    const chunkEnds = [0, 1, 2].map((count) => 80 + count * SEALED);
    const near = [...chunkEnds, file.length].flatMap((at) => [at - 17, at - 16, at - 1, at, at + 1, at + 16]);
    for (const length of [0, 1, 79, ...near]) {
      if (length === file.length) continue;
      const more = Buffer.alloc(Math.max(0, length - file.length));
      const wrong = Buffer.concat([file.subarray(0, length), more]);
      const readable = decryptedReadable(bytesReadable(wrong), key.dataKey, 'f.enc');
      await assert.rejects(readable.read(0n, 10n), isCorrupt, `${length} of ${file.length} bytes`);
    }
    const chunk = (i: number): Buffer => file.subarray(80 + i * SEALED, 80 + (i + 1) * SEALED);
    const longer = Buffer.concat([file, chunk(2)]);
    await assert.rejects(whole(longer, key.dataKey), /truncated or extended/);
    const exchanged = Buffer.concat([file.subarray(0, 80), chunk(1), chunk(0), chunk(2)]);
    await assert.rejects(whole(exchanged, key.dataKey), /chunk 0 of 3 is damaged/);
  });

  it('reads the header, the last chunk, and the chunks that a range needs', async () => {
    const inner = bytesReadable(streamed(plainOf(20 * CHUNK), key));
    let read = 0n;
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
    assert.equal(read, BigInt(120 + 2 * SEALED));
  });

  it('is not opened with another data key', async () => {
    const file = streamed(plainOf(100), key);
    await assert.rejects(whole(file, randomBytes(32)), /data key belongs to another file/);
  });
});

/** Kept as it was written once; it never changes. */
const vectors = join(packageRoot, 'test', 'golden', 'encryption', 'v2', 'vectors.json');

describe('The golden vectors of encryption in one pass', () => {
  it('are written byte for byte as before, and open', async () => {
    const key = newContentKey(counted(100));
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    const files = SIZES.map((bytes) => {
      const file = streamed(plainOf(bytes), key);
      const sha256 = createHash('sha256').update(file).digest('hex');
      return { bytes, header: hex(file.subarray(0, 80)), sha256 };
    });
    const now = {
      dataKey: hex(key.dataKey),
      salt: hex(key.salt),
      files,
      small: hex(streamed(plainOf(5), key)),
    };
    if (process.env['HOLDFAST_WRITE_GOLDEN'] === '1') {
      await writeFile(vectors, `${JSON.stringify(now, null, 1)}\n`, { flag: 'wx' }).catch(() => undefined);
    }
    const kept = JSON.parse(await readFile(vectors, 'utf8')) as typeof now;
    assert.deepEqual(now, kept);
    const small = await whole(Buffer.from(kept.small, 'hex'), Buffer.from(kept.dataKey, 'hex'));
    assert.ok(small.equals(plainOf(5)));
  });
});
