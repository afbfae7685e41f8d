import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../src/core/clock.js';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import { silentLogger } from '../../src/core/logger.js';
import {
  encodeManifest,
  encryptedKey,
  localFileName,
  manifestKey,
  type Manifest,
} from '../../src/core/manifest.js';
import type { Priority } from '../../src/core/message.js';
import type { SegmentReceipts } from '../../src/core/receipt-file.js';
import { factsOf, newContentKey } from '../../src/encryption/encrypted-content.js';
import type { Recipient } from '../../src/encryption/wrapped-key.js';
import { newSegmentId } from '../../src/core/segment-id.js';
import type { Store } from '../../src/core/store.js';
import { systemClock } from '../../src/host/system-clock.js';
import type { SyncOptions } from '../../src/sync/sync-options.js';
import { SyncEngine, type SyncPorts } from '../../src/sync/sync-engine.js';
import { eventually } from '../../src/testing/waiting.js';
import { streamed } from '../encryption/made-content.js';
import type { MemoryStoreContent } from '../support/memory-store.js';

/** Real time; sync's waits are set to milliseconds in tests. */
export const realClock: Clock = systemClock;

/** Real time with a wall clock that a test sets. */
export class SetClock implements Clock {
  /** @param wall - Nanoseconds since the Unix epoch. */
  constructor(public wall: bigint) {}

  now = (): bigint => this.wall;
  monotonic = realClock.monotonic.bind(realClock);
  sleep = realClock.sleep.bind(realClock);
  after = realClock.after.bind(realClock);
  every = realClock.every.bind(realClock);
  soon = realClock.soon.bind(realClock);
}

export const KIB = 1024;

/** Small parts and short waits. */
export const quick: Partial<SyncOptions> = {
  partBytes: 4 * KIB,
  pollIntervalMs: 5,
  housekeepingIntervalMs: 5,
  backoffFirstMs: 1,
  backoffMaxMs: 4,
};

export interface Sealed {
  readonly name: string;
  readonly manifest: Manifest;
  readonly data: Buffer;
}

/** A data folder in a temporary place, and sealed segments in it. */
export class SyncWorld implements AsyncDisposable {
  readonly folder: DataFolder;
  readonly sealed: Sealed[] = [];
  #number = 0;

  private constructor(root: string) {
    this.folder = dataFolder(root);
  }

  static async create(): Promise<SyncWorld> {
    const world = new SyncWorld(await fs.mkdtemp(join(tmpdir(), 'holdfast-sync-')));
    await fs.mkdir(world.folder.sealed, { recursive: true });
    return world;
  }

  async seal(
    bytes: number,
    more: {
      robot?: string;
      priority?: Priority;
      data?: Buffer;
      manifest?: Partial<Manifest>;
      /** As a segment that was finished in its place: its own manifest has no SHA-256. */
      undigested?: boolean;
      /** As a segment that was encrypted when it was sealed: `data` is the encrypted file. */
      recipients?: readonly Recipient[];
    } = {},
  ): Promise<Sealed> {
    const plain = more.data ?? randomBytes(bytes);
    const key = more.recipients && newContentKey(randomBytes);
    const data = key ? streamed(plain, key) : plain;
    const robot = more.robot ?? 'r1';
    const number = ++this.#number;
    const id = newSegmentId(number, randomBytes);
    const name = `${id}.${robot}`;
    const described = manifestOf(id, number, robot, name, data, more.priority);
    const encryption = key && factsOf(key, plain.length, more.recipients ?? [], randomBytes, 2);
    const manifest: Manifest = {
      ...described,
      ...(encryption ? { encryption, version: 3, key: encryptedKey(described.key) } : {}),
      ...more.manifest,
    };
    const { sha256: _sum, ...unread } = manifest.file;
    const local = more.undigested === true ? { ...manifest, version: 2 as const, file: unread } : manifest;
    await fs.writeFile(join(this.folder.sealed, localFileName(manifest)), data);
    await fs.writeFile(join(this.folder.sealed, `${name}.json.tmp`), encodeManifest(local));
    await fs.rename(join(this.folder.sealed, `${name}.json.tmp`), join(this.folder.sealed, `${name}.json`));
    const sealed = { name, manifest, data };
    this.sealed.push(sealed);
    return sealed;
  }

