import assert from 'node:assert/strict';
import { BlockCache } from '../../../src/core/mcap/block-cache.js';
import { loadDecompressors } from '../../../src/core/mcap/decompress.js';
import { openMcap, openOrSalvage } from '../../../src/core/mcap/open-mcap.js';
import { bytesReadable, type Readable } from '../../../src/core/mcap/readable.js';
import { testMcap } from '../../support/test-mcap.js';

const PER_CHUNK = 1000;
const PAYLOAD_BYTES = 40;
/** A message record with its head. */
const RECORD_BYTES = 9 + 22 + PAYLOAD_BYTES;

/** Chunks that all reach over the same time, message by message in turn: the worst there is. */
function interleaved(chunks: number): Promise<Uint8Array> {
  return testMcap({
    topics: [{ topic: '/t', payload: (index) => Buffer.alloc(PAYLOAD_BYTES, index % 251) }],
    messages: chunks * PER_CHUNK,
    chunkBytes: PER_CHUNK * RECORD_BYTES,
    zstd: true,
    logTime: (index) => BigInt((index % PER_CHUNK) * chunks + Math.floor(index / PER_CHUNK)),
  });
}

function countingReads(bytes: Uint8Array): { readonly readable: Readable; readonly reads: () => number } {
  const inner = bytesReadable(bytes);
  let reads = 0;
  const readable: Readable = {
    size: () => inner.size(),
    read: (offset, size) => {
      reads++;
      return inner.read(offset, size);
    },
  };
  return { readable, reads: () => reads };
}

describe('chunks that overlap and do not fit into the cache', () => {
  it('are decoded a few times each, not once per message, and their messages stay in order', async () => {
    const chunks = 4;
    const { readable, reads } = countingReads(await interleaved(chunks));
    const reader = await openMcap(readable, 'overlap.mcap');
    const before = reads();
    const cache = new BlockCache(0.9 * PER_CHUNK * RECORD_BYTES);
    let next = 0n;
    let most = 0;
    for await (const { logTime } of reader.messages({ cache })) {
      assert.equal(logTime, next++);
      most = Math.max(most, cache.aheadBytes);
    }
    assert.equal(next, BigInt(chunks * PER_CHUNK));
    assert.ok(reads() - before <= chunks * 5, `${reads() - before} reads of ${chunks} chunks`);
    assert.ok(most <= 4 * cache.maxBytes, `${most} bytes of copies`);
    assert.equal(cache.bytes + cache.aheadBytes, 0);
  });

  it('need no more memory when there are sixty of them', async () => {
    const { readable, reads } = countingReads(await interleaved(60));
    const reader = await openMcap(readable, 'many.mcap');
    const before = reads();
    const cache = new BlockCache(3 * PER_CHUNK * RECORD_BYTES);
    let next = 0n;
    let most = 0;
    for await (const { logTime } of reader.messages({ cache })) {
      assert.equal(logTime, next++);
      most = Math.max(most, cache.bytes + cache.aheadBytes);
    }
    assert.equal(next, BigInt(60 * PER_CHUNK));
    assert.ok(most <= 5 * cache.maxBytes, `${most} bytes, the cache has ${cache.maxBytes}`);
    assert.ok(reads() - before <= 60 * 40, `${reads() - before} reads`);
  });

  it('do not stay in memory for the messages of them that were given and not yet used', async () => {
    const reader = await openMcap(bytesReadable(await interleaved(4)), 'views.mcap');
    const cache = new BlockCache(0.9 * PER_CHUNK * RECORD_BYTES);
    let behind = 0;
    for await (const { data } of reader.messages({ cache })) {
      // The first ones are views into blocks that the cache still holds.
      if (++behind > 2 * PER_CHUNK) assert.ok(data.buffer.byteLength < cache.maxBytes / 2);
    }
  });
});

describe('a chunk of messages in no order', () => {
  it('is given in order, for any bits of its times', async function () {
    this.timeout(60_000);
    await loadDecompressors();
    const count = 300_000;
    // Times far apart, so that every byte of them counts.
    const timeOf = (i: number): bigint => (BigInt(i) * 0x9e3779b97f4a7c15n) & ((1n << 62n) - 1n);
    const bytes = await testMcap({
      topics: [{ topic: '/t', payload: () => new Uint8Array(0) }],
      messages: count,
      chunkBytes: 1 << 28,
      zstd: true,
      logTime: timeOf,
    });
    const reader = await openOrSalvage(bytesReadable(bytes), 'random.mcap');
    let last = -1n;
    let read = 0;
    for await (const run of reader.runs()) {
      for (const { logTime } of run) {
        assert.ok(logTime >= last);
        last = logTime;
        read++;
      }
    }
    assert.equal(read, count);
  });
});
