import { ListMultipartUploadsCommand, ListPartsCommand, S3Client } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { dataFolder } from '../../../src/core/data-folder.js';
import { decodeManifest, manifestKey } from '../../../src/core/manifest.js';
import { present } from '../../../src/core/present.js';
import type { Store } from '../../../src/core/store.js';
import { openStore } from '../../../src/stores/open-store.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually } from '../../../src/testing/waiting.js';
import { useAwsCredentials } from '../../support/aws-environment.js';
import { jsonOf, runCli, spawnCli, type CliRun } from '../../support/cli.js';
import { startCeph } from '../../support/ceph.js';
import { startMinio } from '../../support/minio.js';
import { startFaultyS3 } from '../../support/s3-fault-server/server.js';
import type { S3Server } from '../../support/s3-server.js';
import { storePorts } from '../../support/store-ports.js';
import { startSwift, type Swift } from '../../support/swift.js';

const MIB = 1024 * 1024;

async function ok(...args: string[]): Promise<CliRun> {
  const run = await runCli(args);
  assert.equal(run.exitCode, 0, `${args.join(' ')}\n${run.stdout}\n${run.stderr}`);
  return run;
}

const messagesOf = (run: CliRun): string[] => run.stdout.split('\n').filter((line) => line.startsWith('{'));

/** A second after the last message: at `rate=max` the simulator may stamp messages ahead of the clock. */
function afterAll(messages: readonly string[]): string {
  const times = messages.map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
  return new Date(Math.max(...times) + 1000).toISOString();
}

async function bytesOf(store: Store, key: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.read(key)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Whether a part of a segment is there. MinIO lists unfinished uploads of one key only. */
async function hasParts(server: S3Server, Bucket: string, data: string): Promise<boolean> {
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
  try {
    for (const name of await readdir(dataFolder(data).sealed)) {
      if (!name.endsWith('.json')) continue;
      const text = await readFile(join(dataFolder(data).sealed, name), 'utf8');
      const Key = `fleet/${decodeManifest(text, name).key}`;
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }));
      for (const { UploadId } of Uploads) {
        const listed = client.send(new ListPartsCommand({ Bucket, Key, UploadId }));
        if ((await listed.catch(() => undefined))?.Parts?.length) return true;
      }
    }
    return false;
  } finally {
    client.destroy();
  }
}

describe('encrypted segments in an S3 store', function () {
  this.timeout(600_000);
  let folder: string;
  let data: string;
  let key: string;
  let source: string[];
  const at = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-encrypted-s3-'));
    [data, key] = [at('rec'), at('fleet.key')];
    const { recipient } = jsonOf(await ok('keygen', '--out', key, '--json'));
    const sim = ['--source', 'sim:?robots=1&duration=15s&rate=max', '--compression', 'none'];
    await ok('record', ...sim, '--data', data, '--encrypt-for', String(recipient));
    source = messagesOf(await ok('cat', data, '--topic', '*/odom', '--identity', key));
    assert.ok(source.length > 10);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Kills sync after the first part, lets it continue, and reads everything back. */
  async function through(server: S3Server): Promise<void> {
    const bucket = `encrypted-${randomBytes(6).toString('hex')}`;
    await server.createBucket(bucket);
    const restore = useAwsCredentials(server);
    const uri = `s3://${bucket}/fleet?endpoint=${encodeURIComponent(server.endpoint)}`;
    const store = await openStore(uri, {}, storePorts);
    try {
      const sync = ['sync', '--data', data, '--store', uri, '--part-bytes', '5MiB'];
      const { child, ended } = spawnCli([...sync, '--bandwidth', '2MB/s', '--drain']);
      const begun = async (): Promise<boolean> => {
        return (await hasParts(server, bucket, data)) || child.exitCode !== null;
      };
      await eventually(begun, 'the first part', 120_000, 100);
      assert.equal(child.exitCode, null, 'it was to be killed in the middle, but had already ended');
      child.kill('SIGKILL');
      await ended;
      const { resumedUploads } = jsonOf(await ok(...sync, '--drain', '--json'));
      assert.equal(resumedUploads, 1);
      const keys: string[] = [];
      for await (const object of store.list('')) keys.push(object.key);
      const [object] = keys.filter((one) => one.endsWith('.mcap.enc'));
      assert.ok(object);
      await ok('verify', uri);
      const inside = jsonOf(await ok('verify', uri, '--identity', key, '--json'));
      assert.equal((inside['totals'] as { unopened: number }).unopened, 0);
      const odom = await ok('cat', uri, '--topic', '*/odom', '--identity', key);
      assert.deepEqual(messagesOf(odom), source);
      await decrypted(store, object);
      await fetched(uri, sync);
    } finally {
      await store[Symbol.asyncDispose]();
      restore();
      await rm(join(data, 'sync'), { recursive: true, force: true });
      await rm(join(data, 'receipts'), { recursive: true, force: true });
    }
  }

  /** A copy of the object and its manifest gives a plain file. */
  async function decrypted(store: Store, object: string): Promise<void> {
    const copies = await mkdtemp(at('copies-'));
    const manifest = await bytesOf(store, manifestKey(object));
    const bytes = await bytesOf(store, object);
    assert.equal(bytes.length, decodeManifest(manifest.toString('utf8'), object).file.bytes);
    assert.ok(bytes.length > 10 * MIB, `${bytes.length} bytes in several parts`);
    await writeFile(join(copies, basename(object)), bytes);
    await writeFile(join(copies, basename(manifestKey(object))), manifest);
    const plain = join(copies, 'plain');
    await ok('decrypt', join(copies, basename(object)), '--identity', key, '--out', plain);
    await ok('verify', join(plain, present((await readdir(plain))[0])));
  }

  /** `fetch --out` reads what the robot has uploaded with an identity, and says which one is missing. */
  async function fetched(uri: string, sync: readonly string[]): Promise<void> {
    const { child, ended } = spawnCli([...sync, '--request-poll-ms', '200ms']);
    try {
      const wanted = ['fetch', 'robot1', '--from', '1970-01-01', '--to', afterAll(source)];
      const odom = [...wanted, '--to-store', uri, '--topics', '*/odom'];
      const out = await mkdtemp(at('out-'));
      await ok(...odom, '--out', join(out, 'with'), '--identity', key);
      assert.equal(messagesOf(await ok('cat', join(out, 'with', 'export.mcap'))).length, source.length);
      const without = await runCli([...odom, '--out', join(out, 'without')]);
      assert.notEqual(without.exitCode, 0);
      assert.match(without.stderr, /is encrypted for hfpub1_/);
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
  }

  it('are resumed after a kill, verified, decrypted and fetched', async () => {
    const server = await startFaultyS3({});
    const { endpoint, accessKeyId, secretAccessKey } = server;
    const createBucket = (name: string): Promise<void> => {
      server.createBucket(name);
      return Promise.resolve();
    };
    try {
      await through({ endpoint, accessKeyId, secretAccessKey, createBucket });
    } finally {
      await server.stop();
    }
  });

  for (const [name, start] of [
    ['MinIO', startMinio],
    ['Ceph RGW', startCeph],
  ] as const) {
    it(`are resumed after a kill, verified, decrypted and fetched on ${name}`, async function () {
      await using server = await start(this);
      await through(server);
    });
  }

  it('are resumed after a kill, verified, decrypted and fetched on OpenStack Swift', async function () {
    let swift: Swift;
    try {
      swift = await startSwift();
    } catch (error) {
      return lacking(this, 'swift', (error as Error).message.slice(0, 300));
    }
    await through(swift);
  });
});
