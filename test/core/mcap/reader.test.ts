import assert from 'node:assert/strict';
import { McapWriter } from '@mcap/core';
import * as fs from 'node:fs/promises';
import { BlockCache } from '../../../src/core/mcap/block-cache.js';
import type { McapMessage } from '../../../src/core/mcap/block.js';
import { loadDecompressors } from '../../../src/core/mcap/decompress.js';
import { openMcap, openOrSalvage, salvageMcap, type McapReader } from '../../../src/core/mcap/open-mcap.js';
import { bytesReadable, readAhead, type Readable } from '../../../src/core/mcap/readable.js';
import { MinHeap } from '../../../src/core/mcap/min-heap.js';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { ReadOptions } from '../../../src/core/mcap/block-reader.js';
import { present } from '../../../src/core/present.js';
import { recording } from '../../support/recordings.js';
import { BufferWritable, testMcap } from '../../support/test-mcap.js';

async function all(reader: McapReader, options: ReadOptions = {}): Promise<McapMessage[]> {
  const messages: McapMessage[] = [];
  for await (const message of reader.messages(options)) messages.push(message);
  return messages;
}
const timesOf = (messages: readonly McapMessage[]): bigint[] => messages.map((message) => message.logTime);
const sorted = (times: readonly bigint[]): bigint[] =>
  [...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

describe('reading an MCAP by its index', () => {
  it('gives all messages of a real recording in log-time order', async () => {
    const bytes = await fs.readFile(`${recording('two_robots')}/two_robots_0.mcap`);
    const reader = await openMcap(bytesReadable(bytes), 'two_robots_0.mcap');
    const times = timesOf(await all(reader));
    assert.equal(times.length, 12_396);
    assert.deepEqual(times, sorted(times));
    assert.equal(reader.messageCount, 12_396);
    assert.equal(reader.firstLogTime, times[0]);
    assert.equal(reader.lastLogTime, times.at(-1));
    assert.equal(reader.profile, 'ros2');
    assert.equal((await reader.metadata('rosbag2')).length, 2);
  });

  it('gives chunks that all overlap in order, in a cache that holds only some of them', async () => {
    // Every chunk reaches over the whole time, as when two recordings of different days are mixed.
    const bytes = await testMcap({
      messages: 400,
      chunkBytes: 500,
      zstd: true,
      logTime: (i) => BigInt(i) + (i % 2 === 0 ? 0n : 1_000_000n),
    });
    const reader = await openMcap(bytesReadable(bytes), 'overlap.mcap');
    let most = 0;
    const cache = new BlockCache(3000);
    const times: bigint[] = [];
    for await (const message of reader.messages({ cache })) {
      times.push(message.logTime);
      most = Math.max(most, cache.bytes);
    }
    assert.equal(times.length, 400);
    assert.deepEqual(times, sorted(times));
    assert.ok(most <= 3000, `${most} bytes in the cache`);
    assert.equal(cache.bytes, 0);
  });

  it('keeps messages of one time in file order', async () => {
    const bytes = await testMcap({ messages: 100, chunkBytes: 500, logTime: () => 7n });
    const messages = await all(await openMcap(bytesReadable(bytes), 'same.mcap'));
    const numbers = messages.map(({ data }) =>
      Number(/message (\d+)/.exec(Buffer.from(data).toString())?.[1]),
    );
    assert.deepEqual(
      numbers,
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  it('reads only the chunks that the selection needs', async () => {
    const bytes = await testMcap({ messages: 400, chunkBytes: 500 });
    let reads = 0;
    const readable: Readable = {
      size: () => Promise.resolve(BigInt(bytes.byteLength)),
      read: (offset, size) => {
        reads++;
        return bytesReadable(bytes).read(offset, size);
      },
    };
    const reader = await openMcap(readable, 'select.mcap');
    reads = 0;
    const from = 1_000_000_000n + 200n * 1_000_000n;
    const messages = await all(reader, {
      select: (channel) => (channel.topic === '/robot1/a' ? { from, to: from + 9_000_000n } : undefined),
    });
    assert.deepEqual(
      timesOf(messages),
      [0n, 2n, 4n, 6n, 8n].map((i) => from + i * 1_000_000n),
    );
    assert.ok(reads <= 4, `${reads} reads`);
  });

  it('does not believe an index that leaves messages out', async () => {
    const out = new BufferWritable();
    const writer = new McapWriter({ writable: out, useChunkIndex: false });
    await writer.start({ profile: '', library: '' });
    const schemaId = await writer.registerSchema({ name: 'x', encoding: '', data: new Uint8Array(0) });
    const channel = { schemaId, topic: '/x', messageEncoding: 'json', metadata: new Map() };
    const channelId = await writer.registerChannel(channel);
    await writer.addMessage({ channelId, sequence: 0, logTime: 1n, publishTime: 1n, data: Uint8Array.of(1) });
    await writer.end();
    const readable = bytesReadable(out.bytes());
    await assert.rejects(openMcap(readable, 'x.mcap'), /does not mention the record of type 6/);
    assert.equal((await all(await openOrSalvage(readable, 'x.mcap'))).length, 1);
  });

  it('reads files without chunks and without an index in log-time order', async () => {
    for (const chunkBytes of [0, 500]) {
      const bytes = await testMcap({
        messages: 60,
        chunkBytes,
        summary: false,
        logTime: (i) => BigInt(100 - i),
      });
      const reader = await openOrSalvage(bytesReadable(bytes), 'bare.mcap');
      assert.ok(reader.salvage?.complete);
      const times = timesOf(await all(reader));
      assert.equal(times.length, 60);
      assert.deepEqual(times, sorted(times));
    }
  });

  it('throws at a damaged chunk unless it has a damage callback', async () => {
    const bytes = Uint8Array.from(await testMcap({ messages: 100, chunkBytes: 500 }));
    bytes[2500]! ^= 1;
    const reader = await openMcap(bytesReadable(bytes), 'bad.mcap');
    await assert.rejects(all(reader), (error: unknown) => {
      assert.ok(isHoldfastError(error, 'MCAP_UNREADABLE'));
      assert.match(error.message, /bad\.mcap: at byte \d+: a chunk whose CRC is/);
      return true;
    });
    const ranges: unknown[] = [];
    const messages = await all(reader, { onUnreadable: (range) => ranges.push(range) });
    assert.equal(ranges.length, 1);
    assert.ok(messages.length > 80 && messages.length < 100);
  });

  it('marks carried messages by their channel', async () => {
    const bytes = await testMcap({
      topics: [{ topic: '/tf_static', metadata: { holdfast_carried: 'true' } }, { topic: '/tf_static' }],
      messages: 2,
    });
    const messages = await all(await openMcap(bytesReadable(bytes), 'carried.mcap'));
    assert.deepEqual(
      messages.map((message) => message.channel.carried),
      [true, false],
    );
  });

  it('passes on errors of the reading itself, and does not blame the file', async () => {
    const readable: Readable = {
      size: () => Promise.resolve(1000n),
      read: () => Promise.reject(Object.assign(new Error('read failed'), { code: 'EIO' })),
    };
    await assert.rejects(openOrSalvage(readable, 'x.mcap'), { code: 'EIO' });
    await assert.rejects(salvageMcap(readable, 'x.mcap'), { code: 'EIO' });
  });
});

describe('decompression', () => {
  it('reads LZ4, also after a broken frame', async () => {
    const lz4 = present((await loadDecompressors()).get('lz4'));
    // One frame with one uncompressed block "hello", written out by hand after the LZ4 frame format.
    const frame = Buffer.from('04224d186040820500008068656c6c6f00000000', 'hex');
    assert.equal(Buffer.from(await lz4(frame, 5)).toString(), 'hello');
    const broken = Buffer.from(frame);
    broken[4]! ^= 0xff;
    await assert.rejects(lz4(broken, 5));
    await assert.rejects(async () => assert.equal((await lz4(frame.subarray(0, 12), 5)).byteLength, 5));
    assert.equal(Buffer.from(await lz4(frame, 5)).toString(), 'hello');
  });

  it('refuses a zstd frame of another size than announced before allocating it', async () => {
    const zstd = present((await loadDecompressors()).get('zstd'));
    const { compress } = await import('@foxglove/wasm-zstd');
    const frame = compress(Buffer.alloc(1000), 1);
    assert.equal((await zstd(frame, 1000)).byteLength, 1000);
    await assert.rejects(zstd(frame, 2 ** 31), /a zstd frame of 1000 bytes, announced as 2147483648/);
    await assert.rejects(zstd(Buffer.from('no zstd'), 10), /not a zstd frame/);
  });
});

describe('read-ahead', () => {
  it('turns many small reads into few, and gives the right bytes anywhere', async () => {
    const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
    let reads = 0;
    const counted: Readable = {
      size: () => Promise.resolve(10_000n),
      read: (offset, size) => {
        reads++;
        return bytesReadable(bytes).read(offset, size);
      },
    };
    const ahead = readAhead(counted, 1000);
    for (let at = 0; at < 10_000; at += 10) {
      assert.deepEqual(await ahead.read(BigInt(at), 10n), bytes.subarray(at, at + 10));
    }
    assert.equal(reads, 10);
    for (const [at, size] of [
      [5, 2000],
      [9990, 10],
      [0, 1],
      [9000, 1000],
    ] as const) {
      assert.deepEqual(await ahead.read(BigInt(at), BigInt(size)), bytes.subarray(at, at + size));
    }
  });
});

describe('heap', () => {
  it('gives its items in order', () => {
    const heap = new MinHeap<number>((a, b) => a - b);
    const items = Array.from({ length: 200 }, (_, i) => (i * 7919) % 199);
    for (const item of items) heap.push(item);
    const out: number[] = [];
    for (let item = heap.pop(); item !== undefined; item = heap.pop()) out.push(item);
    assert.deepEqual(
      out,
      items.sort((a, b) => a - b),
    );
  });
});
