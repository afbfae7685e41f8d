import assert from 'node:assert/strict';
import { lacking } from './lacking.js';
import { bytesOf } from './seeded-bytes.js';
import { ID, KEY, all, assertCode, collect, digestOf, type StoreUnderTest } from './store-under-test.js';

/** Verification, cancelling and closing. */
export function verificationTests(test: StoreUnderTest): void {
  describe('verification', () => {
    it('accepts equal bytes and says how it knew', async () => {
      const data = bytesOf(500_000);
      await test.store.put(KEY, data);
      assert.ok(['store-checksum', 'read-back'].includes(await test.store.verify(KEY, digestOf(data))));
    });

    it('refuses other bytes of the same size, and other sizes', async () => {
      const data = bytesOf(10_000);
      await test.store.put(KEY, data);
      await assertCode(test.store.verify(KEY, digestOf(bytesOf(10_000, 7))), 'OBJECT_CORRUPT');
      await assertCode(test.store.verify(KEY, digestOf(data.subarray(1))), 'OBJECT_CORRUPT');
      await assertCode(test.store.verify(KEY, digestOf(bytesOf(10_001))), 'OBJECT_CORRUPT');
    });

    it('refuses an upload that holds other bytes', async () => {
      const parts = test.partsOf(2);
      const [upload, receipts] = await test.send(KEY, parts);
      await test.store.completeUpload(upload, receipts);
      const other = Buffer.concat(parts);
      other[test.options.partBytes] = (other[test.options.partBytes] as number) ^ 1;
      await assertCode(test.store.verify(KEY, digestOf(other)), 'OBJECT_CORRUPT');
    });

    it('notices one flipped bit in the store', async function () {
      if (!test.harness.corrupt)
        return lacking(this, 'capability', 'the bytes of this store cannot be changed from outside');
      const data = bytesOf(10_000);
      await test.store.put(KEY, data);
      await test.harness.corrupt(KEY);
      await assertCode(test.store.verify(KEY, digestOf(data)), 'OBJECT_CORRUPT');
    });
  });

  describe('cancelling and closing', () => {
    it('rejects every call with the reason of a signal that is already aborted', async () => {
      const reason = new Error('stop');
      const signal = AbortSignal.abort(reason);
      const upload = await test.store.createUpload(KEY);
      const calls: (() => Promise<unknown>)[] = [
        () => test.store.readId({ signal }),
        () => test.store.createId(ID, { signal }),
        () => test.store.head(KEY, { signal }),
        () => collect(test.store.read(KEY, undefined, { signal })),
        () => all(test.store.list('', { signal })),
        () => test.store.put(KEY, bytesOf(1), { signal }),
        () => test.store.delete(KEY, { signal }),
        () => test.store.createUpload(KEY, { signal }),
        () => test.store.uploadPart(upload, 1, bytesOf(1), { signal }),
        () => test.store.listParts(upload, { signal }),
        () => test.store.completeUpload(upload, [], { signal }),
        () => test.store.abortUpload(upload, { signal }),
        () => all(test.store.listUploads({ signal })),
        () => test.store.verify(KEY, digestOf(bytesOf(1)), { signal }),
      ];
      for (const call of calls) await assert.rejects(call(), (error: unknown) => error === reason);
      assert.equal(await test.store.head(KEY), undefined);
    });

    it('stops reading when the signal comes in the middle', async () => {
      await test.store.put(KEY, bytesOf(4_000_000));
      const abort = new AbortController();
      const reason = new Error('enough');
      const reading = async (): Promise<void> => {
        for await (const _chunk of test.store.read(KEY, undefined, { signal: abort.signal })) {
          abort.abort(reason);
        }
      };
      await assert.rejects(reading(), (error: unknown) => error === reason);
    });

    it('closes, and closes again', async () => {
      await test.store[Symbol.asyncDispose]();
      await test.store[Symbol.asyncDispose]();
    });

    it('names itself without credentials', () => {
      assert.match(test.store.uri, /^[a-z][a-z0-9+.-]*:/);
      assert.doesNotMatch(test.store.uri, /secret|password|@/i);
    });
  });
}
