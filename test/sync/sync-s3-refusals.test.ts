import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../../src/core/store.js';
import { openStore } from '../../src/stores/open-store.js';
import type { SyncOptions } from '../../src/sync/sync-options.js';
import type { SyncSummary } from '../../src/sync/sync-status.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import { eventually } from '../../src/testing/waiting.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';
import { openGroup, sinkOf } from './group-world.js';
import { KIB, SyncWorld } from './sync-world.js';

const MIB = 1024 * KIB;
/** Two parts. */
const SEGMENT_BYTES = 6 * MIB;

type Checksums = NonNullable<Parameters<typeof startFaultyS3>[0]>['checksums'];

describe('sync to an S3 server that refuses for good', function () {
  this.timeout(60_000);
  let world: SyncWorld;
  let server: FaultyS3;
  let store: Store;
  let restore: () => void;

  const uri = (): string => `s3://fleet?endpoint=${encodeURIComponent(server.endpoint)}`;

  async function begin(
    checksums: Checksums,
    options: Record<string, string> = {},
    serverName = '',
  ): Promise<void> {
    world = await SyncWorld.create();
    const behaviour = { minPartBytes: 1, serverName, ...(checksums && { checksums }) };
    server = await startFaultyS3({ buckets: ['fleet'], ...behaviour });
    restore = useAwsCredentials(server);
    store = await openStore(uri(), options, storePorts);
  }
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await server.stop();
    restore();
    await world[Symbol.asyncDispose]();
  });

  const drain = (options: Partial<SyncOptions> = {}): Promise<SyncSummary> =>
    world.drain(
      store,
      { options: { partBytes: 5 * MIB, backoffFirstMs: 10, backoffMaxMs: 20, ...options } },
      AbortSignal.timeout(45_000),
    );

  for (const checksums of ['refused-at-completion', 'mismatch-500'] as const) {
    it(`does without checksums after ${checksums}, and remembers it, in mode auto`, async () => {
      await begin(checksums);
      await world.seal(SEGMENT_BYTES);
      assert.equal((await drain()).segments.verified, 1);
      const parts = server.count('UploadPart');
      assert.ok(parts <= 6, `${parts} parts were sent for a segment of two`);
      await world.seal(SEGMENT_BYTES);
      assert.equal((await drain()).segments.verified, 2);
      assert.equal(server.count('UploadPart') - parts, 2, 'the next segment is sent once');
      assert.equal(store.supports.fullObjectChecksum, false);
    });

    it(`parks a segment after a few rounds of ${checksums} in mode crc32, and names the option`, async () => {
      await begin(checksums, { checksum: 'crc32' });
      await world.seal(SEGMENT_BYTES);
      const summary = await drain({ refusedRounds: 2 });
      assert.deepEqual(summary.segments, { verified: 0, parked: 1, pending: 0 });
      assert.match(summary.alarms[0]?.message ?? '', /refused it in 2 rounds: .*--s3-checksum when-required/);
      // Five attempts at a part, five of these in a round, each after a longer wait of the link.
      assert.ok(server.count('UploadPart') <= 2 * 5 * 5, `${server.count('UploadPart')} parts were sent`);
      const uploads: string[] = [];
      for await (const { key } of store.listUploads()) uploads.push(key);
      assert.deepEqual(uploads, [], 'no unfinished upload is left behind');
    });
  }

  it('remembers in the next process that the store refuses checksums, until the server changes or an option overrides it', async () => {
    await begin('mismatch-500', {}, 'MinIO/1');
    /** Sends a segment as a process of its own would; gives the uploads begun with and without checksums. */
    const process = async (more: Record<string, string> = {}): Promise<readonly [number, number]> => {
      await store[Symbol.asyncDispose]();
      store = await openStore(uri(), more, storePorts);
      await world.seal(SEGMENT_BYTES);
      const before = server.requests.length;
      assert.equal((await drain()).segments.verified, world.sealed.length);
      const sent = server.requests.slice(before);
      const begun = sent.filter(({ operation }) => operation === 'CreateMultipartUpload');
      const carrying = begun.filter(({ withChecksum }) => withChecksum).length;
      return [carrying, begun.length - carrying];
    };
    const [tried] = await process();
    assert.ok(tried > 0, 'the first process finds it out');
    const file = join(world.folder.root, 'store-findings.json');
    const found = JSON.parse(await readFile(file, 'utf8')) as {
      stores: { server: string; checksums: string }[];
    };
    assert.deepEqual([found.stores[0]?.checksums, found.stores[0]?.server], ['refused', 'MinIO/1']);
    assert.deepEqual(await process(), [0, 1], 'the next one knows');
    const group = await openGroup(world, [sinkOf(store)]);
    await group.drain(AbortSignal.timeout(20_000));
    assert.equal(group.status().storeRefuses?.what, 'checksums');
    await group.close();
    for (const broken of ['{"version":1,"stores":[{"storeId":7}]}']) {
      await writeFile(file, broken);
      assert.ok((await process())[0] > 0, 'without the file it is found out again');
      assert.deepEqual(await process(), [0, 1]);
    }
    server.behave({ checksums: 'full-object' });
    assert.deepEqual(await process(), [0, 1], 'of a server of the same name nothing is asked');
    server.serverName = 'MinIO/2';
    assert.deepEqual(await process(), [1, 0], 'another version is asked again');
    assert.deepEqual(await process(), [1, 0], 'and what it takes is remembered');
    const now = JSON.parse(await readFile(file, 'utf8')) as { stores: unknown[] };
    assert.deepEqual(now.stores, []);
  });

  it('keeps checksums when one completion of many is refused', async () => {
    await begin('full-object');
    await world.seal(SEGMENT_BYTES);
    server.faults.add({ operation: 'UploadPart', fault: 'error-500' });
    assert.equal((await drain()).segments.verified, 1);
    assert.equal(store.supports.fullObjectChecksum, true);
  });

  for (const [what, bytes, operation] of [
    ['completion', SEGMENT_BYTES, 'CompleteMultipartUpload'],
    ['put', 10 * KIB, 'PutObject'],
  ] as const) {
    it(`takes 412 to a ${what} for a refusal if there is no object`, async () => {
      await begin(undefined);
      await world.seal(bytes);
      server.faults.add({ operation, key: /\.mcap$/, fault: 'precondition-failed', times: Infinity });
      const summary = await drain({ refusedRounds: 2 });
      assert.deepEqual(summary.segments, { verified: 0, parked: 1, pending: 0 });
      assert.match(summary.alarms[0]?.message ?? '', /and it does not; .*--s3-conditional false/);
      // Four times in a round, and once each for the id of the store and the mark of this process in it.
      assert.ok(server.count(operation) <= 10, `${server.count(operation)} times`);
      assert.ok(server.count('UploadPart') <= 2, 'the parts are there and are not sent again');
    });
  }

  for (const [what, fault, bytes, told] of [
    ['a refused completion', 'refused-at-completion', SEGMENT_BYTES, /400 InvalidPart.*--s3-checksum/],
    ['an answer of 500 to every part', 'mismatch-500', SEGMENT_BYTES, /500 InternalError.*--s3-checksum/],
    ['an answer of 412 where there is no object', undefined, 10 * KIB, /--s3-conditional false/],
  ] as const) {
    it(`says in the status that it tries a segment again after ${what}`, async () => {
      await begin(fault, fault === undefined ? {} : { checksum: 'crc32' });
      await world.seal(bytes);
      if (fault === undefined) {
        const refusal = { operation: 'PutObject', key: /\.mcap$/, fault: 'precondition-failed' } as const;
        server.faults.add({ ...refusal, times: Infinity });
      }
      await using group = await openGroup(world, [sinkOf(store)], {
        // No round is the last one.
        options: { partBytes: 5 * MIB, backoffFirstMs: 10, backoffMaxMs: 20, refusedRounds: 1_000 },
      });
      const stop = new AbortController();
      const running = group.run(stop.signal);
      // Between two attempts the link is online: the store answers everything else.
      await eventually(() => {
        const { link, segments } = group.status();
        return link === 'online' && segments.retrying === 1;
      }, 'a failed attempt');
      const status = group.status();
      stop.abort();
      await running;
      assert.match(status.lastError ?? '', told);
      assert.deepEqual(status.segments, {
        pending: 1,
        verified: 0,
        parked: 0,
        lost: 0,
        retrying: 1,
        held: 0,
      });
    });
  }
});
