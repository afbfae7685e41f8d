import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { StorePlace } from '../../../src/jobs/export/store-place.js';
import { openStore } from '../../../src/stores/open-store.js';
import { bytesOf } from '../../../src/testing/seeded-bytes.js';
import { collect } from '../../../src/testing/store-contract.js';
import { useAwsCredentials } from '../../support/aws-environment.js';
import { startFaultyS3 } from '../../support/s3-fault-server/server.js';
import { storePorts } from '../../support/store-ports.js';

describe('an export into S3', () => {
  it('sends a small file in one request and a large one in parts, and verifies both', async () => {
    const restore = useAwsCredentials({ accessKeyId: 'test:tester', secretAccessKey: 'testing' });
    const server = await startFaultyS3({ buckets: ['fleet'] });
    try {
      await using store = await openStore(`s3://fleet?endpoint=${server.endpoint}`, {}, storePorts);
      await using place = new StorePlace(store, fs, new AbortController().signal);
      for (const [path, bytes, parts] of [
        ['small.csv', 100, 0],
        ['large.parquet', 20_000_000, 3],
      ] as const) {
        const content = bytesOf(bytes);
        const file = await place.create(path);
        await file.write(content);
        assert.equal((await file.finish()).bytes, bytes);
        assert.equal(server.count('UploadPart'), parts);
        assert.deepEqual(await collect(store.read(path)), content);
      }
      assert.equal(server.count('PutObject'), 1);
    } finally {
      await server.stop();
      restore();
    }
  });
});
