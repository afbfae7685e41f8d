import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ErrorCode } from '../../src/core/error-catalogue.js';
import { errorCatalogue } from '../../src/core/error-catalogue.js';
import { HoldfastError } from '../../src/core/errors.js';
import type { ObjectDigest, Receipt, Store, Upload } from '../../src/core/store.js';

/** One empty store for one test. */
export interface StoreHarness {
  readonly store: Store;
  /** A second adapter on the same backing, as after a restart. */
  reopen(): Promise<Store>;
  /** Flips one bit of a stored object behind the adapter's back; absent where that cannot be done. */
  readonly corrupt?: (key: string) => Promise<void>;
  close(): Promise<void>;
}

export interface ContractOptions {
  /** Size of all parts but the last; small where the store allows it. */
  readonly partBytes: number;
  /** How many parts make `listParts` need a second page. */
  readonly manyParts: number;
  /** Keys that mean two things to a folder (`a` and `a/b`) are refused. */
  readonly isFolder?: boolean;
  /** A completed upload's id goes on being answered (Swift); harmless while the same bytes are sent. */
  readonly remembersCompleted?: boolean;
}

/** Deterministic bytes that repeat nowhere near a part boundary. */
export function bytesOf(length: number, seed = 1): Buffer {
  const data = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return data;
}

export function digestOf(data: Uint8Array): ObjectDigest {
  return {
    bytes: data.byteLength,
    sha256: createHash('sha256').update(data).digest('hex'),
    crc32: crc32(data),
  };
}

export async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Passes when the call fails with one of these codes, as a HoldfastError with its catalogue's `retryable`. */
export async function assertCode(call: Promise<unknown>, ...codes: ErrorCode[]): Promise<HoldfastError> {
  let failure: HoldfastError | undefined;
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof HoldfastError, `not a HoldfastError: ${String(error)}`);
    assert.ok(codes.includes(error.code), `${error.code} (${error.message}), expected ${codes.join(' or ')}`);
    assert.equal(error.retryable, errorCatalogue[error.code].retryable);
    failure = error;
    return true;
  });
  return failure as HoldfastError;
}

const ID = '0123456789abcdef0123456789abcdef';
const OTHER_ID = 'fedcba9876543210fedcba9876543210';
const KEY = 'robot=r1/date=2026-11-21/hour=08/000000000001-aa.mcap';

