import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeManifest, encodeManifest, manifestKey } from '../../src/core/manifest.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { present } from '../../src/core/present.js';
import { decryptAll } from '../../src/encryption/decrypted-readable.js';
import { openDataKey } from '../../src/encryption/keyring.js';
import { newIdentity, recipientName, recipientOf } from '../../src/encryption/wrapped-key.js';
import type { SyncSummary } from '../../src/sync/sync-status.js';
import { awsEnvironment } from '../support/aws-environment.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { KIB, sha256, SyncWorld } from './sync-world.js';
import { eventually } from '../../src/testing/waiting.js';

const script = fileURLToPath(new URL(`./sync-child${extname(import.meta.url)}`, import.meta.url));
const MIB = 1024 * KIB;

function startSync(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
}

async function finish(child: ChildProcess): Promise<SyncSummary> {
  let output = '';
  child.stdout?.on('data', (text: Buffer) => (output += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0, output);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as SyncSummary;
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

/** Polls until it is so; the child must not have ended by itself. */
async function until(child: ChildProcess, isSo: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(async () => child.exitCode !== null || (await isSo()), 'the moment to kill', 25_000, 1);
  assert.equal(child.exitCode, null, 'it was to be killed in the middle, but had already ended');
}

describe('sync killed with SIGKILL', function () {
  this.timeout(60_000);
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('in mid-upload of an encrypted segment: the rest has the same key, and the object opens', async () => {
    const target = await fs.mkdtemp(join(tmpdir(), 'holdfast-store-'));
    try {
      const sealed = await world.seal(512 * KIB);
      const identity = newIdentity();
      const recipient = recipientName(recipientOf(identity));
      const slow = JSON.stringify({ bandwidthBytesPerS: 256 * KIB });
      const child = startSync([world.folder.root, `dir:${target}`, slow, recipient]);
      await until(child, async () => (await totalBytes(target)) > 100 * KIB);
      await kill(child);
      const summary = await finish(startSync([world.folder.root, `dir:${target}`, '{}', recipient]));
      assert.equal(summary.resumedUploads, 1);
      assert.ok(summary.resentBytes <= 4 * KIB, `${summary.resentBytes} bytes were sent again`);
      const text = await fs.readFile(join(target, manifestKey(sealed.manifest.key)), 'utf8');
      const { key, encryption } = decodeManifest(text, sealed.name);
      const dataKey = openDataKey({ identities: [identity] }, present(encryption), key);
      const file = bytesReadable(await fs.readFile(join(target, key)));
      const pieces: Buffer[] = [];
      for await (const piece of decryptAll(file, dataKey, key)) pieces.push(piece);
      assert.ok(Buffer.concat(pieces).equals(sealed.data));
    } finally {
      await fs.rm(target, { recursive: true, force: true });
    }
  });

  it('in mid-upload to a folder, twice: the rest is sent, the object is there once', async () => {
    const target = await fs.mkdtemp(join(tmpdir(), 'holdfast-store-'));
    try {
      const sealed = await world.seal(512 * KIB);
      const args = [world.folder.root, `dir:${target}`, JSON.stringify({ bandwidthBytesPerS: 256 * KIB })];
      const sent = async (): Promise<number> => totalBytes(target);
      for (const bytes of [64 * KIB, 200 * KIB]) {
        const child = startSync(args);
        await until(child, async () => (await sent()) > bytes);
        await kill(child);
      }
      const summary = await finish(startSync([world.folder.root, `dir:${target}`]));
      assert.equal(summary.resumedUploads, 1);
      assert.ok(summary.resentBytes <= 4 * KIB, `${summary.resentBytes} bytes were sent again`);
      assert.ok(summary.sentBytes <= 512 * KIB - 200 * KIB + 8 * KIB, 'only the rest was sent');
      assert.equal(sha256(await fs.readFile(join(target, sealed.manifest.key))), sealed.manifest.file.sha256);
      assert.equal(
        await fs.readFile(join(target, manifestKey(sealed.manifest.key)), 'utf8'),
        encodeManifest(sealed.manifest),
      );
      const receipt = (await world.receipt(sealed)).stores;
      assert.equal(receipt.length, 1);
    } finally {
      await fs.rm(target, { recursive: true, force: true });
    }
  });

  it('in mid-upload to S3: the server receives at most one part of the upload a second time', async () => {
    const server: FaultyS3 = await startFaultyS3({ buckets: ['fleet'], bandwidthBytesPerS: 40 * MIB });
    try {
      const sealed = await world.seal(26 * MIB);
      const uri = `s3://fleet/robots?endpoint=${encodeURIComponent(server.endpoint)}`;
      const env = awsEnvironment(server);
      const args = [world.folder.root, uri, JSON.stringify({ partBytes: 5 * MIB })];
      const child = startSync(args, env);
      await until(child, () => server.partsReceived().length >= 3);
      await kill(child);
      server.bandwidthBytesPerS = undefined;
      const summary = await finish(startSync(args, env));
      assert.equal(summary.complete, true);
      assert.equal(summary.resumedUploads, 1);
      const parts = server.partsReceived();
      assert.equal(parts.length, 6);
      assert.ok(parts.filter(({ times }) => times > 1).length <= 1, JSON.stringify(parts));
      const again = parts.reduce((sum, { bytes }) => sum + bytes, 0) - 26 * MIB;
      assert.ok(again <= 5 * MIB, `${again} bytes were received again`);
      assert.equal(server.count('CreateMultipartUpload'), 1);
      assert.equal((await world.receipt(sealed)).stores[0]?.verification, 'store-checksum');
    } finally {
      await server.stop();
    }
  });
});

async function totalBytes(folder: string): Promise<number> {
  let total = 0;
  // Folders come and go under a process at work.
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const { size } = await fs.stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }));
    total += size;
  }
  return total;
}
