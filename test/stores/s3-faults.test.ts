import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { isHoldfastError } from '../../src/core/errors.js';
import { errorCatalogue, type ErrorCode } from '../../src/core/error-catalogue.js';
import { present } from '../../src/core/present.js';
import type { Receipt, Store, Upload, WholeFile } from '../../src/core/store.js';
import { openStore } from '../../src/stores/open-store.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import type { Fault, Operation } from '../support/s3-fault-server/fault-script.js';
import { eventually } from '../../src/testing/waiting.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';
import { all, assertCode, collect, digestOf } from '../../src/testing/store-contract.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';

const KEY = 'robot=r/seg.mcap';
const data = bytesOf(200_000);
const digest = digestOf(data);

describe('an S3 store under faults', () => {
  let server: FaultyS3;
  let store: Store;
  /** Gives up soon: for calls that never get an answer, and for no others, or load would look like a fault. */
  let hasty: Store;
  let restore: () => void;

  before(async () => {
    restore = useAwsCredentials({ accessKeyId: 'test:tester', secretAccessKey: 'testing' });
    server = await startFaultyS3({ minPartBytes: 1, pageSize: 5, buckets: ['fleet'] });
  });
  after(async () => {
    restore();
    await server.stop();
  });
  beforeEach(async () => {
    server.faults.clear();
    server.deleteBucket('fleet');
    server.createBucket('fleet');
    store = await open();
    hasty = await open({ timeout_ms: 200 });
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await hasty[Symbol.asyncDispose]();
  });

  function open(options: Record<string, string | number> = {}): Promise<Store> {
    return openStore(`s3://fleet?endpoint=${server.endpoint}`, options, storePorts);
  }

  async function begun(): Promise<[Upload, Receipt[]]> {
    const upload = await store.createUpload(KEY);
    return [upload, [await store.uploadPart(upload, 1, data)]];
  }

  /** One call per operation of S3; those that need something there first find it. */
  async function callFor(operation: Operation): Promise<(by: Store) => Promise<unknown>> {
    const [upload, receipts] = await begun();
    switch (operation) {
      case 'PutObject':
        return (by) => by.put('other', data, { ifAbsent: true });
      case 'GetObject':
        await store.put('other', data);
        return (by) => collect(by.read('other'));
      case 'HeadObject':
        await store.put('other', data);
        return (by) => by.head('other');
      case 'DeleteObject':
        return (by) => by.delete('other');
      case 'ListObjectsV2':
        return (by) => all(by.list(''));
      case 'ListMultipartUploads':
        return (by) => all(by.listUploads());
      case 'CreateMultipartUpload':
        return (by) => by.createUpload('other');
      case 'UploadPart':
        return (by) => by.uploadPart(upload, 2, data);
      case 'ListParts':
        return (by) => by.listParts(upload);
      case 'CompleteMultipartUpload':
        return (by) => by.completeUpload(upload, receipts);
      case 'AbortMultipartUpload':
        return (by) => by.abortUpload(upload);
      case 'CreateBucket':
      case 'HeadBucket':
        throw new Error(`the adapter never calls ${operation}`);
    }
  }

  const called: readonly Operation[] = [
    'PutObject',
    'GetObject',
    'HeadObject',
    'DeleteObject',
    'ListObjectsV2',
    'ListMultipartUploads',
    'CreateMultipartUpload',
    'UploadPart',
    'ListParts',
    'CompleteMultipartUpload',
    'AbortMultipartUpload',
  ];

  /** What each fault is called by the port, whatever the operation. */
  const everywhere: readonly (readonly [Fault, ErrorCode])[] = [
    ['error-500', 'STORE_BUSY'],
    ['bad-gateway', 'STORE_BUSY'],
    ['slow-down', 'STORE_BUSY'],
    ['too-many-requests', 'STORE_BUSY'],
    ['forbidden', 'STORE_ACCESS_DENIED'],
    ['quota-exceeded', 'STORE_FULL'],
    ['timeout-before-commit', 'STORE_OFFLINE'],
    ['reset-after-commit', 'STORE_OFFLINE'],
    ['reset-mid-response', 'STORE_OFFLINE'],
  ];

  for (const [fault, code] of everywhere) {
    it(`calls ${fault} ${code} in every operation, and works again afterwards`, async () => {
      for (const operation of called) {
        const call = await callFor(operation);
        server.faults.add({ operation, fault });
        const before = server.count(operation);
        const by = fault.startsWith('timeout-') ? hasty : store;
        const error = await assertCode(call(by), code);
        // A reset is noticed as such, not by waiting.
        if (fault.startsWith('reset-')) assert.match(String(error.facts['system']), /ECONNRESET|EPIPE/);
        assert.equal(server.count(operation) - before, 1, `${operation} was not tried again by the adapter`);
        server.faults.clear();
        if (operation === 'CompleteMultipartUpload' && fault.startsWith('reset-')) {
          await assertCode(call(store), 'UPLOAD_UNKNOWN');
        } else if (operation === 'PutObject' && fault.startsWith('reset-')) {
          await assertCode(call(store), 'OBJECT_EXISTS');
        } else {
          await call(store);
        }
        server.deleteBucket('fleet');
        server.createBucket('fleet');
      }
    });
  }

  const particular: readonly (readonly [Operation, Fault, ErrorCode])[] = [
    ['GetObject', 'no-such-bucket', 'STORE_NOT_FOUND'],
    ['PutObject', 'no-such-bucket', 'STORE_NOT_FOUND'],
    ['UploadPart', 'no-such-bucket', 'STORE_NOT_FOUND'],
    ['PutObject', 'conflict', 'OBJECT_CONFLICT'],
    ['CompleteMultipartUpload', 'conflict', 'OBJECT_CONFLICT'],
    ['CompleteMultipartUpload', 'precondition-failed', 'OBJECT_EXISTS'],
    ['CompleteMultipartUpload', 'error-in-200', 'STORE_BUSY'],
    ['CompleteMultipartUpload', 'upload-vanishes', 'UPLOAD_UNKNOWN'],
    ['UploadPart', 'upload-vanishes', 'UPLOAD_UNKNOWN'],
    ['ListParts', 'upload-vanishes', 'UPLOAD_UNKNOWN'],
    ['UploadPart', 'reset-mid-body', 'STORE_OFFLINE'],
    ['PutObject', 'reset-mid-body', 'STORE_OFFLINE'],
    ['UploadPart', 'timeout-after-commit', 'STORE_OFFLINE'],
    ['UploadPart', 'too-large', 'STORE_REJECTED'],
    ['PutObject', 'captive-portal', 'STORE_OFFLINE'],
    ['UploadPart', 'captive-portal', 'STORE_OFFLINE'],
    ['CreateMultipartUpload', 'captive-portal', 'STORE_OFFLINE'],
    ['CompleteMultipartUpload', 'captive-portal', 'STORE_OFFLINE'],
    ['HeadObject', 'captive-portal', 'STORE_OFFLINE'],
    ['GetObject', 'captive-portal', 'STORE_OFFLINE'],
    ['ListObjectsV2', 'captive-portal', 'STORE_OFFLINE'],
    ['ListParts', 'captive-portal', 'STORE_OFFLINE'],
    ['ListMultipartUploads', 'captive-portal', 'STORE_OFFLINE'],
  ];

  for (const [operation, fault, code] of particular) {
    it(`calls ${fault} in ${operation} ${code}`, async () => {
      const call = await callFor(operation);
      server.faults.add({ operation, fault, times: Infinity });
      const by = fault.startsWith('timeout-') ? hasty : store;
      const error = await assertCode(call(by), code);
      if (fault.startsWith('reset-')) assert.match(String(error.facts['system']), /ECONNRESET|EPIPE/);
    });
  }

  it('calls an expired token and a wrong clock access denied, but worth another try', async () => {
    for (const fault of ['expired-token', 'clock-skew'] as const) {
      server.faults.add({ operation: 'GetObject', fault });
      await assert.rejects(collect(store.read(KEY)), (error: unknown) => {
        assert.ok(isHoldfastError(error, 'STORE_ACCESS_DENIED'));
        return error.retryable && !errorCatalogue[error.code].retryable;
      });
    }
  });

  it('finds the object after a completion that timed out after it was done', async () => {
    const [upload, receipts] = await begun();
    server.faults.add({ operation: 'CompleteMultipartUpload', fault: 'timeout-after-commit' });
    await assertCode(hasty.completeUpload(upload, receipts), 'STORE_OFFLINE');
    await assertCode(store.completeUpload(upload, receipts), 'UPLOAD_UNKNOWN');
    assert.equal(await store.verify(KEY, digest), 'store-checksum');
  });

  it('finds its own object after a put that timed out after it was done', async () => {
    server.faults.add({ operation: 'PutObject', fault: 'timeout-after-commit' });
    await assertCode(hasty.put(KEY, data, { ifAbsent: true }), 'STORE_OFFLINE');
    await assertCode(store.put(KEY, data, { ifAbsent: true }), 'OBJECT_EXISTS');
    await store.verify(KEY, digest);
  });

  it('passes on the store’s list of parts, even if it is wrong', async () => {
    const [upload, [receipt]] = (await begun()) as [Upload, [Receipt]];
    server.faults.add({ operation: 'ListParts', fault: 'part-missing' });
    assert.deepEqual(await store.listParts(upload), []);
    server.faults.add({ operation: 'ListParts', fault: 'part-wrong-size' });
    assert.equal((await store.listParts(upload))[0]?.bytes, data.length + 1);
    server.faults.add({ operation: 'ListParts', fault: 'part-wrong-etag' });
    assert.notEqual((await store.listParts(upload))[0]?.etag, receipt.etag);
    assert.deepEqual(await store.listParts(upload), [receipt]);
  });

  it('notices at once when the store has other bytes than were sent in a part', async () => {
    const [upload] = await begun();
    server.faults.add({ operation: 'UploadPart', fault: 'corrupt-bytes' });
    await assertCode(store.uploadPart(upload, 1, data), 'OBJECT_CORRUPT');
  });

  it('notices corrupted bytes by reading back if the store has no checksums', async () => {
    await using plain = await open({ checksum: 'when-required' });
    server.faults.add({ operation: 'PutObject', fault: 'corrupt-bytes' });
    await plain.put(KEY, data);
    await assertCode(plain.verify(KEY, digest), 'OBJECT_CORRUPT');
    await plain.put(KEY, data);
    assert.equal(await plain.verify(KEY, digest), 'read-back');
  });

  it('verifies by the checksum of the store without reading the object', async () => {
    const [upload, receipts] = await begun();
    await store.completeUpload(upload, receipts);
    const before = server.count('GetObject');
    assert.equal(await store.verify(KEY, digest), 'store-checksum');
    assert.equal(server.count('GetObject'), before);
  });

  it('reports an outage as offline in both forms, and recovers by itself', async () => {
    await store.put(KEY, data);
    for (const how of ['reset', 'hang'] as const) {
      server.goOffline(how);
      await assertCode(hasty.readId(), 'STORE_OFFLINE');
      await assertCode(hasty.head(KEY), 'STORE_OFFLINE');
      server.goOnline();
      assert.equal((await store.head(KEY))?.bytes, data.length);
    }
  });

  it('reports a refused connection as offline', async () => {
    const gone = await startFaultyS3();
    await gone.stop();
    await using other = await openStore(`s3://fleet?endpoint=${gone.endpoint}`, {}, storePorts);
    await assertCode(other.readId(), 'STORE_OFFLINE');
  });

  it('ends a part in flight when the link goes silent, and when it is cancelled', async () => {
    const [upload] = await begun();
    server.bandwidthBytesPerS = 1_000_000;
    const large = bytesOf(8_000_000);
    const abort = new AbortController();
    const reason = new Error('pause');
    const sentBefore = server.count('UploadPart');
    const sending = store.uploadPart(upload, 2, large, { signal: abort.signal });
    const cancelled = assert.rejects(sending, (error: unknown) => error === reason);
    await eventually(() => server.count('UploadPart') === sentBefore + 1, 'the first part on its way');
    abort.abort(reason);
    await cancelled;
    const silent = assertCode(hasty.uploadPart(upload, 2, large), 'STORE_OFFLINE');
    await eventually(() => server.count('UploadPart') === sentBefore + 2, 'the second part on its way');
    server.goOffline('hang');
    await silent;
    server.goOnline();
    server.bandwidthBytesPerS = undefined;
    assert.equal((await store.uploadPart(upload, 2, large)).bytes, large.length);
  });

  describe('sends a whole file', () => {
    const large = bytesOf(20 * 1024 * 1024, 3);
    const whole = (bytes: Buffer): WholeFile => ({
      key: 'export/table.parquet',
      bytes: bytes.byteLength,
      content: () => Readable.from(pieces(bytes)),
    });
    function* pieces(bytes: Buffer): Generator<Buffer> {
      for (let at = 0; at < bytes.byteLength; at += 1_000_000) yield bytes.subarray(at, at + 1_000_000);
    }
    const isThere = async (bytes: Buffer): Promise<void> => {
      assert.equal(await store.verify('export/table.parquet', digestOf(bytes)), 'store-checksum');
      assert.deepEqual(await collect(store.read('export/table.parquet')), bytes);
      assert.deepEqual(await all(store.listUploads()), []);
    };

    it('small or empty in one request, large in parts, in place of an older one', async () => {
      for (const bytes of [data, Buffer.alloc(0), large, bytesOf(8 * 1024 * 1024 + 1)]) {
        const info = await present(store.sendWhole?.(whole(bytes)));
        assert.equal(info.bytes, bytes.byteLength);
        await isThere(bytes);
      }
    });

    it('leaves no part behind when the store fails, or when it is cancelled', async () => {
      for (const operation of ['UploadPart', 'CompleteMultipartUpload'] as const) {
        server.faults.add({ operation, fault: 'error-500', times: Infinity });
        await assertCode(present(store.sendWhole?.(whole(large))), 'STORE_BUSY');
        assert.deepEqual(await all(store.listUploads()), []);
        server.faults.clear();
      }
      const abort = new AbortController();
      const reason = new Error('stop');
      server.bandwidthBytesPerS = 1_000_000;
      const sentBefore = server.count('UploadPart');
      const sending = present(store.sendWhole?.(whole(large), { signal: abort.signal }));
      const refused = assert.rejects(sending, (error: unknown) => error === reason);
      await eventually(() => server.count('UploadPart') > sentBefore, 'a part on its way');
      abort.abort(reason);
      await refused;
      server.bandwidthBytesPerS = undefined;
      assert.deepEqual(await all(store.listUploads()), []);
      assert.equal(await store.head('export/table.parquet'), undefined);
    });

    it('drops the upload that the store was creating when it was cancelled', async () => {
      server.faults.add({ operation: 'CreateMultipartUpload', fault: 'slow-response', delayMs: 1_000 });
      const abort = new AbortController();
      const reason = new Error('stop');
      const sending = present(store.sendWhole?.(whole(large), { signal: abort.signal }));
      const refused = assert.rejects(sending, (error: unknown) => error === reason);
      await eventually(async () => (await all(store.listUploads())).length === 1, 'the upload in the store');
      abort.abort(reason);
      await refused;
      assert.deepEqual(await all(store.listUploads()), []);
    });

    for (const checksums of ['refused', 'refused-at-completion', 'mismatch-500'] as const) {
      it(`without checksums to a store whose answer to them is: ${checksums}`, async () => {
        const refusing = await startFaultyS3({ buckets: ['fleet'], checksums });
        try {
          const uri = `s3://fleet?endpoint=${refusing.endpoint}`;
          await using strict = await openStore(uri, { checksum: 'crc32' }, storePorts);
          await assert.rejects(present(strict.sendWhole?.(whole(large))));
          await using auto = await openStore(uri, {}, storePorts);
          await present(auto.sendWhole?.(whole(large)));
          assert.equal(await auto.verify('export/table.parquet', digestOf(large)), 'read-back');
        } finally {
          await refusing.stop();
        }
      });
    }
  });

  it('does not call a slow part a timeout while bytes move', async () => {
    await using patient = await open({ timeout_ms: 3000 });
    const upload = await patient.createUpload(KEY);
    // Far more than the kernel's buffers hold, and longer on its way than the timeout.
    const large = Buffer.alloc(24_000_000, 7);
    server.bandwidthBytesPerS = 6_000_000;
    try {
      assert.equal((await patient.uploadPart(upload, 1, large)).bytes, large.length);
    } finally {
      server.bandwidthBytesPerS = undefined;
    }
  });

  it('knows wrong credentials, a wrong region and a missing bucket apart', async () => {
    const undo = useAwsCredentials({ accessKeyId: 'test:tester', secretAccessKey: 'wrong' });
    try {
      await using denied = await open();
      await assertCode(denied.readId(), 'STORE_ACCESS_DENIED');
    } finally {
      undo();
    }
    await using elsewhere = await open({ region: 'eu-west-1' });
    await assertCode(elsewhere.readId(), 'STORE_NOT_FOUND');
    server.deleteBucket('fleet');
    await assertCode(store.readId(), 'STORE_NOT_FOUND');
    await assertCode(store.createUpload(KEY), 'STORE_NOT_FOUND');
  });

  it('reports access denied if the chain has no credentials, and never prints a secret', async () => {
    const undo = useAwsCredentials({ accessKeyId: '', secretAccessKey: '' });
    try {
      await using denied = await open();
      await assertCode(denied.readId(), 'STORE_ACCESS_DENIED');
    } finally {
      undo();
    }
    server.faults.add({ operation: 'GetObject', fault: 'forbidden' });
    const error = await assertCode(store.readId(), 'STORE_ACCESS_DENIED');
    assert.doesNotMatch(JSON.stringify([error.message, error.facts]), /testing/);
  });

  it('refuses parts that are too small with the code of the store', async () => {
    const strict = await startFaultyS3({ buckets: ['fleet'] });
    try {
      await using other = await openStore(`s3://fleet?endpoint=${strict.endpoint}`, {}, storePorts);
      const upload = await other.createUpload(KEY);
      const receipts = [await other.uploadPart(upload, 1, data), await other.uploadPart(upload, 2, data)];
      await assertCode(other.completeUpload(upload, receipts), 'STORE_REJECTED');
    } finally {
      await strict.stop();
    }
  });

  it('does without checksums only after the store refused them, and only in mode auto', async () => {
    const refusing = await startFaultyS3({ buckets: ['fleet'], checksums: 'refused' });
    try {
      const uri = `s3://fleet?endpoint=${refusing.endpoint}`;
      await using strict = await openStore(uri, { checksum: 'crc32' }, storePorts);
      await assertCode(strict.put(KEY, data), 'STORE_REJECTED');
      await using auto = await openStore(uri, {}, storePorts);
      assert.equal(auto.supports.fullObjectChecksum, true);
      await auto.put(KEY, data);
      assert.equal(auto.supports.fullObjectChecksum, false);
      const before = refusing.requests.length;
      await auto.put(KEY, data);
      assert.equal(refusing.requests.length - before, 1);
      assert.equal(await auto.verify(KEY, digest), 'read-back');
    } finally {
      await refusing.stop();
    }
  });

  it('looks before it writes if conditions are refused, and reports that this is not atomic', async () => {
    const refusing = await startFaultyS3({ buckets: ['fleet'], conditionalPut: 'refused' });
    try {
      await using other = await openStore(`s3://fleet?endpoint=${refusing.endpoint}`, {}, storePorts);
      assert.equal(other.supports.conditionalPut, true);
      await other.put(KEY, data, { ifAbsent: true });
      assert.equal(other.supports.conditionalPut, false);
      assert.equal(other.supports.conditionalComplete, true);
      await assertCode(other.put(KEY, data, { ifAbsent: true }), 'OBJECT_EXISTS');
    } finally {
      await refusing.stop();
    }
  });

  it('sends no condition if the option disables it for the store', async () => {
    await using other = await open({ conditional: 'false' });
    assert.equal(other.supports.conditionalPut, false);
    await other.put(KEY, data, { ifAbsent: true });
    await assertCode(other.put(KEY, data, { ifAbsent: true }), 'OBJECT_EXISTS');
  });
});