/** Proves that an adapter keeps what `src/core/store.ts` promises. Every adapter runs this very suite. */
export function storeContract(
  name: string,
  options: ContractOptions,
  open: () => Promise<StoreHarness>,
): void {
  const { partBytes } = options;

  describe(`the store contract, kept by ${name}`, () => {
    let harness: StoreHarness;
    let store: Store;

    beforeEach(async () => {
      harness = await open();
      store = harness.store;
    });
    afterEach(() => harness.close());

    async function send(key: string, parts: readonly Buffer[]): Promise<[Upload, Receipt[]]> {
      const upload = await store.createUpload(key);
      const receipts: Receipt[] = [];
      for (const [index, part] of parts.entries()) {
        receipts.push(await store.uploadPart(upload, index + 1, part));
      }
      return [upload, receipts];
    }

    /** Full parts and a short last one. */
    function partsOf(count: number, seed = 1): Buffer[] {
      return Array.from({ length: count }, (_, index) =>
        bytesOf(index === count - 1 ? 1234 : partBytes, seed + index),
      );
    }

    describe('id object', () => {
      it('has no id at first, then the one that was created, also for a second adapter', async () => {
        assert.equal(await store.readId(), undefined);
        assert.equal(await store.createId(ID), ID);
        assert.equal(await store.readId(), ID);
        assert.equal(await (await harness.reopen()).readId(), ID);
      });

      it('keeps the first id when another is created, and says which one is there', async () => {
        await store.createId(ID);
        assert.equal(await store.createId(OTHER_ID), ID);
        assert.equal(await store.createId(ID), ID);
        assert.equal(await store.readId(), ID);
      });

      it('does not list its id object', async () => {
        await store.createId(ID);
        assert.deepEqual(await all(store.list('')), []);
      });
    });

    describe('whole objects', () => {
      it('reads back what was put, whole and in ranges', async () => {
        const data = bytesOf(300_000);
        const info = await store.put(KEY, data);
        assert.equal(info.key, KEY);
        assert.equal(info.bytes, data.length);
        assert.deepEqual(await collect(store.read(KEY)), data);
        for (const [start, end] of [
          [0, 1],
          [0, 300_000],
          [299_999, 300_000],
          [100_001, 262_145],
          [299_000, 400_000],
        ] as const) {
          const expected = data.subarray(start, end);
          assert.deepEqual(await collect(store.read(KEY, { start, end })), expected, `${start}..${end}`);
        }
      });

      it('reads nothing from an empty range and from one behind the end', async () => {
        await store.put(KEY, bytesOf(10));
        assert.equal((await collect(store.read(KEY, { start: 5, end: 5 }))).length, 0);
        assert.equal((await collect(store.read(KEY, { start: 10, end: 20 }))).length, 0);
        assert.equal((await collect(store.read(KEY, { start: 900, end: 901 }))).length, 0);
      });

      it('refuses a range that cannot be', async () => {
        await store.put(KEY, bytesOf(10));
        for (const range of [
          { start: -1, end: 5 },
          { start: 6, end: 5 },
          { start: 0.5, end: 5 },
        ]) {
          await assertCode(collect(store.read(KEY, range)), 'STORE_REJECTED');
        }
      });

      it('lets a reader stop in the middle', async () => {
        await store.put(KEY, bytesOf(2_000_000));
        let seen = 0;
        for await (const chunk of store.read(KEY)) {
          seen += chunk.byteLength;
          break;
        }
        assert.ok(seen > 0);
        assert.equal((await store.head(KEY))?.bytes, 2_000_000);
      });

      it('knows a missing object everywhere', async () => {
        assert.equal(await store.head(KEY), undefined);
        await assertCode(collect(store.read(KEY)), 'OBJECT_MISSING');
        await assertCode(collect(store.read(KEY, { start: 3, end: 3 })), 'OBJECT_MISSING');
        await assertCode(store.verify(KEY, digestOf(bytesOf(1))), 'OBJECT_MISSING');
        await store.delete(KEY);
      });

      it('holds an empty object', async () => {
        await store.put(KEY, Buffer.alloc(0));
        assert.equal((await store.head(KEY))?.bytes, 0);
        assert.equal((await collect(store.read(KEY))).length, 0);
        assert.equal((await collect(store.read(KEY, { start: 0, end: 9 }))).length, 0);
        await store.verify(KEY, digestOf(Buffer.alloc(0)));
      });

      it('replaces an object, unless asked not to', async () => {
        await store.put(KEY, Buffer.from('one'));
        await store.put(KEY, Buffer.from('second'));
        assert.equal((await collect(store.read(KEY))).toString(), 'second');
        await assertCode(store.put(KEY, Buffer.from('third'), { ifAbsent: true }), 'OBJECT_EXISTS');
        assert.equal((await collect(store.read(KEY))).toString(), 'second');
        assert.equal((await store.head(KEY))?.bytes, 6);
      });

      it('puts if absent once, and again after a deletion', async () => {
        await store.put(KEY, Buffer.from('a'), { ifAbsent: true });
        await assertCode(store.put(KEY, Buffer.from('a'), { ifAbsent: true }), 'OBJECT_EXISTS');
        await store.delete(KEY);
        await store.delete(KEY);
        assert.equal(await store.head(KEY), undefined);
        await store.put(KEY, Buffer.from('b'), { ifAbsent: true });
      });

      it('lets one of two writers win when both put if absent', async () => {
        if (!store.supports.conditionalPut) return;
        const outcomes = await Promise.allSettled(
          ['x', 'y'].map((text) => store.put(KEY, Buffer.from(text), { ifAbsent: true })),
        );
        if (!store.supports.conditionalPut) return; // Found out at run time.
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
      });
    });

    describe('keys', () => {
      it('lists by prefix in byte order with sizes', async () => {
        const keys = ['a/c', 'a-b', 'a/b/1', 'a/b.x', 'b', 'a/B', 'a/%C3%A9', 'ab/c'];
        for (const [index, key] of keys.entries()) await store.put(key, bytesOf(index + 1));
        const sorted = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
        const listed = await all(store.list(''));
        assert.deepEqual(
          listed.map(({ key, bytes }) => [key, bytes]),
          sorted.map((key) => [key, keys.indexOf(key) + 1]),
        );
        for (const prefix of ['a', 'a/', 'a/b', 'a/b/', 'b', 'nothing', 'a/b/1', 'a/b/12']) {
          assert.deepEqual(
            (await all(store.list(prefix))).map(({ key }) => key),
            sorted.filter((key) => key.startsWith(prefix)),
            prefix,
          );
        }
      });

      it('takes hostile but legal keys, up to 1,024 bytes', async () => {
        const prefixRoom = 64;
        const segment = 'x'.repeat(180);
        const keys = [
          'robot=%E6%9C%BA%E5%99%A8%E4%BA%BA%F0%9F%A4%96/~/a',
          'robot=..%2F..%2Fetc/passwd',
          'space here/plus+and&amp;<>\'quo"te/=;,:@!$()*?#[]',
          '機器人/é/e\u0301/🤖',
          '%00%2e%2e/...',
          Array.from({ length: 6 }, () => segment)
            .join('/')
            .slice(0, 1024 - prefixRoom),
        ];
        for (const [index, key] of keys.entries()) {
          const data = bytesOf(100 + index, index + 1);
          await store.put(key, data);
          assert.deepEqual(await collect(store.read(key)), data, key);
          assert.equal((await store.head(key))?.bytes, data.length, key);
          const [upload, receipts] = await send(`${key}x`, [data]);
          assert.equal((await store.listParts(upload)).length, 1, key);
          await store.completeUpload(upload, receipts);
          assert.equal(await store.verify(`${key}x`, digestOf(data)).then(() => 'same'), 'same');
        }
        const expected = keys.flatMap((key) => [key, `${key}x`]);
        assert.deepEqual((await all(store.list(''))).map(({ key }) => key).sort(), expected.sort());
      });

      it('refuses keys that could leave the store, and writes nothing', async () => {
        const keys = [
          '',
          '/',
          '/etc/passwd',
          '../x',
          'a/../../x',
          'a/./b',
          'a//b',
          'a/',
          'a\\..\\b',
          'a\0b',
          'a\nb',
          '.holdfast/store-id',
          '.holdfast/uploads/x',
          'k'.repeat(1025),
          'lone \ud800',
        ];
        for (const key of keys) {
          await assertCode(store.put(key, Buffer.from('x')), 'STORE_REJECTED');
          await assertCode(store.head(key), 'STORE_REJECTED');
          await assertCode(collect(store.read(key)), 'STORE_REJECTED');
          await assertCode(store.delete(key), 'STORE_REJECTED');
          await assertCode(store.createUpload(key), 'STORE_REJECTED');
        }
        assert.deepEqual(await all(store.list('')), []);
      });

      if (options.isFolder) {
        it('refuses a key below an object, and an object where keys have a folder', async () => {
          await store.put('a', Buffer.from('x'));
          await store.put('d/e', Buffer.from('x'));
          await assertCode(store.put('a/b', Buffer.from('x')), 'STORE_REJECTED');
          await assertCode(store.put('d', Buffer.from('x')), 'STORE_REJECTED');
          await assertCode(store.put('d', Buffer.from('x'), { ifAbsent: true }), 'STORE_REJECTED');
          assert.equal(await store.head('d'), undefined);
          assert.equal(await store.head('a/b'), undefined);
        });
      }
    });

    describe('uploads', () => {
      it('makes one object out of parts, the last one short', async () => {
        const parts = partsOf(3);
        const [upload, receipts] = await send(KEY, parts);
        assert.equal(await store.head(KEY), undefined, 'nothing is there before completion');
        assert.deepEqual(await all(store.list('')), []);
        const info = await store.completeUpload(upload, receipts);
        const whole = Buffer.concat(parts);
        assert.equal(info.key, KEY);
        assert.equal(info.bytes, whole.length);
        assert.deepEqual(await collect(store.read(KEY)), whole);
        assert.deepEqual(
          (await all(store.list(''))).map(({ key, bytes }) => [key, bytes]),
          [[KEY, whole.length]],
        );
        await store.verify(KEY, digestOf(whole));
      });

      it('makes one object out of full parts only, and out of one part', async () => {
        const full = [bytesOf(partBytes, 3), bytesOf(partBytes, 4)];
        const [upload, receipts] = await send(KEY, full);
        await store.completeUpload(upload, receipts);
        await store.verify(KEY, digestOf(Buffer.concat(full)));
        const one = bytesOf(1);
        const [small, smallReceipts] = await send('one', [one]);
        await store.completeUpload(small, smallReceipts);
        await store.verify('one', digestOf(one));
      });

      it('makes an empty object out of one empty part', async () => {
        const [upload, receipts] = await send(KEY, [Buffer.alloc(0)]);
        await store.completeUpload(upload, receipts);
        assert.equal((await store.head(KEY))?.bytes, 0);
      });

      it('tells a restarted process which parts it has, with sizes and checksums', async () => {
        const parts = partsOf(3);
        const [upload, receipts] = await send(KEY, parts);
        const again = await harness.reopen();
        const listed = await again.listParts({ key: upload.key, uploadId: upload.uploadId });
        assert.deepEqual(
          listed.map(({ partNumber, bytes, etag }) => ({ partNumber, bytes, etag })),
          receipts.map(({ partNumber, bytes, etag }) => ({ partNumber, bytes, etag })),
        );
        listed.forEach((receipt, index) => {
          if (receipt.crc32 !== undefined) assert.equal(receipt.crc32, crc32(parts[index] as Buffer));
        });
        await again.completeUpload(upload, listed);
        await again.verify(KEY, digestOf(Buffer.concat(parts)));
      });

      it('lists more parts than fit on one page', async () => {
        const parts = Array.from({ length: options.manyParts }, (_, i) => bytesOf(partBytes, i + 1));
        const [upload, receipts] = await send(KEY, parts);
        const listed = await store.listParts(upload);
        assert.deepEqual(
          listed.map(({ partNumber, etag }) => [partNumber, etag]),
          receipts.map(({ partNumber, etag }) => [partNumber, etag]),
        );
        await store.completeUpload(upload, listed);
        await store.verify(KEY, digestOf(Buffer.concat(parts)));
      });

      it('has no parts at first', async () => {
        const upload = await store.createUpload(KEY);
        assert.deepEqual(await store.listParts(upload), []);
      });

      it('takes a part again: the last word counts', async () => {
        const parts = partsOf(3);
        const [upload, receipts] = await send(KEY, parts);
        const other = bytesOf(partBytes, 99);
        await store.uploadPart(upload, 3, parts[2] as Buffer);
        const replaced = await store.uploadPart(upload, 1, other);
        assert.notEqual(replaced.etag, receipts[0]?.etag);
        const listed = await store.listParts(upload);
        assert.equal(listed.length, 3);
        await store.completeUpload(upload, listed);
        await store.verify(KEY, digestOf(Buffer.concat([other, ...parts.slice(1)])));
      });

      it('takes a last part again with another size', async () => {
        const first = bytesOf(partBytes);
        const upload = await store.createUpload(KEY);
        await store.uploadPart(upload, 1, first);
        await store.uploadPart(upload, 2, bytesOf(5000, 2));
        const shorter = bytesOf(70, 3);
        await store.uploadPart(upload, 2, shorter);
        const listed = await store.listParts(upload);
        assert.deepEqual(
          listed.map(({ bytes }) => bytes),
          [partBytes, 70],
        );
        await store.completeUpload(upload, listed);
        await store.verify(KEY, digestOf(Buffer.concat([first, shorter])));
      });

      it('does not keep or change the buffer of a part', async () => {
        const part = bytesOf(5000);
        const before = Buffer.from(part);
        const upload = await store.createUpload(KEY);
        const receipt = await store.uploadPart(upload, 1, part);
        assert.deepEqual(part, before);
        part.fill(0);
        await store.completeUpload(upload, [receipt]);
        await store.verify(KEY, digestOf(before));
      });

      it('sends a slice of a larger buffer as just that slice', async () => {
        const large = bytesOf(100_000);
        const slice = large.subarray(777, 5777);
        const [upload, receipts] = await send(KEY, [slice]);
        await store.completeUpload(upload, receipts);
        await store.verify(KEY, digestOf(slice));
        await store.put('slice', slice);
        await store.verify('slice', digestOf(slice));
      });

      it('completes only where no object is, and overwrites when told to', async () => {
        await store.put(KEY, Buffer.from('already here'));
        const parts = partsOf(2);
        const [upload, receipts] = await send(KEY, parts);
        await assertCode(store.completeUpload(upload, receipts), 'OBJECT_EXISTS');
        assert.equal((await collect(store.read(KEY))).toString(), 'already here');
        await store.completeUpload(upload, receipts, { overwrite: true });
        await store.verify(KEY, digestOf(Buffer.concat(parts)));
      });

      it('may be told twice to complete: the object stays and the answer says so', async () => {
        const parts = partsOf(2);
        const [upload, receipts] = await send(KEY, parts);
        await store.completeUpload(upload, receipts);
        const second = await store.completeUpload(upload, receipts).catch((error: unknown) => error);
        if (second instanceof Error) {
          assert.ok(second instanceof HoldfastError);
          assert.ok(['OBJECT_EXISTS', 'UPLOAD_UNKNOWN'].includes(second.code), second.code);
        }
        await store.verify(KEY, digestOf(Buffer.concat(parts)));
      });

      it('refuses receipts that are not those of its parts', async () => {
        const parts = partsOf(2);
        const [upload, [first, second]] = (await send(KEY, parts)) as [Upload, [Receipt, Receipt]];
        const wrongEtag = { ...second, etag: first.etag };
        const missing = { ...second, partNumber: 3 };
        for (const receipts of [[first, wrongEtag], [first, second, missing], [second, first], []]) {
          await assertCode(store.completeUpload(upload, receipts), 'UPLOAD_MISMATCH');
        }
        assert.equal(await store.head(KEY), undefined);
        await store.completeUpload(upload, [first, second]);
        await store.verify(KEY, digestOf(Buffer.concat(parts)));
      });

      it('knows nothing of an upload after it was completed or aborted', async () => {
        const parts = partsOf(1);
        const [done, receipts] = await send(KEY, parts);
        await store.completeUpload(done, receipts);
        const aborted = await store.createUpload('aborted');
        await store.uploadPart(aborted, 1, bytesOf(10));
        await store.abortUpload(aborted);
        for (const upload of options.remembersCompleted ? [aborted] : [done, aborted]) {
          await assertCode(store.listParts(upload), 'UPLOAD_UNKNOWN');
          await assertCode(store.uploadPart(upload, 1, bytesOf(10)), 'UPLOAD_UNKNOWN');
        }
        if (options.remembersCompleted) await store.uploadPart(done, 1, parts[0] as Buffer);
        await store.verify(KEY, digestOf(Buffer.concat(parts)));
        await assertCode(store.completeUpload(aborted, receipts), 'UPLOAD_UNKNOWN');
        assert.equal(await store.head('aborted'), undefined);
      });

      it('aborts again, and an upload that never was, without complaint', async () => {
        const upload = await store.createUpload(KEY);
        await store.abortUpload(upload);
        await store.abortUpload(upload);
        const [done, receipts] = await send(KEY, partsOf(2));
        await store.completeUpload(done, receipts);
        await store.abortUpload(done);
        await store.verify(KEY, digestOf(Buffer.concat(partsOf(2))));
      });

      it('answers an upload id that it never gave with UPLOAD_UNKNOWN', async () => {
        for (const uploadId of ['x', '../../etc', 'f'.repeat(32), 'a/b']) {
          await assertCode(store.listParts({ key: KEY, uploadId }), 'UPLOAD_UNKNOWN');
          await assertCode(store.uploadPart({ key: KEY, uploadId }, 1, bytesOf(10)), 'UPLOAD_UNKNOWN');
          await store.abortUpload({ key: KEY, uploadId });
        }
      });

      it('lists unfinished uploads with their start, and no others', async () => {
        const first = await store.createUpload('b/one');
        const second = await store.createUpload('a/two');
        const [done, receipts] = await send(KEY, partsOf(1));
        await store.completeUpload(done, receipts);
        await store.abortUpload(await store.createUpload('a/gone'));
        const listed = await all(store.listUploads());
        const names = listed.map(({ key, uploadId }) => `${key} ${uploadId}`).sort();
        assert.deepEqual(names, [first, second].map(({ key, uploadId }) => `${key} ${uploadId}`).sort());
        for (const { startedAt } of listed) {
          const ageMs = Date.now() - Number(startedAt / 1_000_000n);
          assert.ok(Math.abs(ageMs) < 3_600_000, `started ${ageMs} ms ago`);
        }
      });

      it('keeps two uploads of one key apart', async () => {
        const a = bytesOf(3000, 1);
        const b = bytesOf(4000, 2);
        const [first, firstReceipts] = await send(KEY, [a]);
        const [second, secondReceipts] = await send(KEY, [b]);
        await store.completeUpload(second, secondReceipts);
        await assertCode(store.completeUpload(first, firstReceipts), 'OBJECT_EXISTS');
        await store.abortUpload(first);
        await store.verify(KEY, digestOf(b));
      });
    });

    describe('verification', () => {
      it('accepts equal bytes and says how it knew', async () => {
        const data = bytesOf(500_000);
        await store.put(KEY, data);
        assert.ok(['store-checksum', 'read-back'].includes(await store.verify(KEY, digestOf(data))));
      });

      it('refuses other bytes of the same size, and other sizes', async () => {
        const data = bytesOf(10_000);
        await store.put(KEY, data);
        await assertCode(store.verify(KEY, digestOf(bytesOf(10_000, 7))), 'OBJECT_CORRUPT');
        await assertCode(store.verify(KEY, digestOf(data.subarray(1))), 'OBJECT_CORRUPT');
        await assertCode(store.verify(KEY, digestOf(bytesOf(10_001))), 'OBJECT_CORRUPT');
      });

      it('refuses an upload that holds other bytes', async () => {
        const parts = partsOf(2);
        const [upload, receipts] = await send(KEY, parts);
        await store.completeUpload(upload, receipts);
        const other = Buffer.concat(parts);
        other[partBytes] = (other[partBytes] as number) ^ 1;
        await assertCode(store.verify(KEY, digestOf(other)), 'OBJECT_CORRUPT');
      });

      it('notices one flipped bit in the store', async function () {
        if (!harness.corrupt) return this.skip();
        const data = bytesOf(10_000);
        await store.put(KEY, data);
        await harness.corrupt(KEY);
        await assertCode(store.verify(KEY, digestOf(data)), 'OBJECT_CORRUPT');
      });
    });

    describe('cancelling and closing', () => {
      it('rejects every call with the reason of a signal that is already aborted', async () => {
        const reason = new Error('stop');
        const signal = AbortSignal.abort(reason);
        const upload = await store.createUpload(KEY);
        const calls: (() => Promise<unknown>)[] = [
          () => store.readId({ signal }),
          () => store.createId(ID, { signal }),
          () => store.head(KEY, { signal }),
          () => collect(store.read(KEY, undefined, { signal })),
          () => all(store.list('', { signal })),
          () => store.put(KEY, bytesOf(1), { signal }),
          () => store.delete(KEY, { signal }),
          () => store.createUpload(KEY, { signal }),
          () => store.uploadPart(upload, 1, bytesOf(1), { signal }),
          () => store.listParts(upload, { signal }),
          () => store.completeUpload(upload, [], { signal }),
          () => store.abortUpload(upload, { signal }),
          () => all(store.listUploads({ signal })),
          () => store.verify(KEY, digestOf(bytesOf(1)), { signal }),
        ];
        for (const call of calls) await assert.rejects(call(), (error: unknown) => error === reason);
        assert.equal(await store.head(KEY), undefined);
      });

      it('stops reading when the signal comes in the middle', async () => {
        await store.put(KEY, bytesOf(4_000_000));
        const abort = new AbortController();
        const reason = new Error('enough');
        const reading = async (): Promise<void> => {
          for await (const _chunk of store.read(KEY, undefined, { signal: abort.signal })) {
            abort.abort(reason);
          }
        };
        await assert.rejects(reading(), (error: unknown) => error === reason);
      });

      it('closes, and closes again', async () => {
        await store[Symbol.asyncDispose]();
        await store[Symbol.asyncDispose]();
      });

      it('names itself without credentials', () => {
        assert.match(store.uri, /^(dir:\/|s3:\/\/)/);
        assert.doesNotMatch(store.uri, /secret|password|@/i);
      });
    });
  });
}
