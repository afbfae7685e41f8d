import { randomBytes } from 'node:crypto';
import { useAwsCredentials } from '../support/aws-environment.js';
import { storePorts } from '../support/store-ports.js';
import { startSwift, type Swift } from '../support/swift.js';
import { openStore } from '../../src/stores/open-store.js';
import { storeContract } from './store-contract.js';

describe('an S3 store on OpenStack Swift', () => {
  let swift: Swift;
  let restore = (): void => undefined;

  before(async function () {
    this.timeout(300_000);
    try {
      swift = await startSwift();
    } catch (error) {
      console.log(
        `    NOT RUN: the store contract against Swift (${(error as Error).message.slice(0, 300)})`,
      );
      this.skip();
    }
    restore = useAwsCredentials(swift);
  });
  after(() => restore());

  storeContract('S3 on Swift', { partBytes: 4096, manyParts: 11, remembersCompleted: true }, async () => {
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
  });
});
