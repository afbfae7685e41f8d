import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { McapMessage } from '../../../src/core/mcap/block.js';
import { openOrSalvage } from '../../../src/core/mcap/open-mcap.js';
import { bytesReadable, type Readable } from '../../../src/core/mcap/readable.js';
import { lacksMessages, type ScanReport } from '../../../src/core/mcap/scan-report.js';
import { scanMcap } from '../../../src/core/mcap/scan.js';
import { testMcap, type TestMcapOptions } from '../../support/test-mcap.js';
import { present } from '../../../src/core/present.js';
import { seededBytes } from '../../../src/testing/seeded-bytes.js';

const keyOf = ({ channel, logTime, publishTime, sequence, data }: McapMessage): string =>
  `${channel.topic} ${channel.schema.name} ${channel.encoding} ${logTime} ${publishTime} ${sequence} ${Buffer.from(data).toString('base64')}`;

async function scanned(bytes: Uint8Array): Promise<{ keys: string[]; report: ScanReport }> {
  const scan = scanMcap(bytesReadable(bytes), 'test.mcap');
  const keys: string[] = [];
  for await (const message of scan.messages()) keys.push(keyOf(message));
  return { keys, report: scan.report() };
}

/** Ranges lie in ascending order without overlap, and read and unreadable bytes are all bytes. */
function assertAccounted(report: ScanReport, bytes: number, where: string): void {
  let at = 0;
  let sum = 0;
  for (const { from, to, reason } of report.ranges) {
    assert.ok(from >= at && to > from && to <= bytes, `${where}: range ${from} to ${to}`);
    assert.notEqual(reason, '');
    at = to;
    sum += to - from;
  }
  assert.equal(report.bytesTotal, bytes, where);
  assert.equal(report.bytesUnreadable, sum, where);
  assert.equal(report.bytesRead, bytes - sum, where);
}

/** Offsets are tried in steps of `step`, so that all of it takes seconds. */
const variants: readonly (readonly [name: string, options: TestMcapOptions, step: number])[] = [
  ['with an index, zstd', { messages: 18, chunkBytes: 300, zstd: true }, 1],
  ['with an index, uncompressed', { messages: 18, chunkBytes: 300 }, 7],
  ['without an index, uncompressed', { messages: 18, chunkBytes: 300, summary: false }, 1],
  ['without an index, zstd', { messages: 18, chunkBytes: 300, summary: false, zstd: true }, 7],
];

