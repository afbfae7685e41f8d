import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { documentKind } from '../core/documents/document.js';
import { storeMemorySchema } from '../core/documents/folder-schemas.js';
import { readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import type { Store } from '../core/store.js';
import type { SerialQueue } from '../core/serial-queue.js';

/** Name inside the data folder. */
export const STORE_MEMORY_FILE = 'store-findings.json';
const MAX_STORES = 100;

/** A store that refuses checksums, as found. */
export interface RememberedStore {
  readonly storeId: string;
  readonly checksums: 'refused';
  /** What the server called itself then; empty: nothing. */
  readonly server: string;
  /** Decimal nanoseconds since the Unix epoch. */
  readonly since: string;
}

interface MemoryFile {
  readonly version: 1;
  readonly stores: readonly RememberedStore[];
}

const kind = documentKind<MemoryFile>('store findings', storeMemorySchema);

export interface StoreMemoryPorts {
  readonly fs: FileSystem;
  readonly folder: Pick<DataFolder, 'root'>;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shared by all writers of files in the data folder. */
  readonly turns: SerialQueue;
}

/**
 * What a store was found to refuse, kept by the store's id over restarts. Without it, a process would send
 * segments several times to find it out; a lost or damaged file costs no more than that.
 */
export class StoreMemory {
  readonly #ports: StoreMemoryPorts;
  #known: RememberedStore | undefined;
  #recalledFor: string | undefined;

  constructor(ports: StoreMemoryPorts) {
    this.#ports = ports;
  }

  /** Of the present store; undefined: no refusal is known. */
  get refusal(): RememberedStore | undefined {
    return this.#known;
  }

  /** Passes the earlier findings to the store adapter, once per store. Call it after the store has answered. */
  async recall(storeId: string | undefined): Promise<void> {
    if (storeId === undefined || this.#recalledFor === storeId) return;
    this.#recalledFor = storeId;
    const { store, logger } = this.#ports;
    this.#known = (await this.#read()).find((one) => one.storeId === storeId);
    if (this.#known === undefined) return;
    const { server, since } = this.#known;
    if (store.recall?.({ checksums: 'refused', server }) === true) {
      logger.info('the store refused checksums before: uploads carry none', {
        uri: store.uri,
        server,
        since,
      });
    } else logger.info('the store is asked again whether it takes checksums', { uri: store.uri, server });
  }

  /** Keeps new findings of the store adapter. Never rejects. */
  async note(storeId: string | undefined): Promise<void> {
    const { store, clock, turns, logger } = this.#ports;
    const findings = store.findings?.();
    if (storeId === undefined || findings === undefined || findings.checksums === 'unknown') return;
    const { checksums, server } = findings;
    const isKnown = this.#known?.storeId === storeId && this.#known.server === server;
    if (checksums === 'taken' ? this.#known === undefined : isKnown) return;
    const now =
      checksums === 'taken' ? undefined : { storeId, checksums, server, since: String(clock.now()) };
    try {
      await turns.run(() => this.#write(storeId, now));
      this.#known = now;
    } catch (error) {
      logger.warn('what the store refuses cannot be remembered', { storeId, error: describeError(error) });
    }
  }

  async #read(): Promise<readonly RememberedStore[]> {
    const { fs, folder } = this.#ports;
    const bytes = await readStateIfReadable(fs, join(folder.root, STORE_MEMORY_FILE));
    return kind.parseIfValid(bytes?.toString('utf8'))?.stores ?? [];
  }

  async #write(storeId: string, now: RememberedStore | undefined): Promise<void> {
    const { fs, folder } = this.#ports;
    const others = (await this.#read()).filter((one) => one.storeId !== storeId);
    const stores = [...others, ...(now ? [now] : [])].slice(-MAX_STORES);
    const file: MemoryFile = { version: 1, stores };
    await writeFileDurably(fs, join(folder.root, STORE_MEMORY_FILE), `${JSON.stringify(file, null, 1)}\n`);
  }
}