  /** Deletes a segment as retention does, leaving a tombstone. */
  async evict(sealed: Sealed): Promise<void> {
    await fs.mkdir(this.folder.tombstones, { recursive: true });
    const evicted = { at: '5', reason: 'quota' };
    await fs.writeFile(
      join(this.folder.tombstones, `${sealed.name}.json`),
      encodeManifest({ ...sealed.manifest, evicted }),
    );
    await fs.rm(join(this.folder.sealed, `${sealed.name}.mcap`));
    await fs.rm(join(this.folder.sealed, `${sealed.name}.json`));
  }

  /** As {@link evict}, under the key of the day of its messages: sync asks the store for that day. */
  async evictOf1970(sealed: Sealed): Promise<void> {
    Object.assign(sealed.manifest, { key: sealed.manifest.key.replace('2026-11-21', '1970-01-01') });
    await this.evict(sealed);
  }

  ports(store: Store, more: Partial<SyncPorts> = {}): SyncPorts {
    return {
      dataFolder: this.folder.root,
      store,
      fs,
      clock: realClock,
      random: randomBytes,
      logger: silentLogger,
      version: '0.0.0-test',
      pid: process.pid,
      ...more,
      options: { ...quick, ...more.options },
    };
  }

  open(store: Store, more: Partial<SyncPorts> = {}): Promise<SyncEngine> {
    return SyncEngine.open(this.ports(store, more));
  }

  /** Opens, drains, closes. */
  async drain(
    store: Store,
    more: Partial<SyncPorts> = {},
    signal = AbortSignal.timeout(10_000),
  ): ReturnType<SyncEngine['drain']> {
    const engine = await this.open(store, more);
    try {
      return await engine.drain(signal);
    } finally {
      await engine.close();
    }
  }

  /** Opens, runs until the test holds, closes. */
  async runUntil(
    store: Store,
    test: (engine: SyncEngine) => boolean,
    more: Partial<SyncPorts> = {},
  ): Promise<void> {
    const engine = await this.open(store, more);
    const stop = new AbortController();
    const run = engine.run(stop.signal);
    try {
      await eventually(() => test(engine), 'what sync is run for');
    } finally {
      stop.abort();
      await run;
      await engine.close();
    }
  }

  async receipt(sealed: Sealed): Promise<SegmentReceipts> {
    const text = await fs.readFile(join(this.folder.receipts, `${sealed.name}.json`), 'utf8');
    return JSON.parse(text) as SegmentReceipts;
  }

  /** Every sealed segment is in the store once, byte for byte, with its manifest and a local receipt. */
  async assertStoredOnce(content: MemoryStoreContent, except: readonly Sealed[] = []): Promise<void> {
    const expected = new Map<string, string>();
    for (const sealed of this.sealed) {
      if (except.includes(sealed)) continue;
      expected.set(sealed.manifest.key, sha256(sealed.data));
      expected.set(manifestKey(sealed.manifest.key), sha256(Buffer.from(encodeManifest(sealed.manifest))));
      const receipt = await this.receipt(sealed);
      assert.deepEqual(
        receipt.stores.map((store) => [store.storeId, store.key, store.sha256]),
        [[content.id, sealed.manifest.key, sealed.manifest.file.sha256]],
      );
    }
    const found = new Map([...content.objects].map(([key, data]) => [key, sha256(data)]));
    assert.deepEqual([...found].sort(), [...expected].sort());
    assert.equal(content.uploads.size, 0, 'no unfinished upload is left behind');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await fs.rm(this.folder.root, { recursive: true, force: true });
  }
}

export function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function manifestOf(
  id: string,
  number: number,
  robot: string,
  name: string,
  data: Buffer,
  priority: Priority | undefined,
): Manifest {
  return {
    format: 'holdfast-manifest',
    version: 1,
    segment: { id, number, ...(priority ? { priority } : {}) },
    robot,
    file: {
      name: `${name}.mcap`,
      bytes: data.length,
      sha256: sha256(data),
      crc32: crc32(data),
      compression: 'none',
    },
    key: `robot=${robot}/date=2026-11-21/hour=08/${name}.mcap`,
    messages: 1,
    payloadBytes: data.length,
    firstLogTime: String(1_000_000_000n * BigInt(number)),
    lastLogTime: String(1_000_000_000n * BigInt(number)),
    channels: [],
    gaps: [],
    identity: { dataFolderId: '', machineId: '', bootId: '', sessionId: '', hostname: 'test' },
    clockSteps: [],
    uncleanEnd: false,
    sealedAt: '0',
    software: { name: 'holdfast', version: '0.0.0-test', node: process.version },
  };
}