describe('a damaged MCAP', function () {
  this.timeout(60_000);

  for (const [name, options, step] of variants) {
    it(`${name}: a flipped byte anywhere gives no wrong message and none is missing unreported`, async () => {
      const good = await testMcap(options);
      const all = (await scanned(good)).keys;
      assert.equal(all.length, 18);
      const known = new Set(all);
      for (let at = 0; at < good.byteLength; at += step) {
        const bad = Uint8Array.from(good);
        bad[at]! ^= [0xff, 0x01, 0x80, 0x10][Math.floor(at / step) % 4]!;
        const where = `byte ${at}`;
        const { keys, report } = await scanned(bad);
        assertAccounted(report, good.byteLength, where);
        for (const key of keys) assert.ok(known.has(key), `${where}: wrong message ${key}`);
        assert.equal(new Set(keys).size, keys.length, `${where}: a message twice`);
        if (keys.length < all.length) assert.ok(lacksMessages(report), `${where}: missing unreported`);
      }
    });

    it(`${name}: reading in log-time order keeps to the same`, async () => {
      const good = await testMcap(options);
      const known = new Set((await scanned(good)).keys);
      for (let at = 0; at < good.byteLength; at += 5 * step) {
        const bad = Uint8Array.from(good);
        bad[at]! ^= 0xff;
        const reader = await openOrSalvage(bytesReadable(bad), 'test.mcap');
        let unreadable = reader.salvage !== undefined && lacksMessages(reader.salvage);
        const keys: string[] = [];
        for await (const message of reader.messages({ onUnreadable: () => (unreadable = true) })) {
          keys.push(keyOf(message));
        }
        for (const key of keys) assert.ok(known.has(key), `byte ${at}: wrong message ${key}`);
        if (keys.length < known.size) assert.ok(unreadable, `byte ${at}: missing unreported`);
      }
    });

    it(`${name}: cut anywhere it gives a prefix of its messages`, async () => {
      const good = await testMcap(options);
      const { keys: all, report: whole } = await scanned(good);
      let before = 0;
      for (let size = 8; size < good.byteLength; size += 2 * step) {
        const where = `cut at ${size}`;
        const { keys, report } = await scanned(good.subarray(0, size));
        assertAccounted(report, size, where);
        assert.deepEqual(keys, all.slice(0, keys.length), where);
        assert.ok(keys.length >= before, `${where}: fewer than before`);
        before = keys.length;
        assert.equal(report.dataComplete, size >= present(whole.dataEnd), where);
        assert.equal(report.complete, false, where);
        if (keys.length < all.length) assert.ok(lacksMessages(report), where);
      }
      assert.equal((await scanned(good.subarray(0, -1))).keys.length, all.length);
    });

    it(`${name}: a zeroed or overwritten sector gives no wrong message`, async () => {
      const good = await testMcap(options);
      const { keys: all } = await scanned(good);
      const known = new Set(all);
      for (const fill of [0x00, 0x05, 0x06, 0xff]) {
        for (let at = 8; at < good.byteLength; at += 13 * step) {
          const bad = Uint8Array.from(good).fill(fill, at, at + 128);
          const { keys, report } = await scanned(bad);
          assertAccounted(report, good.byteLength, `sector at ${at}`);
          for (const key of keys) assert.ok(known.has(key), `sector at ${at}: wrong message ${key}`);
          if (keys.length < all.length) assert.ok(lacksMessages(report), `sector at ${at}`);
        }
      }
    });
  }

  it('without chunks: continues after a damaged message', async () => {
    const good = Buffer.from(await testMcap({ messages: 30, chunkBytes: 0, summary: false }));
    const { keys: all } = await scanned(good);
    const at = good.indexOf('message 10 ') - 8 - 22 - 8;
    const bad = Buffer.from(good);
    bad.writeUInt8(0xee, at + 3);
    const { keys, report } = await scanned(bad);
    assert.deepEqual(
      keys,
      all.filter((key) => !Buffer.from(present(key.split(' ').at(-1)), 'base64').includes('message 10 ')),
    );
    assertAccounted(report, good.byteLength, 'damaged length');
    assert.equal(report.ranges.length, 1);
  });

  it('gives the whole messages of an uncompressed chunk that the end cuts', async () => {
    const good = Buffer.from(await testMcap({ messages: 30, chunkBytes: 100_000 }));
    const cut = good.indexOf('message 20 ') + 3;
    const { keys, report } = await scanned(good.subarray(0, cut));
    assert.equal(keys.length, 20);
    assert.equal(report.messagesUnchecked, 20);
    assert.equal(report.bytesUnreadable, 3 + 8 + 22 + 9);
  });

  it('reads a chunk whose outer length is damaged when its CRC proves the inner one', async () => {
    const good = Buffer.from(await testMcap({ messages: 18, chunkBytes: 300 }));
    const chunkAt = 8 + 9 + Number(good.readBigUInt64LE(9));
    assert.equal(good[chunkAt], 6);
    const bad = Buffer.from(good);
    bad[chunkAt + 3]! ^= 0x40;
    assert.equal((await scanned(bad)).keys.length, 18);
  });

  it('never requests more bytes than the file has, for any length field', async () => {
    const good = await testMcap({ messages: 18, chunkBytes: 300, zstd: true });
    for (const fill of [0x7f, 0xff]) {
      for (let at = 8; at < good.byteLength - 8; at += 5) {
        const bad = Uint8Array.from(good).fill(fill, at, at + 8);
        let largest = 0n;
        const readable: Readable = {
          size: () => Promise.resolve(BigInt(bad.byteLength)),
          read: (offset, size) => {
            if (size > largest) largest = size;
            return bytesReadable(bad).read(offset, size);
          },
        };
        const scan = scanMcap(readable, 'test.mcap');
        for await (const _ of scan.blocks());
        assert.ok(largest <= BigInt(bad.byteLength));
      }
    }
  });

  it('reports missing messages if another MCAP begins after its end, but not if only zeros do', async () => {
    for (const summary of [true, false]) {
      const [one, other] = [
        await testMcap({ messages: 6, summary }),
        await testMcap({ messages: 9, summary }),
      ];
      const both = await openOrSalvage(bytesReadable(Buffer.concat([one, other])), 'both');
      assert.ok(both.salvage !== undefined && lacksMessages(both.salvage), 'silent about the second one');
      assert.match(both.salvage.ranges[0]!.reason, /another MCAP/);
      assert.equal(both.salvage.messages, 6);
      const padded = await openOrSalvage(bytesReadable(Buffer.concat([one, Buffer.alloc(512)])), 'padded');
      assert.ok(padded.salvage !== undefined && !lacksMessages(padded.salvage));
      assert.equal(padded.salvage.messages, 6);
    }
  });

  it('skips a chunk of unknown compression and reports it', async () => {
    const bytes = Buffer.from(await testMcap({ messages: 18, chunkBytes: 300, zstd: true }));
    bytes.write('zzzz', bytes.indexOf('zstd'));
    const { keys, report } = await scanned(bytes);
    assert.ok(keys.length > 10 && keys.length < 18);
    assert.match(report.ranges[0]!.reason, /unknown compression "zzzz"/);
  });

  it('throws nothing but MCAP_UNREADABLE for random bytes', async () => {
    const random = seededBytes();
    for (let round = 0; round < 200; round++) {
      const bytes = random(round * 7);
      await assert.rejects(scanned(bytes), (error: unknown) => isHoldfastError(error, 'MCAP_UNREADABLE'));
    }
  });
});
