import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { present } from '../../src/core/present.js';
import { chunkCompressor, levelAt } from '../../src/seal/compression.js';

const CHUNK_BYTES = 1024 * 1024;
const noise = (): Uint8Array => randomBytes(CHUNK_BYTES);
const text = (): Uint8Array => Buffer.alloc(CHUNK_BYTES, 'battery 97 %, ');

describe('Compression of chunks', () => {
  for (const codec of ['zstd', 'lz4'] as const) {
    it(`leaves chunks that do not shrink uncompressed, and notices when chunks shrink again (${codec})`, async () => {
      const compress = present(await chunkCompressor(codec, 1));
      const kinds = [text(), noise(), noise(), text(), text()].map((chunk) => {
        const { compression, compressedData } = compress(chunk);
        if (compression === '') assert.equal(compressedData, chunk);
        else assert.ok(compressedData.byteLength < chunk.byteLength / 10);
        return compression;
      });
      assert.deepEqual(kinds, [codec, '', '', codec, codec]);
    });
  }

  it('tries small chunks completely, also after one that did not shrink', async () => {
    const compress = present(await chunkCompressor('zstd', 1));
    assert.equal(compress(noise()).compression, '');
    assert.equal(compress(text().subarray(0, 1000)).compression, 'zstd');
  });

  it('takes the fast level of zstd for a fast segment, unless another level was chosen', () => {
    assert.equal(levelAt('zstd', 1, 4e6), 1);
    assert.equal(levelAt('zstd', 1, 4.1e6), -1);
    assert.equal(levelAt('zstd', 3, 100e6), 3);
    assert.equal(levelAt('lz4', 1, 100e6), 1);
  });

  it('does nothing if none is asked for', async () => {
    assert.equal(await chunkCompressor('none', 1), undefined);
  });
});
