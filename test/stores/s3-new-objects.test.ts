import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { HoldfastError } from '../../src/core/errors.js';
import { parseTags } from '../../src/stores/s3/new-objects.js';
import { parseS3Options } from '../../src/stores/s3/s3-options.js';
import { openStore } from '../../src/stores/open-store.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { assertCode } from '../../src/testing/store-contract.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';

const KMS_KEY = 'arn:aws:kms:eu-west-1:111122223333:key/0a1b';

describe('what an S3 store asks for new objects', () => {
  let server: FaultyS3;
  let restore: () => void;
  before(async () => {
    restore = useAwsCredentials({ accessKeyId: 'test:tester', secretAccessKey: 'testing' });
    server = await startFaultyS3({ minPartBytes: 1, buckets: ['fleet'] });
  });
  after(async () => {
    restore();
    await server.stop();
  });

  it('is encryption, class and tags for segments, and encryption alone for its own small objects', async () => {
    const options = {
      sse: 'aws:kms',
      sse_kms_key_id: KMS_KEY,
      storage_class: 'STANDARD_IA',
      tags: 'project=北 7,cost centre=a+b/c',
    };
    await using store = await openStore(`s3://fleet?endpoint=${server.endpoint}`, options, storePorts);
    await store.createId('0'.repeat(32));
    await store.put('manifest', bytesOf(10));
    const upload = await store.createUpload('segment');
    await store.completeUpload(upload, [await store.uploadPart(upload, 1, bytesOf(10))]);
    const content = (): Readable => Readable.from([bytesOf(10)]);
    await store.sendWhole?.({ key: 'file', bytes: 10, content });
    const encryption = {
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': KMS_KEY,
    };
    const all = {
      ...encryption,
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-tagging': 'project=%E5%8C%97+7&cost+centre=a%2Bb%2Fc',
    };
    const asked = server.requests.map(({ operation, key, wishes }) => [`${operation} ${key}`, wishes]);
    assert.deepEqual(Object.fromEntries(asked.filter(([, wishes]) => Object.keys(wishes ?? {}).length > 0)), {
      'PutObject .holdfast/store-id': encryption,
      'PutObject manifest': all,
      'CreateMultipartUpload segment': all,
      'PutObject file': all,
    });
  });

  it('is nothing by default', async () => {
    const before = server.requests.length;
    await using store = await openStore(`s3://fleet?endpoint=${server.endpoint}`, {}, storePorts);
    await store.put('plain', bytesOf(10));
    assert.deepEqual(
      server.requests.slice(before).map(({ wishes }) => wishes),
      [{}],
    );
  });

  it('is refused with all faults together, each with the allowed values', async () => {
    const query = 'sse=rot13&storage_class=GLACIER&tags=a=1,a=2&sse_kms_key_id=a b';
    const opened = openStore(`s3://fleet?region=x&${query}`, {}, storePorts);
    const error: HoldfastError = await assertCode(opened, 'CONFIG_INVALID');
    for (const expected of [
      /sse is "rot13", allowed: AES256, aws:kms, aws:kms:dsse/,
      /storage_class is "GLACIER".*read at once/,
      /tags is "a=1,a=2".*no name twice/,
      /sse_kms_key_id is "a b".*ARN/,
      /sse_kms_key_id is given without sse/,
    ]) {
      assert.match(error.message, expected);
    }
  });

  it('takes the tags that S3 takes', () => {
    assert.deepEqual(
      [...(parseTags('a=1, b=,c=x=y') ?? [])],
      [
        ['a', '1'],
        ['b', ''],
        ['c', 'x=y'],
      ],
    );
    const eleven = Array.from({ length: 11 }, (_, index) => `t${index}=x`).join();
    for (const text of ['', 'a', '=1', 'aws:a=1', 'a=1,', 'a=<', eleven, `a=${'x'.repeat(257)}`]) {
      assert.equal(parseTags(text), undefined, text);
    }
  });

  it('includes no condition on Google Cloud Storage, whose interface does not look at it', () => {
    const google = parseS3Options('fleet', '', { endpoint: 'https://storage.googleapis.com' }, []);
    assert.deepEqual([google.conditional, google.region], [false, 'auto']);
    const other = parseS3Options('fleet', '', { endpoint: 'https://storage.googleapis.com.example' }, []);
    assert.deepEqual([other.conditional, other.region], [true, 'us-east-1']);
  });
});
