import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { manifestKey } from '../../src/core/manifest.js';
import { openStore } from '../../src/stores/open-store.js';
import { all, assertCode, collect, digestOf, storeContract } from '../../src/testing/store-contract.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import { startMinio, type Minio } from '../support/minio.js';
import { perhaps } from '../support/perhaps.js';
import { storePorts } from '../support/store-ports.js';
import { KIB, sha256, SyncWorld } from '../sync/sync-world.js';

/** The minimum of S3, which MinIO enforces. */
const PART_BYTES = 5 * 1024 * KIB;

describe('an S3 store on MinIO', function () {
  this.timeout(120_000);
  let minio: Minio;
  let restore = (): void => undefined;

  before(async function () {
    minio = await startMinio(this);
    restore = useAwsCredentials(minio);
  });
  after(async () => {
    restore();
    await perhaps(minio)?.[Symbol.asyncDispose]();
  });

  const open = (bucket: string, options: Record<string, string> = {}) =>
    openStore(`s3://${bucket}/fleet?endpoint=${minio.endpoint}`, options, storePorts);

  it('knows a missing bucket and wrong credentials apart', async () => {
    await using nowhere = await open('nowhere');
    await assertCode(nowhere.readId(), 'STORE_NOT_FOUND');
    await assertCode(nowhere.createUpload('k'), 'STORE_NOT_FOUND');
    const undo = useAwsCredentials({ ...minio, secretAccessKey: 'wrong-password' });
    try {
      await using denied = await open('nowhere');
      await assertCode(denied.readId(), 'STORE_ACCESS_DENIED');
    } finally {
      undo();
    }
  });

  it('takes tags, and says which request MinIO refuses: an unknown class, and encryption without a key service', async () => {
    await minio.createBucket('classes');
    await using tagged = await open('classes', { tags: 'a=1', storage_class: 'STANDARD' });
    await tagged.put('k', bytesOf(10));
    for (const options of [{ storage_class: 'UNKNOWN' }, { sse: 'AES256' }]) {
      await using store = await open('classes', options);
      const error = await assertCode(store.put('k2', bytesOf(10)), 'STORE_REJECTED');
      assert.match(error.message, /^PutObject in s3:\/\/classes.* failed \((400|501) /);
    }
  });

  for (const checksum of ['auto', 'crc32', 'when-required']) {
    it(`gets every segment of sync whole with checksum=${checksum}`, async () => {
      await using world = await SyncWorld.create();
      const bucket = `sync-${checksum}`;
      await minio.createBucket(bucket);
      await using store = await open(bucket, { checksum });
      const sealed = [await world.seal(100 * KIB), await world.seal(2 * PART_BYTES + 1)];
      await world.drain(store, { options: { partBytes: PART_BYTES } }, AbortSignal.timeout(60_000));
      for (const { manifest } of sealed) {
        assert.equal(sha256(Buffer.from(await collect(store.read(manifest.key)))), manifest.file.sha256);
        assert.ok((await collect(store.read(manifestKey(manifest.key)))).length > 0);
      }
      assert.deepEqual(await all(store.listUploads()), []);
    });
  }

  it('compares the sum of a whole object of parts without a download', async () => {
    await minio.createBucket('sums');
    await using store = await open('sums', { checksum: 'crc32' });
    const bytes = bytesOf(PART_BYTES + 1000);
    const upload = await store.createUpload('k');
    const parts = [
      await store.uploadPart(upload, 1, bytes.subarray(0, PART_BYTES)),
      await store.uploadPart(upload, 2, bytes.subarray(PART_BYTES)),
    ];
    await store.completeUpload(upload, parts);
    await store.verify('k', digestOf(bytes));
    await assertCode(store.verify('k', digestOf(bytesOf(PART_BYTES + 1000, 9))), 'OBJECT_CORRUPT');
  });

  storeContract(
    'S3 on MinIO',
    { partBytes: PART_BYTES, manyParts: 3, sendsWhole: true, listsUploads: false },
    async () => {
      const bucket = `b-${randomBytes(6).toString('hex')}`;
      await minio.createBucket(bucket);
      const opened = [await open(bucket)] as const;
      const more: (typeof opened)[number][] = [...opened];
      return {
        store: opened[0],
        reopen: async () => {
          const store = await open(bucket);
          more.push(store);
          return store;
        },
        close: async () => {
          for (const store of more) await store[Symbol.asyncDispose]();
        },
      };
    },
  );
});
