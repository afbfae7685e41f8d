import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { present } from '../core/present.js';
import { crc32 } from 'node:zlib';
import { HoldfastError } from '../core/errors.js';
import type { Receipt, Upload } from '../core/store.js';
import { lacking } from './lacking.js';
import { bytesOf } from './seeded-bytes.js';
import { KEY, all, assertCode, collect, digestOf, type StoreUnderTest } from './store-under-test.js';

/** Uploads in parts: resuming, completing, aborting, listing. */
export function uploadTests(test: StoreUnderTest): void {
  describe('uploads', () => {
    it('makes one object out of parts, the last one short', async () => {
      const parts = test.partsOf(3);
      const [upload, receipts] = await test.send(KEY, parts);
      assert.equal(await test.store.head(KEY), undefined, 'nothing is there before completion');
      assert.deepEqual(await all(test.store.list('')), []);
      const info = await test.store.completeUpload(upload, receipts);
      const whole = Buffer.concat(parts);
      assert.equal(info.key, KEY);
      assert.equal(info.bytes, whole.length);
      assert.deepEqual(await collect(test.store.read(KEY)), whole);
      assert.deepEqual(
        (await all(test.store.list(''))).map(({ key, bytes }) => [key, bytes]),
        [[KEY, whole.length]],
      );
      await test.store.verify(KEY, digestOf(whole));
    });

    it('makes one object out of full parts only, and out of one part', async () => {
      const full = [bytesOf(test.options.partBytes, 3), bytesOf(test.options.partBytes, 4)];
      const [upload, receipts] = await test.send(KEY, full);
      await test.store.completeUpload(upload, receipts);
      await test.store.verify(KEY, digestOf(Buffer.concat(full)));
      const one = bytesOf(1);
      const [small, smallReceipts] = await test.send('one', [one]);
      await test.store.completeUpload(small, smallReceipts);
      await test.store.verify('one', digestOf(one));
    });

    it('makes an empty object out of one empty part', async () => {
      const [upload, receipts] = await test.send(KEY, [Buffer.alloc(0)]);
      await test.store.completeUpload(upload, receipts);
      assert.equal((await test.store.head(KEY))?.bytes, 0);
    });

    it('tells a restarted process which parts it has, with sizes and checksums', async () => {
      const parts = test.partsOf(3);
      const [upload, receipts] = await test.send(KEY, parts);
      const again = await test.harness.reopen();
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
      const parts = Array.from({ length: test.options.manyParts }, (_, i) =>
        bytesOf(test.options.partBytes, i + 1),
      );
      const [upload, receipts] = await test.send(KEY, parts);
      const listed = await test.store.listParts(upload);
      assert.deepEqual(
        listed.map(({ partNumber, etag }) => [partNumber, etag]),
        receipts.map(({ partNumber, etag }) => [partNumber, etag]),
      );
      await test.store.completeUpload(upload, listed);
      await test.store.verify(KEY, digestOf(Buffer.concat(parts)));
    });

    it('has no parts at first', async () => {
      const upload = await test.store.createUpload(KEY);
      assert.deepEqual(await test.store.listParts(upload), []);
    });

    it('takes a part again: the last word counts', async () => {
      const parts = test.partsOf(3);
      const [upload, receipts] = await test.send(KEY, parts);
      const other = bytesOf(test.options.partBytes, 99);
      await test.store.uploadPart(upload, 3, parts[2] as Buffer);
      const replaced = await test.store.uploadPart(upload, 1, other);
      assert.notEqual(replaced.etag, receipts[0]?.etag);
      const listed = await test.store.listParts(upload);
      assert.equal(listed.length, 3);
      await test.store.completeUpload(upload, listed);
      await test.store.verify(KEY, digestOf(Buffer.concat([other, ...parts.slice(1)])));
    });

    it('takes a last part again with another size', async () => {
      const first = bytesOf(test.options.partBytes);
      const upload = await test.store.createUpload(KEY);
      await test.store.uploadPart(upload, 1, first);
      await test.store.uploadPart(upload, 2, bytesOf(5000, 2));
      const shorter = bytesOf(70, 3);
      await test.store.uploadPart(upload, 2, shorter);
      const listed = await test.store.listParts(upload);
      assert.deepEqual(
        listed.map(({ bytes }) => bytes),
        [test.options.partBytes, 70],
      );
      await test.store.completeUpload(upload, listed);
      await test.store.verify(KEY, digestOf(Buffer.concat([first, shorter])));
    });

    it('does not keep or change the buffer of a part', async () => {
      const part = bytesOf(5000);
      const before = Buffer.from(part);
      const upload = await test.store.createUpload(KEY);
      const receipt = await test.store.uploadPart(upload, 1, part);
      assert.deepEqual(part, before);
      part.fill(0);
      await test.store.completeUpload(upload, [receipt]);
      await test.store.verify(KEY, digestOf(before));
    });

    if (test.options.sendsWhole === true) {
      it('sends a whole file of any size in one go, in place of an older one', async () => {
        for (const size of [0, 1_000, 17_000_000]) {
          const bytes = bytesOf(size);
          const content = function* (): Generator<Buffer> {
            for (let at = 0; at < size; at += 1_000_000) yield bytes.subarray(at, at + 1_000_000);
          };
          const info = present(
            await test.store.sendWhole?.({ key: KEY, bytes: size, content: () => Readable.from(content()) }),
          );
          assert.deepEqual([info.key, info.bytes], [KEY, size]);
          await test.store.verify(KEY, digestOf(bytes));
        }
        assert.deepEqual(await all(test.store.listUploads()), []);
      });
    }

    it('sends a slice of a larger buffer as just that slice', async () => {
      const large = bytesOf(100_000);
      const slice = large.subarray(777, 5777);
      const [upload, receipts] = await test.send(KEY, [slice]);
      await test.store.completeUpload(upload, receipts);
      await test.store.verify(KEY, digestOf(slice));
      await test.store.put('slice', slice);
      await test.store.verify('slice', digestOf(slice));
    });

    it('completes only where no object is, and overwrites when told to', async () => {
      await test.store.put(KEY, Buffer.from('already here'));
      const parts = test.partsOf(2);
      const [upload, receipts] = await test.send(KEY, parts);
      await assertCode(test.store.completeUpload(upload, receipts), 'OBJECT_EXISTS');
      assert.equal((await collect(test.store.read(KEY))).toString(), 'already here');
      await test.store.completeUpload(upload, receipts, { overwrite: true });
      await test.store.verify(KEY, digestOf(Buffer.concat(parts)));
    });

    it('accepts a second completion: the object stays and the answer says so', async () => {
      const parts = test.partsOf(2);
      const [upload, receipts] = await test.send(KEY, parts);
      await test.store.completeUpload(upload, receipts);
      const second = await test.store.completeUpload(upload, receipts).catch((error: unknown) => error);
      if (second instanceof Error) {
        assert.ok(second instanceof HoldfastError);
        assert.ok(['OBJECT_EXISTS', 'UPLOAD_UNKNOWN'].includes(second.code), second.code);
      }
      await test.store.verify(KEY, digestOf(Buffer.concat(parts)));
    });

    it('refuses receipts that are not those of its parts', async () => {
      const parts = test.partsOf(2);
      const [upload, [first, second]] = (await test.send(KEY, parts)) as [Upload, [Receipt, Receipt]];
      const wrongEtag = { ...second, etag: first.etag };
      const missing = { ...second, partNumber: 3 };
      for (const receipts of [[first, wrongEtag], [first, second, missing], [second, first], []]) {
        await assertCode(test.store.completeUpload(upload, receipts), 'UPLOAD_MISMATCH');
      }
      assert.equal(await test.store.head(KEY), undefined);
      await test.store.completeUpload(upload, [first, second]);
      await test.store.verify(KEY, digestOf(Buffer.concat(parts)));
    });

    it('forgets an upload that was completed or aborted', async () => {
      const parts = test.partsOf(1);
      const [done, receipts] = await test.send(KEY, parts);
      await test.store.completeUpload(done, receipts);
      const aborted = await test.store.createUpload('aborted');
      await test.store.uploadPart(aborted, 1, bytesOf(10));
      await test.store.abortUpload(aborted);
      for (const upload of test.options.remembersCompleted ? [aborted] : [done, aborted]) {
        await assertCode(test.store.listParts(upload), 'UPLOAD_UNKNOWN');
        await assertCode(test.store.uploadPart(upload, 1, bytesOf(10)), 'UPLOAD_UNKNOWN');
      }
      if (test.options.remembersCompleted) await test.store.uploadPart(done, 1, parts[0] as Buffer);
      await test.store.verify(KEY, digestOf(Buffer.concat(parts)));
      await assertCode(test.store.completeUpload(aborted, receipts), 'UPLOAD_UNKNOWN');
      assert.equal(await test.store.head('aborted'), undefined);
    });

    it('aborts again, and an upload that never was, without complaint', async () => {
      const upload = await test.store.createUpload(KEY);
      await test.store.abortUpload(upload);
      await test.store.abortUpload(upload);
      const [done, receipts] = await test.send(KEY, test.partsOf(2));
      await test.store.completeUpload(done, receipts);
      await test.store.abortUpload(done);
      await test.store.verify(KEY, digestOf(Buffer.concat(test.partsOf(2))));
    });

    it('answers an upload id that it never gave with UPLOAD_UNKNOWN', async () => {
      for (const uploadId of ['x', '../../etc', 'f'.repeat(32), 'a/b']) {
        await assertCode(test.store.listParts({ key: KEY, uploadId }), 'UPLOAD_UNKNOWN');
        await assertCode(test.store.uploadPart({ key: KEY, uploadId }, 1, bytesOf(10)), 'UPLOAD_UNKNOWN');
        await test.store.abortUpload({ key: KEY, uploadId });
      }
    });

    it('lists unfinished uploads with their start, and no others', async function () {
      if (test.options.listsUploads === false) {
        return lacking(this, 'capability', 'this store lists no unfinished uploads without their key');
      }
      const first = await test.store.createUpload('b/one');
      const second = await test.store.createUpload('a/two');
      const [done, receipts] = await test.send(KEY, test.partsOf(1));
      await test.store.completeUpload(done, receipts);
      await test.store.abortUpload(await test.store.createUpload('a/gone'));
      const listed = await all(test.store.listUploads());
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
      const [first, firstReceipts] = await test.send(KEY, [a]);
      const [second, secondReceipts] = await test.send(KEY, [b]);
      await test.store.completeUpload(second, secondReceipts);
      await assertCode(test.store.completeUpload(first, firstReceipts), 'OBJECT_EXISTS');
      await test.store.abortUpload(first);
      await test.store.verify(KEY, digestOf(b));
    });
  });
}
