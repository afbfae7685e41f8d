import { basename, join } from 'node:path';
import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably, syncDirectory } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import type { OpenProgressDatabase, ProgressDatabase } from './progress-database.js';
import { decodeProgress, encodeProgress, progressKey, type ProgressRecord } from './progress-record.js';

export interface ProgressPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: DataFolder;
  readonly openDatabase: OpenProgressDatabase;
  /** Told once when writing stops working, with the words for a person. */
  readonly onTrouble: (message: string) => void;
}

const QUARANTINE_PREFIX = 'sync-';

/**
 * The progress records, in `data/sync` as long as that works. A disk that is full or read-only must not
 * stop uploading: changes that cannot be written wait in memory and go in when the database opens again.
 */
export class ProgressStore {
  #rebuilt = true;
  readonly #ports: ProgressPorts;
  #database: ProgressDatabase | undefined;
  readonly #unwritten = new Map<string, string | undefined>();
  #queue: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(ports: ProgressPorts) {
    this.#ports = ports;
  }

  /** The database was missing, damaged or unreadable at the start: what it does not know may still be so. */
  get rebuilt(): boolean {
    return this.#rebuilt;
  }

  /** Never rejects: without a database, changes wait in memory. */
  async open(): Promise<void> {
    const ports = this.#ports;
    const existed = await exists(ports.fs, join(ports.folder.sync, 'CURRENT'));
    try {
      this.#database = await openAndRead(ports);
      this.#rebuilt = !existed;
    } catch (error) {
      const moved = await moveAside(ports, error);
      this.#database = moved ? await openAndRead(ports).catch(() => undefined) : undefined;
      if (!this.#database) {
        ports.onTrouble(`upload progress is kept in memory only: ${describeError(error)}`);
      }
    }
  }

  /** Changes that wait for the disk. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** All readable records towards one store, by segment base name. Empty while the database is not open. */
  async load(storeId: string): Promise<Map<string, ProgressRecord>> {
    const records = new Map<string, ProgressRecord>();
    const prefix = progressKey(storeId, '');
    const add = (key: string, text: string | undefined): void => {
      const record = text === undefined ? undefined : decodeProgress(text);
      if (record) records.set(key.slice(prefix.length), record);
      else records.delete(key.slice(prefix.length));
    };
    try {
      if (this.#database) {
        for await (const [key, text] of this.#database.entries(prefix)) add(key, text);
      }
    } catch (error) {
      this.#ports.onTrouble(`upload progress is only partly readable: ${describeError(error)}`);
    }
    for (const [key, text] of this.#unwritten) if (key.startsWith(prefix)) add(key, text);
    return records;
  }

  /**
   * Writes (or with `undefined` removes) a record. Never rejects: what cannot be written waits. With
   * `sync`, it survives power loss where the disk works.
   */
  async write(
    storeId: string,
    name: string,
    record: ProgressRecord | undefined,
    sync: boolean,
  ): Promise<void> {
    const key = progressKey(storeId, name);
    this.#unwritten.set(key, record === undefined ? undefined : encodeProgress(record));
    await this.#flush(sync);
  }

  /** Opens the database again if it was given up, and writes what waits. */
  async retry(): Promise<void> {
    if (this.#closed || this.#unwritten.size === 0) return;
    if (!this.#database) {
      try {
        const database = await openAndRead(this.#ports);
        if (this.#closed) return await database.close();
        this.#database = database;
      } catch (error) {
        this.#ports.logger.debug('upload progress still not writable', { error: describeError(error) });
        return;
      }
    }
    await this.#flush(true);
    if (this.#unwritten.size === 0) this.#ports.logger.info('upload progress is written again');
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    await this.#database?.close().catch(() => undefined);
  }

  // One write at a time; whatever arrived meanwhile goes into the next one together.
  #flush(sync: boolean): Promise<void> {
    const turn = this.#queue.then(() => this.#writeWaiting(sync));
    this.#queue = turn;
    return turn;
  }

  async #writeWaiting(sync: boolean): Promise<void> {
    const database = this.#database;
    if (!database || this.#unwritten.size === 0) return;
    const changes = [...this.#unwritten];
    try {
      await database.write(changes, sync);
      for (const [key, value] of changes) {
        if (this.#unwritten.get(key) === value) this.#unwritten.delete(key);
      }
    } catch (error) {
      // LevelDB's errors are sticky: this handle is given up, a later retry opens a new one.
      this.#database = undefined;
      await database.close().catch(() => undefined);
      this.#ports.onTrouble(
        `upload progress cannot be written, uploading goes on from memory: ${describeError(error)}`,
      );
    }
  }
}

async function openAndRead(ports: ProgressPorts): Promise<ProgressDatabase> {
  await makeDirectoryDurably(ports.fs, ports.folder.sync);
  const database = await ports.openDatabase(ports.folder.sync);
  try {
    // Reads every table once: damage shows now and not in the middle of an upload.
    for await (const _entry of database.entries('')) void _entry;
    return database;
  } catch (error) {
    await database.close().catch(() => undefined);
    throw error;
  }
}

/** Moves a damaged database to quarantine/ (the latest one is kept). False: the disk, not it, is at fault. */
async function moveAside(ports: ProgressPorts, error: unknown): Promise<boolean> {
  const { fs, folder, logger } = ports;
  const target = join(folder.quarantine, `${QUARANTINE_PREFIX}${ports.clock.now()}`);
  try {
    await makeDirectoryDurably(fs, folder.quarantine);
    await assertWritable(fs, join(folder.quarantine, `${QUARANTINE_PREFIX}writable.tmp`));
    for (const name of await fs.readdir(folder.quarantine)) {
      if (!name.startsWith(QUARANTINE_PREFIX)) continue;
      await fs.rm(join(folder.quarantine, name), { recursive: true, force: true });
    }
    await fs.rename(folder.sync, target);
    await syncDirectory(fs, folder.quarantine);
    await syncDirectory(fs, folder.root);
  } catch (cause) {
    logger.warn('upload progress cannot be opened', {
      error: describeError(error),
      disk: describeError(cause),
    });
    return false;
  }
  logger.warn('upload progress was damaged; rebuilt from receipts and the store', {
    error: describeError(error),
    movedTo: `quarantine/${basename(target)}`,
  });
  return true;
}

// LevelDB reports a full disk and a missing table with one code; a file of a few bytes tells them apart.
async function assertWritable(fs: FileSystem, path: string): Promise<void> {
  const handle = await fs.open(path, 'w');
  try {
    await handle.writeFile(Buffer.alloc(64 * 1024));
    await handle.sync();
  } finally {
    await handle.close();
    await fs.rm(path, { force: true });
  }
}

async function exists(fs: FileSystem, path: string): Promise<boolean> {
  return fs.stat(path).then(
    () => true,
    () => false,
  );
}
