import { randomBytes } from 'node:crypto';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import type { FileSystem } from '../../src/core/file-system.js';
import { defined } from '../../src/core/defined.js';
import { silentLogger } from '../../src/core/logger.js';
import { encodeManifest, hasSegmentFile, manifestKey } from '../../src/core/manifest.js';
import { Retention } from '../../src/seal/retention.js';
import type { WhenFull } from '../../src/seal/retention-plan.js';
import type { SinkSpec } from '../../src/sync/sync-sink.js';
import type { SyncOptions } from '../../src/sync/sync-options.js';
import type { Store } from '../../src/core/store.js';
import type { MemoryStoreContent } from '../support/memory-store.js';
import { realClock, type Sealed, type SyncWorld } from './sync-world.js';

/** A disk on which space is always short. */
const shortDisk = new Proxy(realFs, {
  get: (target, name: string) =>
    name === 'statfs'
      ? () => Promise.resolve({ bsize: 1, blocks: 1e9, bavail: 0, bfree: 0, files: 0, ffree: 0, type: 0 })
      : (target as unknown as Record<string, unknown>)[name],
}) as unknown as FileSystem;

export interface EvictionTry {
  /** The store that sync can ask meanwhile; absent: sync is dead. */
  readonly store?: Store;
  /** Of that store; default: sealed files. */
  readonly sink?: SinkSpec;
  readonly whenFull?: WhenFull;
  /** Default: with sync dead too short for any answer. With sync alive only answers to the present request count. */
  readonly confirmMaxAgeMs?: number;
  readonly patienceMs?: number;
  readonly options?: Partial<SyncOptions>;
}

/** Lets retention evict whatever may go, beside sync. Returns what it let go without a tombstone. */
export async function evictAll(world: SyncWorld, given: EvictionTry = {}): Promise<Sealed[]> {
  const { store, whenFull = 'stop', options, sink } = given;
  const { confirmMaxAgeMs = store ? 600_000 : 1, patienceMs = store ? 600_000 : 0 } = given;
  await realFs.mkdir(world.folder.receipts, { recursive: true });
  await realFs.mkdir(world.folder.tombstones, { recursive: true });
  for (const path of [world.folder.wal, world.folder.quarantine])
    await realFs.mkdir(path, { recursive: true });
  const before = await presentOf(world);
  const engine = store && (await world.open(store, defined({ options, sink })));
  const end = new AbortController();
  const run = engine?.run(end.signal);
  const retention = await Retention.open(
    world.folder,
    {
      minFreeBytes: 1e9,
      minFreePercent: 90,
      maxBytes: 0,
      whenFull,
      confirmMaxAgeMs,
      ballastBytes: 0,
      segmentMaxBytes: 0,
    },
    { fs: shortDisk, clock: realClock, random: randomBytes, logger: silentLogger, patienceMs },
  );
  try {
    for (let quiet = 0; quiet < (store ? 40 : 3); quiet++) {
      const left = (await presentOf(world)).length;
      if (left === 0) break;
      await retention.tick(new Set());
      if ((await presentOf(world)).length < left) quiet = 0;
      await realClock.sleep(10);
    }
  } finally {
    await retention.close();
    end.abort();
    await run;
    await engine?.close();
  }
  const [after, tombstones] = [await presentOf(world), await realFs.readdir(world.folder.tombstones)];
  return before.filter((sealed) => !after.includes(sealed) && !tombstones.includes(`${sealed.name}.json`));
}

/** Segments whose local copy is there. */
export async function presentOf(world: SyncWorld): Promise<Sealed[]> {
  const files = new Set(await realFs.readdir(world.folder.sealed));
  return world.sealed.filter(({ name }) => hasSegmentFile(files, name) && files.has(`${name}.json`));
}

/** Object and manifest are in the store, byte for byte. */
export function holds({ objects }: MemoryStoreContent, { manifest, data }: Sealed): boolean {
  for (let suffix = 0; suffix < 9; suffix++) {
    const key = suffix === 0 ? manifest.key : manifest.key.replace('.mcap', `~${suffix}.mcap`);
    const text = Buffer.from(encodeManifest({ ...manifest, key }));
    if (objects.get(key)?.equals(data) && objects.get(manifestKey(key))?.equals(text)) return true;
  }
  return false;
}

/** The store as it is now, as a snapshot or `cp -a` would keep it. */
export function copyOf(content: MemoryStoreContent, into: MemoryStoreContent): MemoryStoreContent {
  into.id = content.id;
  into.objects.clear();
  into.marks.clear();
  for (const [key, data] of content.objects) into.objects.set(key, data);
  for (const [name, text] of content.marks) into.marks.set(name, text);
  return into;
}

export async function removeSyncState(world: SyncWorld, name: 'receipts' | 'sync'): Promise<void> {
  await realFs.rm(join(world.folder.root, name), { recursive: true, force: true });
}
