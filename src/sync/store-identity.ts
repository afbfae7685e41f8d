import type { DataFolder } from '../core/data-folder.js';
import { describeError, HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { randomHex, type RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { Store } from '../core/store.js';
import { readKnownStore, writeKnownStore } from './known-stores.js';
import type { Turns } from './turns.js';

export interface IdentityPorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  readonly store: Store;
  readonly random: RandomBytes;
  readonly logger: Logger;
  /** Shared by all who write `stores.json`. */
  readonly turns: Turns;
  /** Bounds one question in time. */
  readonly within: <T>(ask: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** The store is (or became) this one; called before anything is sent to it. */
  readonly onKnown: (storeId: string) => void;
}

/** Which store this is. An unmounted disk is an empty folder; it must never be taken for a new store. */
export class StoreIdentity {
  readonly #ports: IdentityPorts;
  readonly #create: boolean;
  /** Only for the first answer: a store that changes under a running process was swapped. */
  #acceptNew: boolean;
  #known: string | undefined;
  #recorded = true;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(ports: IdentityPorts, options: { createStoreId: boolean; acceptNewStore: boolean }) {
    this.#ports = ports;
    this.#create = options.createStoreId;
    this.#acceptNew = options.acceptNewStore;
  }

  get storeId(): string | undefined {
    return this.#known;
  }

  /** Reads what this data folder knows, without asking the store. */
  async load(): Promise<void> {
    const known = await readKnownStore(this.#ports.fs, this.#ports.folder, this.#ports.store.uri);
    if (known === undefined) return;
    this.#known = known;
    this.#ports.onKnown(known);
  }

  /**
   * Asks the store who it is. Throws `STORE_OFFLINE` where the id is absent though known (or may not be
   * created), `STORE_MISMATCH` where it is another one. Callers share questions, never stale answers.
   */
  check(): Promise<void> {
    if (this.#next) return this.#next;
    const after = this.#running ?? Promise.resolve();
    const start = (): Promise<void> => {
      this.#next = undefined;
      this.#running = this.#ask().finally(() => (this.#running = undefined));
      return this.#running;
    };
    if (!this.#running) return start();
    this.#next = after.then(start, start);
    return this.#next;
  }

  async #ask(): Promise<void> {
    const { store } = this.#ports;
    const there = await this.#ports.within((signal) => store.readId({ signal }));
    if (there === undefined) return this.#absent();
    if (this.#known !== undefined && this.#known !== there && !this.#acceptNew) {
      throw new HoldfastError(
        'STORE_MISMATCH',
        `store ${store.uri} has id ${there}, this data folder knows it as ${this.#known}`,
        { facts: { uri: store.uri, found: there, known: this.#known } },
      );
    }
    await this.#adopt(there);
  }

  async #absent(): Promise<void> {
    const { store, random, within } = this.#ports;
    if (this.#known !== undefined) {
      throw new HoldfastError(
        'STORE_OFFLINE',
        `store ${store.uri} has no id object, expected ${this.#known}: is it mounted?`,
        { facts: { uri: store.uri, known: this.#known } },
      );
    }
    if (!this.#create) {
      throw new HoldfastError(
        'STORE_OFFLINE',
        `store ${store.uri} has no id object and none may be created`,
        {
          facts: { uri: store.uri },
        },
      );
    }
    const id = randomHex(random, 16);
    await this.#adopt(await within((signal) => store.createId(id, { signal })));
  }

  async #adopt(storeId: string): Promise<void> {
    const isNew = this.#known !== storeId;
    this.#acceptNew = false;
    if (isNew || !this.#recorded) {
      this.#recorded = await this.#record(storeId);
    }
    if (!isNew) return;
    this.#known = storeId;
    this.#ports.logger.info('store known', { uri: this.#ports.store.uri, storeId });
    this.#ports.onKnown(storeId);
  }

  async #record(storeId: string): Promise<boolean> {
    const { fs, folder, store, logger, turns } = this.#ports;
    try {
      await turns.run(() => writeKnownStore(fs, folder, store.uri, storeId));
      return true;
    } catch (error) {
      logger.warn('store id cannot be remembered on disk', { storeId, error: describeError(error) });
      return false;
    }
  }
}
