import { basename, join } from 'node:path';
import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably, syncDirectory } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import type { OpenProgressDatabase, ProgressDatabase } from './progress-database.js';
import {
  decodeProgress,
  encodeProgress,
  progressKey,
  syncedTotalKey,
  toBeLookedFor,
  type ProgressRecord,
} from './progress-record.js';

export interface ProgressPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: DataFolder;
  readonly openDatabase: OpenProgressDatabase;
  /** Called once when writing stops working, with a sentence for a person. */
  readonly onTrouble: (message: string) => void;
}

const QUARANTINE_PREFIX = 'sync-';

/**
 * The progress records, kept in `data/sync` as long as that works. A disk that is full or read-only must not
 * stop uploads: changes that cannot be written wait in memory, and are written when the database opens again.
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

  /** The database was missing, damaged or unreadable at the start: what it does not contain may still be true. */
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

  /**
   * All records of one store, by segment base name. Empty while the database is not open. A segment with a
   * damaged record is looked for in the store, as after a lost answer.
   */
  async load(storeId: string): Promise<Map<string, ProgressRecord>> {
    const records = new Map<string, ProgressRecord>();
    const prefix = progressKey(storeId, '');
    const damaged: string[] = [];
    const add = (key: string, text: string | undefined): void => {
      const name = key.slice(prefix.length);
      const record = text === undefined ? undefined : decodeProgress(text);
      if (text !== undefined && record === undefined) damaged.push(name);
      if (text === undefined) records.delete(name);
      else records.set(name, record ?? toBeLookedFor);
    };
    try {
      if (this.#database) {
        for await (const [key, text] of this.#database.entries(prefix)) add(key, text);
      }
    } catch (error) {
      this.#ports.onTrouble(`upload progress is only partly readable: ${describeError(error)}`);
    }
    for (const [key, text] of this.#unwritten) if (key.startsWith(prefix)) add(key, text);
    if (damaged.length > 0) await this.#replaceDamaged(storeId, damaged);
    return records;
  }

  async #replaceDamaged(storeId: string, names: readonly string[]): Promise<void> {
    this.#ports.logger.warn('upload records are damaged; checking the store for their segments', {
      records: names.length,
      first: names[0],
    });
    for (const name of names) {
      this.#unwritten.set(progressKey(storeId, name), encodeProgress(toBeLookedFor));
    }
    await this.#flush(false);
  }

  /** Number of segments verified in a store so far; undefined: unknown. */
  async syncedTotal(storeId: string): Promise<number | undefined> {
    const key = syncedTotalKey(storeId);
    let text = this.#unwritten.get(key);
    try {
      if (text === undefined && this.#database) {
        for await (const [found, value] of this.#database.entries(key)) if (found === key) text = value;
      }
    } catch (error) {
      this.#ports.onTrouble(`upload progress is only partly readable: ${describeError(error)}`);
    }
    const total = Number(text);
    return text !== undefined && Number.isSafeInteger(total) && total >= 0 ? total : undefined;
  }

  /** Remembers it. Never rejects: a change that cannot be written waits. */
  async writeSyncedTotal(storeId: string, total: number): Promise<void> {
    this.#unwritten.set(syncedTotalKey(storeId), String(total));
    await this.#flush(false);
  }

  /**
   * Writes (or with `undefined` removes) a record. Never rejects: a change that cannot be written waits. With
   * `sync`, it survives a power cut if the disk works.
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

  /**
   * Nothing that was found in this store is certain any more: each segment will be looked for before anything
   * is sent. Returns how many there are. Never rejects: a change that cannot be written waits.
   */
  async doubtVerified(storeId: string): Promise<number> {
    let segments = 0;
    for (const [name, record] of await this.load(storeId)) {
      if (record.state !== 'verified') continue;
      this.#unwritten.set(progressKey(storeId, name), encodeProgress(toBeLookedFor));
      segments++;
    }
    if (segments > 0) await this.#flush(true);
    return segments;
  }

  /** Opens the database again if it was given up, and writes the pending changes. */
  async retry(): Promise<void> {
    if (this.#closed || this.#unwritten.size === 0) return;
    if (!this.#database) {
      try {
        const database = await openAndRead(this.#ports);
        // It may have been closed meanwhile.
        if (this.#closed as boolean) {
          await database.close();
          return;
        }
        this.#database = database;
      } catch (error) {
        this.#ports.logger.debug('upload progress still cannot be written', { error: describeError(error) });
        return;
      }
    }
    await this.#flush(true);
    if (this.#unwritten.size === 0) this.#ports.logger.info('upload progress can be written again');
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    await this.#database?.close().catch(() => undefined);
  }

  // One write at a time; changes that arrive meanwhile go into the next one together.
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
      // LevelDB's errors are sticky: this handle is given up, and a later retry opens a new one.
      this.#database = undefined;
      await database.close().catch(() => undefined);
      this.#ports.onTrouble(
        `upload progress cannot be written, uploading continues from memory: ${describeError(error)}`,
      );
    }
  }
}

async function openAndRead(ports: ProgressPorts): Promise<ProgressDatabase> {
  await makeDirectoryDurably(ports.fs, ports.folder.sync);
  const database = await ports.openDatabase(ports.folder.sync);
  try {
    // Reads every table once, so that damage shows now and not in the middle of an upload.
    const entries = database.entries('')[Symbol.asyncIterator]();
    while ((await entries.next()).done !== true);
    return database;
  } catch (error) {
    await database.close().catch(() => undefined);
    throw error;
  }
}

/** Moves a damaged database to quarantine/ (only the latest is kept). False: the disk is at fault. */
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

// LevelDB reports a full disk and a missing table with one code; writing a small file distinguishes them.
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
