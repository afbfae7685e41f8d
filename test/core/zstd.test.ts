import assert from 'node:assert/strict';
import { TYPE } from '@cloudpss/zstd';
import wasm from '@foxglove/wasm-zstd';
import { fillRandom, seedOf } from '../../src/core/random.js';
import { loadZstd } from '../../src/core/zstd.js';

describe('zstd', () => {
  it('runs as native code on the processors that have prebuilt binaries', () => {
    if (process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)) assert.equal(TYPE, 'napi');
  });

  it('makes frames of every level that another decoder reads, also of nothing and of noise', async () => {
    const compress = await loadZstd();
    await wasm.isLoaded;
    const noise = Buffer.alloc(300_000);
    fillRandom(noise, 0, noise.length, seedOf(1));
    for (const data of [Buffer.alloc(0), Buffer.alloc(200_000, 'odometry'), noise]) {
      for (const level of [-7, -1, 1, 3, 19]) {
        const frame = compress(data, level);
        assert.ok(Buffer.from(wasm.decompress(frame, data.length)).equals(data), `level ${level}`);
      }
    }
  });
});
