import { randomBytes } from 'node:crypto';
import { useAwsCredentials } from '../support/aws-environment.js';
import { googleBehaviour } from '../support/s3-fault-server/operations.js';
import { startFaultyS3, type FaultyS3, type FaultyS3Options } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';
import { openStore } from '../../src/stores/open-store.js';
import { storeContract, type StoreHarness } from '../../src/testing/store-contract.js';

describe('an S3 store', () => {
  const servers: FaultyS3[] = [];
  let restore: () => void;
  before(() => {
    restore = useAwsCredentials({ accessKeyId: 'test:tester', secretAccessKey: 'testing' });
  });
  after(async () => {
    restore();
    await Promise.all(servers.map((server) => server.stop()));
  });

  function harnessOn(options: FaultyS3Options, query = ''): () => Promise<StoreHarness> {
    let server: FaultyS3 | undefined;
    return async () => {
      server ??= await startFaultyS3({ minPartBytes: 1, pageSize: 5, ...options });
      if (!servers.includes(server)) servers.push(server);
      const running = server;
      const bucket = `b-${randomBytes(4).toString('hex')}`;
      running.createBucket(bucket);
      const open = () =>
        openStore(`s3://${bucket}/robots/x y?endpoint=${running.endpoint}${query}`, {}, storePorts);
      const stores = [await open()] as const;
      const reopened = [...stores];
      return {
        store: stores[0],
        reopen: async () => {
          const store = await open();
          reopened.push(store);
          return store;
        },
        corrupt: (key) => running.corruptObject(bucket, `robots/x y/${key}`, 5),
        close: async () => {
          for (const store of reopened) await store[Symbol.asyncDispose]();
        },
      };
    };
  }

  const contract = { partBytes: 4096, manyParts: 13, sendsWhole: true };
  storeContract('S3 with full-object checksums', contract, harnessOn({}));
  storeContract(
    'S3 without checksums, with opaque ETags and neither conditional put nor complete',
    contract,
    harnessOn({
      checksums: 'refused',
      etags: 'opaque',
      conditionalPut: 'refused',
      conditionalComplete: 'refused',
    }),
  );
  storeContract(
    'S3 on a server that behaves as Google Cloud Storage',
    contract,
    harnessOn(googleBehaviour, '&conditional=false'),
  );
});
