import { join, resolve } from 'node:path';
import { Level } from 'level';
import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import { CACHE_VERSION } from './cached-manifest.js';

/** Remembered manifests of one store. Losing them only costs time. */
export interface CatalogueCache extends AsyncDisposable {
  /** Entries whose key begins with the prefix, in key order. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: string]>;
  /** Undefined removes a key. Not durable at once. */
  write(changes: readonly (readonly [key: string, value: string | undefined])[]): Promise<void>;
  /** It returned invalid data: nothing more is written, and it is removed when closed. */
  discard(): void;
}

// Holds about ten megabytes of small values.
const WRITE_BUFFER_BYTES = 2 * 1024 * 1024;
const BLOCK_CACHE_BYTES = 1024 * 1024;
const VERSION_KEY = 'version';
const PREFIX = 'manifest/';

// The kernel drops a process's lock as soon as that process closes any descriptor of the LOCK file. So a
// second open in this process must be refused before LevelDB sees it.
const held = new Set<string>();

/**
 * Opens the cache of a store, `<folder>/<store id>`. Undefined if it is not available: another process uses
 * it, or the disk refuses it. A damaged one, or one of another version, is created again.
 */
export async function openCatalogueCache(
  fs: FileSystem,
  logger: Logger,
  folder: string,
  storeId: string,
): Promise<CatalogueCache | undefined> {
  const path = resolve(join(folder, storeId));
  if (held.has(path)) return undefined;
  held.add(path);
  try {
    const level =
      (await openLevel(fs, path)) ?? (await fs.rm(path, { recursive: true }), await openLevel(fs, path));
    if (level !== undefined) return new LevelCache(fs, level, path);
    throw new Error('it is damaged, and a new one is too');
  } catch (error) {
    held.delete(path);
    logger.debug('manifests are read without a cache', { path, reason: describeError(error) });
    return undefined;
  }
}

/** Undefined: damaged, or of another version. Throws if it is in use, or cannot be created. */
async function openLevel(fs: FileSystem, path: string): Promise<Level | undefined> {
  await fs.mkdir(path, { recursive: true });
  const level = new Level(path, {
    writeBufferSize: WRITE_BUFFER_BYTES,
    cacheSize: BLOCK_CACHE_BYTES,
  });
  try {
    await level.open();
    const version = (await level.get(VERSION_KEY)) as string | undefined;
    if (version === undefined) await level.put(VERSION_KEY, String(CACHE_VERSION));
    if (version === undefined || version === String(CACHE_VERSION)) return level;
    await level.close();
    return undefined;
  } catch (error) {
    await level.close().catch(() => undefined);
    if ((error as { cause?: { code?: unknown } }).cause?.code === 'LEVEL_LOCKED') throw error;
    return undefined;
  }
}

class LevelCache implements CatalogueCache {
  #isDiscarded = false;

  constructor(
    readonly fs: FileSystem,
    readonly level: Level,
    readonly path: string,
  ) {}

  async *entries(prefix: string): AsyncGenerator<readonly [key: string, value: string], void, void> {
    const from = PREFIX + prefix;
    for await (const [key, value] of this.level.iterator({ gte: from, lt: `${from}\uffff` })) {
      yield [key.slice(PREFIX.length), value];
    }
  }

  async write(changes: readonly (readonly [string, string | undefined])[]): Promise<void> {
    if (this.#isDiscarded || changes.length === 0) return;
    await this.level.batch(
      changes.map(([key, value]) =>
        value === undefined
          ? ({ type: 'del', key: PREFIX + key } as const)
          : ({ type: 'put', key: PREFIX + key, value } as const),
      ),
    );
  }

  discard(): void {
    this.#isDiscarded = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.level.close();
      if (this.#isDiscarded) await this.fs.rm(this.path, { recursive: true, force: true });
    } finally {
      held.delete(this.path);
    }
  }
}
