import assert from 'node:assert/strict';
import { encodeManifest, manifestKey } from '../../src/core/manifest.js';
import type { Store } from '../../src/core/store.js';
import { openStore } from '../../src/stores/open-store.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import type { FaultRule } from '../support/s3-fault-server/fault-script.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';
import { evictAll, presentOf } from './last-copy-world.js';
import { sha256, SyncWorld, type Sealed } from './sync-world.js';

const key = /\.(mcap|json)$/;
/** What an S3 store may say or do that is not so, or is no longer so. */
const lies: readonly (readonly [string, readonly FaultRule[]])[] = [
  ['an old head', [{ operation: 'HeadObject', key, fault: 'old-head', times: Infinity, probability: 0.5 }]],
  ['an old list', [{ operation: 'ListObjectsV2', fault: 'old-list', times: Infinity }]],
  ['a lost object', [{ operation: 'HeadObject', key, fault: 'object-lost', times: 3 }]],
  ['another object under the key', [{ operation: 'HeadObject', key, fault: 'other-object', times: 3 }]],
];

describe('the last copy and an S3 store that lies', function () {
  this.timeout(120_000);
  let world: SyncWorld;
  let server: FaultyS3;
  let store: Store;
  let restore: () => void;
  beforeEach(async () => {
    world = await SyncWorld.create();
    server = await startFaultyS3({ buckets: ['fleet'], minPartBytes: 1 });
    restore = useAwsCredentials(server);
    const uri = `s3://fleet/robots?endpoint=${encodeURIComponent(server.endpoint)}&timeout_ms=2000`;
    store = await openStore(uri, {}, storePorts);
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await server.stop();
    restore();
    await world[Symbol.asyncDispose]();
  });

  const read = async (at: string): Promise<Buffer> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of store.read(at)) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const holds = async ({ manifest, data }: Sealed): Promise<boolean> => {
    const keys: string[] = [];
    for await (const { key: one } of store.list('')) keys.push(one);
    for (let suffix = 0; suffix < 4; suffix++) {
      const at = suffix === 0 ? manifest.key : manifest.key.replace('.mcap', `~${suffix}.mcap`);
      if (!keys.includes(at) || !keys.includes(manifestKey(at))) continue;
      const text = encodeManifest({ ...manifest, key: at });
      if (sha256(await read(at)) === sha256(data) && String(await read(manifestKey(at))) === text)
        return true;
    }
    return false;
  };

  for (const [lie, rules] of lies) {
    it(`stays, or is in the store: ${lie}`, async () => {
      for (let i = 0; i < 4; i++) await world.seal(1000 + i);
      assert.equal((await world.drain(store)).complete, true);
      server.faults.add(...rules);
      const gone = await evictAll(world, { store });
      server.faults.clear();
      for (const sealed of gone)
        assert.ok(await holds(sealed), `${sealed.name} went, and is not in the store`);
      const left = await presentOf(world);
      assert.equal(gone.length + left.length, world.sealed.length);
      // When the store tells the truth again, everything that is left gets there.
      await evictAll(world, { store });
      for (const sealed of left) assert.ok(await holds(sealed), `${sealed.name} never came back`);
    });
  }
});
