import { Level } from 'level';

/** One change: `undefined` removes the key. */
export type ProgressChange = readonly [key: string, value: string | undefined];

/** The operations that sync needs of a database; the real one is LevelDB. */
export interface ProgressDatabase {
  /** All entries whose key begins with `prefix`. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: string]>;
  /** Atomic. With `sync` it survives a power cut once this resolves, without it only a kill. */
  write(changes: readonly ProgressChange[], sync: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Opens the database in this directory, or creates it. */
export type OpenProgressDatabase = (path: string) => Promise<ProgressDatabase>;

// LevelDB's defaults (4 MiB write buffer, 8 MiB cache) are made for much more data.
const WRITE_BUFFER_BYTES = 512 * 1024;
const CACHE_BYTES = 512 * 1024;

export const openLevelProgress: OpenProgressDatabase = async (path) => {
  const level = new Level<string, string>(path, {
    writeBufferSize: WRITE_BUFFER_BYTES,
    cacheSize: CACHE_BYTES,
  });
  try {
    await level.open();
  } catch (error) {
    await level.close().catch(() => undefined);
    throw error;
  }
  return {
    entries: (prefix) => level.iterator({ gte: prefix, lt: `${prefix}\uffff` }),
    write: (changes, sync) =>
      level.batch(
        changes.map(([key, value]) =>
          value === undefined ? { type: 'del', key } : { type: 'put', key, value },
        ),
        { sync },
      ),
    close: () => level.close(),
  };
};
