import assert from 'node:assert/strict';
import { CompleteMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3';
import type { Receipt, Store, Upload } from '../../src/core/store.js';
import { openStore } from '../../src/stores/open-store.js';
import { assertCode } from '../../src/testing/store-contract.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';

/** Ceph RGW 16.2 has other words for an unknown upload, and puts parts in order itself. */
describe('an S3 store whose server answers as Ceph RGW', () => {
  let server: FaultyS3;
  let store: Store;
  let restore: () => void;

  beforeEach(async () => {
    server = await startFaultyS3({ minPartBytes: 1, buckets: ['fleet'], partOrder: 'sorted' });
    restore = useAwsCredentials(server);
    store = await openStore(`s3://fleet?endpoint=${server.endpoint}`, {}, storePorts);
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await server.stop();
    restore();
  });

  async function sendTwo(): Promise<{ readonly upload: Upload; readonly receipts: [Receipt, Receipt] }> {
    const upload = await store.createUpload('k');
    const first = await store.uploadPart(upload, 1, bytesOf(10));
    return { upload, receipts: [first, await store.uploadPart(upload, 2, bytesOf(20, 2))] };
  }

  const completions = (): number =>
    server.requests.filter(({ operation }) => operation === 'CompleteMultipartUpload').length;

  it('refuses parts out of order and parts that are named twice, and sends no completion', async () => {
    const { upload, receipts } = await sendTwo();
    const [first, second] = receipts;
    for (const wrong of [
      [second, first],
      [first, first],
      [first, second, second],
    ])
      await assertCode(store.completeUpload(upload, wrong), 'UPLOAD_MISMATCH');
    assert.equal(completions(), 0);
    assert.equal(await store.head('k'), undefined);
    await store.completeUpload(upload, receipts);
    assert.equal((await store.head('k'))?.bytes, 30);
  });

  it('would have such parts accepted, as a client sees that asks the server', async () => {
    const { upload, receipts } = await sendTwo();
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    const Parts = receipts
      .toReversed()
      .map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: etag }));
    const upside = { Bucket: 'fleet', Key: 'k', UploadId: upload.uploadId, MultipartUpload: { Parts } };
    await client.send(new CompleteMultipartUploadCommand(upside));
    client.destroy();
    assert.equal((await store.head('k'))?.bytes, 30);
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
