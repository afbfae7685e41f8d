import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { useAwsCredentials } from '../support/aws-environment.js';
import { storePorts } from '../support/store-ports.js';
import { startSwift, type Swift } from '../support/swift.js';
import { openStore } from '../../src/stores/open-store.js';
import { assertCode, digestOf, storeContract } from '../../src/testing/store-contract.js';
import { lacking } from '../../src/testing/lacking.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';

describe('an S3 store on OpenStack Swift', () => {
  let swift: Swift;
  let restore = (): void => undefined;

  before(async function () {
    this.timeout(300_000);
    try {
      swift = await startSwift();
    } catch (error) {
      lacking(this, 'swift', (error as Error).message.slice(0, 300));
    }
    restore = useAwsCredentials(swift);
  });
  after(() => restore());

  it('calls an object whose part was replaced after its completion corrupt', async () => {
    await swift.createBucket('broken');
    await using store = await openStore(`s3://broken?endpoint=${swift.endpoint}`, {}, storePorts);
    const upload = await store.createUpload('k');
    await store.completeUpload(upload, [await store.uploadPart(upload, 1, bytesOf(5000))]);
    await store.verify('k', digestOf(bytesOf(5000)));
    await store.uploadPart(upload, 1, bytesOf(5000, 9));
    await assertCode(store.verify('k', digestOf(bytesOf(5000))), 'OBJECT_CORRUPT');
  });

  it('sends the class that Swift has, and says which request Swift refuses', async () => {
    await swift.createBucket('classes');
    const open = (options: Record<string, string>) =>
      openStore(`s3://classes?endpoint=${swift.endpoint}`, options, storePorts);
    await using standard = await open({ storage_class: 'STANDARD' });
    await standard.put('k', bytesOf(10));
    for (const options of [{ storage_class: 'STANDARD_IA' }, { sse: 'AES256' }, { tags: 'a=1' }]) {
      await using store = await open(options);
      const error = await assertCode(store.put('k', bytesOf(10)), 'STORE_REJECTED');
      assert.match(error.message, /^PutObject in s3:\/\/classes.* failed \((400|501) /);
    }
  });

  it('knows a missing bucket and wrong credentials apart', async () => {
    await using nowhere = await openStore(`s3://nowhere?endpoint=${swift.endpoint}`, {}, storePorts);
    await assertCode(nowhere.readId(), 'STORE_NOT_FOUND');
    await assertCode(nowhere.createUpload('k'), 'STORE_NOT_FOUND');
    const undo = useAwsCredentials({ ...swift, secretAccessKey: 'wrong' });
    try {
      await using denied = await openStore(`s3://nowhere?endpoint=${swift.endpoint}`, {}, storePorts);
      await assertCode(denied.readId(), 'STORE_ACCESS_DENIED');
    } finally {
      undo();
    }
  });

  storeContract(
    'S3 on Swift',
    { partBytes: 4096, manyParts: 11, remembersCompleted: true, sendsWhole: true },
    async () => {
      const bucket = `b-${randomBytes(6).toString('hex')}`;
      await swift.createBucket(bucket);
      const open = () => openStore(`s3://${bucket}/fleet?endpoint=${swift.endpoint}`, {}, storePorts);
      const stores = [await open()] as const;
      const opened = [...stores];
      return {
        store: stores[0],
        reopen: async () => {
          const store = await open();
          opened.push(store);
          return store;
        },
        close: async () => {
          for (const store of opened) await store[Symbol.asyncDispose]();
        },
      };
    },
  );
});
