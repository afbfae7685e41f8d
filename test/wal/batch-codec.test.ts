import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { isHoldfastError } from '../../src/core/errors.js';
import { present } from '../../src/core/present.js';
import {
  BATCH_PREFIX_BYTES,
  chainStart,
  decodeColumns,
  decodePrefix,
  type BatchColumns,
} from '../../src/wal/batch-codec.js';
import { encodeMessages } from '../../src/wal/batch-encoder.js';
import { pack, parseBatchValue, unpack } from '../../src/wal/segment-format.js';
import { goldenFolder } from './golden-segment.js';
import { channel, message, payload } from './wal-support.js';

/** The format has a place for later times than are written. */
const latestTime = 2n ** 64n - 1n;

function golden(): Buffer {
  const of = channel('/golden');
  const messages = [
    message(of, 'one', { receivedAt: 1n, publishedAt: 2n, sourceSequence: 7, publisher: 'p' }),
    message(of, '', { receivedAt: 2n ** 63n, publishedAt: 0n }),
    message(of, payload(40, 3), { receivedAt: -5n, publishedAt: -5n, sourceSequence: 2 ** 53 - 1 }),
  ];
  const { head, payloads } = encodeMessages(
    messages,
    () => 5,
    1000,
    { firstSequence: 990, crc: 0xdeadbeef },
    { latestTime },
  );
  return Buffer.concat([head, ...payloads]);
}

describe('Batch codec', () => {
  it('writes the bytes of format version 1, and reads them', () => {
    const stored = Buffer.from(readFileSync(join(goldenFolder, 'batch-v1.hex'), 'utf8').trim(), 'hex');
    assert.equal(golden().toString('hex'), stored.toString('hex'));
    const prefix = decodePrefix(stored);
    assert.deepEqual(
      { ...prefix, crc: 0, headerBytes: 0 },
      {
        carried: false,
        ahead: false,
        firstSequence: 1000,
        previous: { firstSequence: 990, crc: 0xdeadbeef },
        payloadBytes: 43,
        count: 3,
        headerBytes: 0,
        crc: 0,
      },
    );
    const columns = decodeColumns(stored, prefix);
    assert.deepEqual([...columns.channelIds], [5, 5, 5]);
    assert.deepEqual([...columns.receivedAt], [1n, 2n ** 63n, 0n]);
    assert.deepEqual([...columns.publishedAt], [2n, 0n, 0n]);
    assert.deepEqual([...columns.lengths], [3, 0, 40]);
    assert.deepEqual([...present(columns.sourceSequences)], [7, -1, 2 ** 53 - 1]);
    assert.deepEqual(columns.publishers, ['p', null, null]);
    const payloads = stored.subarray(BATCH_PREFIX_BYTES + prefix.headerBytes);
    assert.equal(payloads.subarray(0, 3).toString(), 'one');
    assert.ok(payloads.subarray(3).equals(payload(40, 3)));
  });

  it('reads back every encoded batch', () => {
    const time = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const anyMessage = fc.record(
      {
        data: fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constant(new Uint8Array(17_000).fill(3))),
        receivedAt: time,
        publishedAt: time,
        sourceSequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
        publisher: fc.string({ unit: 'grapheme', maxLength: 20 }),
        channelId: fc.nat({ max: 0xffffffff }),
      },
      { requiredKeys: ['data', 'receivedAt', 'publishedAt', 'channelId'] },
    );
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 30 }), fc.boolean(), (specs, carried) => {
        const of = channel('/x');
        const messages = specs.map(({ data, channelId: _, ...rest }) => message(of, data, rest));
        const idOf = (one: (typeof messages)[number]): number => specs[messages.indexOf(one)]!.channelId;
        const first = 2 ** 40;
        const encoded = encodeMessages(messages, idOf, first, chainStart, { carried, latestTime });
        const bytes = Buffer.concat([encoded.head, ...encoded.payloads]);
        assert.equal(bytes.length, encoded.bytes);
        const prefix = decodePrefix(bytes);
        assert.deepEqual(
          [prefix.carried, prefix.firstSequence, prefix.count, prefix.previous],
          [carried, first, specs.length, chainStart],
        );
        const columns = decodeColumns(bytes, prefix);
        const payloads = bytes.subarray(BATCH_PREFIX_BYTES + prefix.headerBytes);
        assert.ok(payloads.equals(Buffer.concat(specs.map(({ data }) => data))));
        specs.forEach((spec, i) => {
          assert.equal(columns.channelIds[i], spec.channelId);
          assert.equal(columns.receivedAt[i], spec.receivedAt);
          assert.equal(columns.publishedAt[i], spec.publishedAt);
          assert.equal(columns.sourceSequences?.[i] ?? -1, spec.sourceSequence ?? -1);
          assert.equal(columns.publishers?.[i] ?? null, spec.publisher ?? null);
        });
      }),
    );
  });

  it('notices every changed byte of the head, and every cut of it', () => {
    const bytes = golden();
    const headBytes = bytes.length - 43;
    const decode = (changed: Buffer): BatchColumns => decodeColumns(changed, decodePrefix(changed));
    decode(bytes);
    for (let at = 0; at < headBytes; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= flip;
        assert.throws(
          () => decode(changed),
          (error) => isHoldfastError(error, 'WAL_CORRUPT'),
          `byte ${at}`,
        );
      }
      assert.throws(
        () => decode(bytes.subarray(0, at)),
        (error) => isHoldfastError(error, 'WAL_CORRUPT'),
      );
    }
  });
});

describe('WAL values', () => {
  const roundTrip = (value: unknown): unknown => unpack(pack(value), 'a value');

  it('keep bytes, nanoseconds, large counts and any text', () => {
    const schema = { name: 'p/msg/T', encoding: 'ros2msg', data: new Uint8Array([0, 255, 128]) };
    assert.ok(Buffer.from((roundTrip(schema) as typeof schema).data).equals(Buffer.from(schema.data)));
    assert.deepEqual(roundTrip({ ...schema, data: 0 }), { ...schema, data: 0 });
    for (const time of [
      0n,
      1n,
      2n ** 31n,
      2n ** 32n,
      2n ** 53n + 1n,
      2n ** 63n - 1n,
      2n ** 63n,
      2n ** 64n - 1n,
    ]) {
      assert.equal(BigInt((roundTrip({ time }) as { time: bigint | number }).time), time, `${time}`);
    }
    for (const count of [0, 127, 128, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      assert.deepEqual(roundTrip({ count }), { count });
    }
  });

  it('keep every channel description', () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            robot: fc.string({ unit: 'grapheme' }),
            topic: fc.string({ unit: 'grapheme', maxLength: 5000 }),
            encoding: fc.string(),
            // msgpackr renames a key __proto__, so that reading can poison no prototype.
            metadata: fc.dictionary(
              fc.string().filter((key) => key !== '__proto__'),
              fc.string({ unit: 'grapheme' }),
              { noNullPrototype: true },
            ),
            latched: fc.boolean(),
            priority: fc.constantFrom('high', 'normal', 'low'),
            schemaId: fc.nat(),
          },
          { noNullPrototype: true },
        ),
        (entry) => assert.deepEqual(roundTrip(entry), entry),
      ),
    );
  });

  it('refuse a value that is neither inline nor a reference', () => {
    for (const value of [Buffer.alloc(0), Buffer.of(2), Buffer.of(1, 2, 3)]) {
      assert.throws(
        () => parseBatchValue(value),
        (error) => isHoldfastError(error, 'WAL_CORRUPT'),
      );
    }
  });
});
