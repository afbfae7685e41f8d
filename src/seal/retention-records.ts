import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { documentKind } from '../core/documents/document.js';
import { evictedTotalsSchema } from '../core/documents/folder-schemas.js';
import { readFileIfPresent, readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import { decodeManifest, type Manifest } from '../core/manifest.js';

/** Maximum number of receipts of segments that are gone: a local record of uploads and evictions. */
export const KEEP_RECEIPTS = 1000;
/** Maximum number of tombstones kept while sync does not fetch them; the oldest beyond that are only counted. */
export const KEEP_TOMBSTONES = 10_000;
/** Maximum number of robots with their own count in {@link EvictedTotals}; the others share one. */
const MAX_ROBOTS = 1000;
/** Number of files removed in one step. */
const STEP = 500;
/** Inside the data folder. */
export const EVICTED_FILE = 'evicted.json';

export interface RecordPorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  readonly logger: Logger;
}

export interface RecordLimits {
  readonly receipts: number;
  readonly tombstones: number;
}

/** Counts in `evicted.json` of evictions whose tombstones were removed, by robot. */
export interface EvictedTotals {
  readonly version: 1;
  readonly robots: Readonly<Record<string, { segments: number; messages: number; bytes: number }>>;
  /** Counted tombstones that may still exist: a crash came before their removal. */
  readonly counted: readonly string[];
}

/** Schema of `evicted.json`. */
export const evictedFiles = documentKind<EvictedTotals>('totals of evictions', evictedTotalsSchema);

/** Bounds the number of receipts of evicted segments and of unsent tombstones. */
export class RetentionRecords {
  readonly #ports: RecordPorts;
  readonly #isHere: (name: string) => boolean;
  readonly #limits: RecordLimits;

  constructor(
    ports: RecordPorts,
    isHere: (name: string) => boolean,
    limits: RecordLimits = { receipts: KEEP_RECEIPTS, tombstones: KEEP_TOMBSTONES },
  ) {
    this.#ports = ports;
    this.#isHere = isHere;
    this.#limits = limits;
  }

  async prune(): Promise<void> {
    await this.#pruneReceipts();
    await this.#foldTombstones();
  }

  // Sync never reads a receipt whose segment is gone. The newest stay even if their segments are unknown:
  // sync may have written one before the recorder's own index had the segment.
  async #pruneReceipts(): Promise<void> {
    const { fs, folder } = this.#ports;
    const orphans = (await namesIn(fs, folder.receipts)).filter((name) => !this.#isHere(name));
    const excess = orphans.slice(0, Math.max(0, orphans.length - this.#limits.receipts)).slice(0, STEP);
    for (const name of excess) await fs.rm(join(folder.receipts, `${name}.json`), { force: true });
  }

  async #foldTombstones(): Promise<void> {
    const { fs, folder, logger } = this.#ports;
    const names = await namesIn(fs, folder.tombstones);
    const totals = await this.#readTotals();
    const left = totals.counted.filter((name) => names.includes(name));
    for (const name of left) await this.#removeTombstone(name);
    const open = names.filter((name) => !left.includes(name));
    const excess = open.slice(0, Math.max(0, open.length - this.#limits.tombstones)).slice(0, STEP);
    if (excess.length === 0) return;
    const robots = { ...totals.robots };
    const counted: string[] = [];
    for (const name of excess) {
      const tombstone = await this.#readTombstone(name);
      if (!tombstone) continue;
      counted.push(name);
      const robot = robots[tombstone.robot] || Object.keys(robots).length < MAX_ROBOTS ? tombstone.robot : '';
      const sum = robots[robot] ?? { segments: 0, messages: 0, bytes: 0 };
      robots[robot] = {
        segments: sum.segments + 1,
        messages: sum.messages + tombstone.messages,
        bytes: sum.bytes + tombstone.file.bytes,
      };
    }
    const next: EvictedTotals = { version: 1, robots, counted };
    await writeFileDurably(fs, join(folder.root, EVICTED_FILE), `${JSON.stringify(next, null, 1)}\n`);
    for (const name of counted) await this.#removeTombstone(name);
    logger.warn('too many tombstones wait for sync; the oldest are only counted', {
      tombstones: counted.length,
      file: EVICTED_FILE,
    });
  }

  async #removeTombstone(name: string): Promise<void> {
    await this.#ports.fs.rm(join(this.#ports.folder.tombstones, `${name}.json`), { force: true });
  }

  async #readTombstone(name: string): Promise<Manifest | undefined> {
    const path = join(this.#ports.folder.tombstones, `${name}.json`);
    try {
      const bytes = await readFileIfPresent(this.#ports.fs, path);
      return bytes && decodeManifest(bytes.toString('utf8'), path);
    } catch {
      // Kept for a person to inspect; sync reports it.
      return undefined;
    }
  }

  async #readTotals(): Promise<EvictedTotals> {
    const none: EvictedTotals = { version: 1, robots: {}, counted: [] };
    const bytes = await readStateIfReadable(this.#ports.fs, join(this.#ports.folder.root, EVICTED_FILE));
    if (bytes === undefined) return none;
    const totals = evictedFiles.parseIfValid(bytes.toString('utf8'));
    if (totals === undefined) this.#ports.logger.warn('evicted.json is damaged; its totals start at zero');
    return totals ?? none;
  }
}

/** Base names of the JSON files in a folder, oldest segment first. */
async function namesIn(fs: FileSystem, path: string): Promise<string[]> {
  const files = await fs.readdir(path);
  return files
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}
