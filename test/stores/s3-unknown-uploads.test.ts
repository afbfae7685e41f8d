import assert from 'node:assert/strict';
import type { Store } from '../../src/core/store.js';
import { openStore } from '../../src/stores/open-store.js';
import { assertCode } from '../../src/testing/store-contract.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';

/** As Ceph RGW 16.2 answers about an upload that it does not know. */
describe('an S3 store whose server has other words for an unknown upload', () => {
  let server: FaultyS3;
  let store: Store;
  let restore: () => void;

  beforeEach(async () => {
    server = await startFaultyS3({ minPartBytes: 1, buckets: ['fleet'] });
    restore = useAwsCredentials(server);
    store = await openStore(`s3://fleet?endpoint=${server.endpoint}`, {}, storePorts);
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await server.stop();
    restore();
  });

  it('takes NoSuchKey to a call about an upload for an unknown upload', async () => {
    for (const operation of ['ListParts', 'UploadPart', 'CompleteMultipartUpload'] as const) {
      const upload = await store.createUpload('k');
      const receipts = [await store.uploadPart(upload, 1, bytesOf(10))];
      server.faults.add({ operation, fault: 'no-such-key' });
      const call = {
        ListParts: () => store.listParts(upload),
        UploadPart: () => store.uploadPart(upload, 2, bytesOf(10)),
        CompleteMultipartUpload: () => store.completeUpload(upload, receipts),
      }[operation];
      await assertCode(call(), 'UPLOAD_UNKNOWN');
    }
  });

  it('asks after a completion with 500 whether the upload exists', async () => {
    const upload = await store.createUpload('k');
    const receipts = [await store.uploadPart(upload, 1, bytesOf(10))];
    server.faults.add({ operation: 'CompleteMultipartUpload', fault: 'error-500', times: 2 });
    await assertCode(store.completeUpload(upload, receipts), 'STORE_BUSY');
    await store.abortUpload(upload);
    await assertCode(store.completeUpload(upload, receipts), 'UPLOAD_UNKNOWN');
    assert.equal(await store.head('k'), undefined);
  });
});
