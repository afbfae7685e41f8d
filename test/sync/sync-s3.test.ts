import assert from 'node:assert/strict';
import { manifestKey } from '../../src/core/manifest.js';
import type { Store } from '../../src/core/store.js';
import { openStore } from '../../src/stores/open-store.js';
import type { SyncOptions } from '../../src/sync/sync-options.js';
import type { SyncSummary } from '../../src/sync/sync-status.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import type { FaultRule } from '../support/s3-fault-server/fault-script.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';
import { KIB, sha256, SyncWorld, type Sealed } from './sync-world.js';
import { eventually } from '../../src/testing/waiting.js';

const MIB = 1024 * KIB;

describe('sync to an S3 server that misbehaves', function () {
  this.timeout(30_000);
  let world: SyncWorld;
  let server: FaultyS3;
  let store: Store;
  let restore: () => void;
  beforeEach(async () => {
    world = await SyncWorld.create();
    server = await startFaultyS3({ buckets: ['fleet'], minPartBytes: 1 });
    restore = useAwsCredentials(server);
    store = await openStore(
      `s3://fleet/robots?endpoint=${encodeURIComponent(server.endpoint)}&timeout_ms=300`,
      {},
      storePorts,
    );
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await server.stop();
    restore();
    await world[Symbol.asyncDispose]();
  });

  const drain = (options: Partial<SyncOptions> = {}): Promise<SyncSummary> =>
    world.drain(store, { options: { partBytes: 5 * MIB, ...options } }, AbortSignal.timeout(25_000));

  async function read(key: string): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of store.read(key)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async function assertStored(sealed: Sealed): Promise<void> {
    assert.equal(sha256(await read(sealed.manifest.key)), sealed.manifest.file.sha256);
    const manifest = JSON.parse(
      String(await read(manifestKey(sealed.manifest.key))),
    ) as typeof sealed.manifest;
    assert.equal(manifest.file.sha256, sealed.manifest.file.sha256);
    const uploads: string[] = [];
    for await (const { key } of store.listUploads()) uploads.push(key);
    assert.deepEqual(uploads, [], 'no unfinished upload is left behind');
  }

  const scripts: readonly (readonly [string, readonly FaultRule[]])[] = [
    ['500 to two parts', [{ operation: 'UploadPart', fault: 'error-500', times: 2 }]],
    ['503 SlowDown at the start', [{ fault: 'slow-down', times: 4 }]],
    ['a reset in mid-part', [{ operation: 'UploadPart', fault: 'reset-mid-body', nth: 2 }]],
    ['a part whose answer is lost', [{ operation: 'UploadPart', fault: 'reset-after-commit', nth: 2 }]],
    [
      'a completion that times out after the commit',
      [{ operation: 'CompleteMultipartUpload', fault: 'timeout-after-commit' }],
    ],
    [
      'a completion that fails inside a 200',
      [{ operation: 'CompleteMultipartUpload', fault: 'error-in-200' }],
    ],
    ['409 at completion', [{ operation: 'CompleteMultipartUpload', fault: 'conflict' }]],
    [
      '412 at completion with nothing there',
      [{ operation: 'CompleteMultipartUpload', fault: 'precondition-failed' }],
    ],
    ['an upload that vanishes', [{ operation: 'UploadPart', fault: 'upload-vanishes', nth: 2 }]],
    ['bytes that change on their way', [{ operation: 'UploadPart', fault: 'corrupt-bytes' }]],
    ['a captive portal', [{ fault: 'captive-portal', times: 3 }]],
    [
      'a manifest whose answer is lost',
      [{ operation: 'PutObject', key: /\.json$/, fault: 'reset-after-commit' }],
    ],
    ['403 for a while', [{ operation: 'UploadPart', fault: 'forbidden', times: 2 }]],
  ];
  for (const [title, rules] of scripts) {
    it(`comes through ${title}`, async () => {
      const sealed = await world.seal(5 * MIB + KIB);
      server.faults.add(...rules);
      const summary = await drain();
      assert.equal(summary.complete, true, summary.lastError);
      assert.equal(summary.segments.verified, 1, JSON.stringify(summary.alarms));
      await assertStored(sealed);
    });
  }

  for (const fault of ['part-missing', 'part-wrong-size', 'part-wrong-etag'] as const) {
    it(`trusts no part list: ${fault}`, async () => {
      const sealed = await world.seal(5 * MIB + KIB);
      const stop = new AbortController();
      server.faults.add({ operation: 'UploadPart', fault: 'timeout-before-commit', nth: 2 });
      const engine = await world.open(store, { options: { partBytes: 5 * MIB } });
      const draining = engine.drain(stop.signal);
      await eventually(() => server.count('UploadPart') >= 2);
      stop.abort();
      await draining;
      await engine.close();
      server.faults.clear();
      server.faults.add({ operation: 'ListParts', fault, partNumber: 1 });
      const summary = await drain();
      assert.equal(summary.segments.verified, 1, JSON.stringify(summary.alarms));
      await assertStored(sealed);
    });
  }

  it('sends small segments each in one request', async () => {
    const all = [await world.seal(10), await world.seal(100 * KIB), await world.seal(1 * MIB)];
    await drain();
    for (const sealed of all) await assertStored(sealed);
    assert.equal(server.count('CreateMultipartUpload'), 0);
  });

  it('waits for a bucket that does not exist, reports that, and continues when it does', async () => {
    const missing = await openStore(
      `s3://missing/x?endpoint=${encodeURIComponent(server.endpoint)}`,
      {},
      storePorts,
    );
    await world.seal(10);
    const engine = await world.open(missing);
    const draining = engine.drain(AbortSignal.timeout(10_000));
    await eventually(() => engine.status().link === 'offline');
    assert.equal(engine.status().alarms[0]?.code, 'STORE_NOT_FOUND');
    server.createBucket('missing');
    assert.equal((await draining).segments.verified, 1);
    await engine.close();
    await missing[Symbol.asyncDispose]();
  });
});
