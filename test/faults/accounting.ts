import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { FilePool } from '../../src/recordings/file-readable.js';
import { systemClock } from '../../src/host/system-clock.js';
import type { GapJson } from '../../src/core/gap.js';
import type { StoreReceipt } from '../../src/core/receipt-file.js';
import { verify } from '../../src/recordings/verify.js';
import type { DataFolder } from '../../src/core/data-folder.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { decodeManifest, manifestKey, type Manifest } from '../../src/core/manifest.js';

/** What became of every message that was sent. */
export interface Account {
  /** Numbers in sealed segments (and in copies made by {@link uploadAll}), each how often. */
  readonly stored: ReadonlyMap<number, number>;
  /** Messages in segments evicted before an upload, by their tombstones and markers. */
  readonly evicted: number;
  /** By reason, each gap once; without evictions. */
  readonly gaps: Readonly<Record<string, number>>;
  /** The same gaps. */
  readonly gapList: readonly GapJson[];
}

export async function account(folder: DataFolder, store?: string): Promise<Account> {
  const stored = new Map<number, number>();
  const gaps = new Map<string, GapJson>();
  let evicted = 0;
  const takeGaps = (manifest: Manifest): void => {
    for (const gap of manifest.gaps) if (gap.reason !== 'evicted') gaps.set(gap.id, gap);
  };
  const seen = new Set<string>();
  await using files = new FilePool(fs);
  for (const place of store === undefined ? [folder.sealed] : [folder.sealed, store]) {
    for (const name of (await fs.readdir(place)).sort()) {
      if (!name.endsWith('.json') || seen.has(name)) continue;
      seen.add(name);
      const manifest = decodeManifest(await fs.readFile(join(place, name), 'utf8'), name);
      takeGaps(manifest);
      const path = join(place, manifest.file.name);
      const reader = await openMcap(files.readable(path), path);
      for await (const { data } of reader.messages()) {
        const number = Buffer.from(data).readDoubleLE();
        stored.set(number, (stored.get(number) ?? 0) + 1);
      }
    }
  }
  const tombstones = (await fs.readdir(folder.tombstones)).map((name) => join(folder.tombstones, name));
  // The marker of an eviction is its record until its tombstone finds room.
  const markers = (await fs.readdir(folder.sealed)).filter((name) => name.endsWith('.evicted'));
  const records = [...tombstones, ...markers.map((name) => join(folder.sealed, name))];
  const counted = new Set<string>();
  for (const path of records) {
    const record = decodeManifest(await fs.readFile(path, 'utf8'), path);
    takeGaps(record);
    if (!counted.has(record.file.name)) evicted += record.messages;
    counted.add(record.file.name);
  }
  const sums: Record<string, number> = {};
  for (const { reason, count } of gaps.values()) {
    // The end of a process that could not write its end mark counts no messages.
    sums[reason] = (sums[reason] ?? 0) + (count ?? (reason === 'unclean_end' ? 0 : NaN));
  }
  return { stored, evicted, gaps: sums, gapList: [...gaps.values()] };
}

interface Recorded {
  readonly folder: DataFolder;
  readonly sent: number;
  readonly acknowledged: ReadonlySet<number>;
  /** Reported as missing without a gap; default: none. */
  readonly unwritten?: number;
}

/** Nothing durable lost, nothing twice, every message accounted for, every file whole. */
export async function assertAllAccounted(rig: Recorded, store?: string): Promise<Account> {
  assert.deepEqual(await fs.readdir(rig.folder.wal), [], 'segments wait to be sealed');
  const result = await account(rig.folder, store);
  const { stored, evicted, gaps } = result;
  const twice = [...stored].filter(([, times]) => times > 1).map(([number]) => number);
  assert.deepEqual(twice, [], 'stored twice');
  const lost = [...rig.acknowledged].filter((number) => !stored.has(number));
  assert.equal(lost.length, evicted, 'acknowledged, and neither stored nor evicted by a tombstone');
  const dropped = Object.values(gaps).reduce((sum, count) => sum + count, 0);
  const { sent, unwritten = 0 } = rig;
  assert.equal(stored.size + evicted + dropped + unwritten, sent, `of ${sent} sent: ${JSON.stringify(gaps)}`);
  await using files = new FilePool(fs);
  const report = await verify({ kind: 'data', folder: rig.folder }, { files });
  assert.deepEqual(report.findings, []);
  return result;
}

/** Plays sync: copies every sealed segment away and leaves its receipt. Returns how many. */
export async function uploadAll(folder: DataFolder, store: string): Promise<number> {
  let count = 0;
  const uri = 'dir:x';
  const stores = JSON.stringify({ version: 1, stores: [{ uri, storeId: 's' }] });
  await fs.writeFile(join(folder.root, 'stores.json'), stores).catch(() => undefined);
  for (const name of await fs.readdir(folder.sealed)) {
    if (!name.endsWith('.json')) continue;
    const manifest = decodeManifest(await fs.readFile(join(folder.sealed, name), 'utf8'), name);
    const { file, key, segment, robot } = manifest;
    await fs.copyFile(join(folder.sealed, file.name), join(store, file.name));
    await fs.copyFile(join(folder.sealed, name), join(store, name));
    const { bytes, crc32, sha256 = await sha256Of(join(folder.sealed, file.name)) } = file;
    const receipt: StoreReceipt = {
      storeId: 's',
      uri,
      key,
      sha256,
      crc32,
      verification: 'read-back',
      verifiedAt: '1',
      asked: {
        answer: 'held',
        askedAt: String(systemClock.now()),
        storeId: 's',
        object: { key, bytes, sha256, crc32 },
        manifest: { key: manifestKey(key), bytes: 1, sha256: '0'.repeat(64), crc32: 0 },
      },
    };
    try {
      await fs.writeFile(
        join(folder.receipts, name),
        JSON.stringify({ version: 1, segment: segment.id, robot, stores: [receipt] }),
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      // Sync writes it once the disk has room.
      await fs.rm(join(folder.receipts, name), { force: true });
      continue;
    }
    count++;
  }
  return count;
}

async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await fs.readFile(path))
    .digest('hex');
}
