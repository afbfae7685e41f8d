import { randomBytes } from 'node:crypto';
import assert from 'node:assert/strict';
import { manifestKey } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import type { Store, Verification } from '../../src/core/store.js';
import { openStore } from '../../src/stores/open-store.js';
import {
  all,
  assertCode,
  collect,
  digestOf,
  storeContract,
  type ContractOptions,
} from '../../src/testing/store-contract.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import { perhaps } from '../support/perhaps.js';
import type { OwnS3Server } from '../support/s3-server.js';
import { storePorts } from '../support/store-ports.js';
import { KIB, sha256, SyncWorld } from '../sync/sync-world.js';

/** The minimum of S3, which both servers enforce. */
const PART_BYTES = 5 * 1024 * KIB;

export interface S3ServerUnderTest {
  /** As titles name it: `MinIO`. */
  readonly name: string;
  /** Skips the suite if this machine lacks it. */
  readonly start: (context: Mocha.Context) => Promise<OwnS3Server>;
  /** Options of the store with which the server refuses a put. */
  readonly refused: readonly Record<string, string>[];
  /** Options with which the store keeps the contract. Default: none. */
  readonly options?: Record<string, string>;
  /** How it proves an object of parts in mode `crc32`. */
  readonly verifies: Verification;
  readonly contract: Pick<ContractOptions, 'listsUploads' | 'remembersCompleted'>;
}

/** What holds on every S3 server that is a store of S3: the contract, sync, checksums, and refusals. */
export function s3ServerSuite({
  name,
  start,
  refused,
  options,
  verifies,
  contract,
}: S3ServerUnderTest): void {
  describe(`an S3 store on ${name}`, function () {
    this.timeout(180_000);
    let server: OwnS3Server;
    let restore = (): void => undefined;

    before(async function () {
      server = await start(this);
      restore = useAwsCredentials(server);
    });
    after(async () => {
      restore();
      await perhaps(server)?.[Symbol.asyncDispose]();
    });

    const open = (bucket: string, options: Record<string, string> = {}): Promise<Store> =>
      openStore(`s3://${bucket}/fleet?endpoint=${server.endpoint}`, options, storePorts);

    it('knows a missing bucket and wrong credentials apart', async () => {
      await using nowhere = await open('nowhere');
      await assertCode(nowhere.readId(), 'STORE_NOT_FOUND');
      await assertCode(nowhere.createUpload('k'), 'STORE_NOT_FOUND');
      const undo = useAwsCredentials({ ...server, secretAccessKey: 'wrong-password' });
      try {
        await using denied = await open('nowhere');
        await assertCode(denied.readId(), 'STORE_ACCESS_DENIED');
      } finally {
        undo();
      }
    });

    it(`takes tags and the class STANDARD, and says which request ${name} refuses`, async () => {
      await server.createBucket('classes');
      await using tagged = await open('classes', { tags: 'a=1', storage_class: 'STANDARD' });
      await tagged.put('k', bytesOf(10));
      assert.equal((await collect(tagged.read('k'))).length, 10);
      for (const one of refused) {
        await using store = await open('classes', one);
        const error = await assertCode(store.put('k2', bytesOf(10)), 'STORE_REJECTED');
        assert.match(error.message, /^PutObject in s3:\/\/classes.* failed \((400|501) /);
      }
    });

    for (const checksum of ['auto', 'crc32', 'when-required']) {
      it(`gets every segment of sync whole with checksum=${checksum}`, async () => {
        await using world = await SyncWorld.create();
        const bucket = `sync-${checksum}`;
        await server.createBucket(bucket);
        await using store = await open(bucket, { checksum });
        const sealed = [await world.seal(100 * KIB), await world.seal(2 * PART_BYTES + 1)];
        await world.drain(store, { options: { partBytes: PART_BYTES } }, AbortSignal.timeout(60_000));
        for (const { manifest } of sealed) {
          assert.equal(sha256(Buffer.from(await collect(store.read(manifest.key)))), manifest.file.sha256);
          assert.ok((await collect(store.read(manifestKey(manifest.key)))).length > 0);
        }
        assert.deepEqual(await all(store.listUploads()), []);
      });
    }

    it(`verifies an object of parts by ${verifies}, and calls one with other content corrupt`, async () => {
      await server.createBucket('sums');
      await using store = await open('sums', { checksum: 'crc32' });
      const bytes = bytesOf(PART_BYTES + 1000);
      const upload = await store.createUpload('k');
      const parts = [
        await store.uploadPart(upload, 1, bytes.subarray(0, PART_BYTES)),
        await store.uploadPart(upload, 2, bytes.subarray(PART_BYTES)),
      ];
      await store.completeUpload(upload, parts);
      assert.equal(await store.verify('k', digestOf(bytes)), verifies);
      await assertCode(store.verify('k', digestOf(bytesOf(PART_BYTES + 1000, 9))), 'OBJECT_CORRUPT');
    });

    storeContract(
      `S3 on ${name}`,
      { partBytes: PART_BYTES, manyParts: 3, sendsWhole: true, ...contract },
      async () => {
        const bucket = `b-${randomBytes(6).toString('hex')}`;
        await server.createBucket(bucket);
        const opened = [await open(bucket, options)];
        return {
          store: present(opened[0]),
          reopen: async () => {
            const store = await open(bucket, options);
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
}
