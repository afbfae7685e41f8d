import { createHash } from 'node:crypto';
import type { DataFolder } from '../core/data-folder.js';
import { describeError, HoldfastError, isHoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { randomHex, type RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { Store } from '../core/store.js';
import { present } from '../core/present.js';
import { forgetKnownStore, readKnownStore, writeKnownStore } from './known-stores.js';
import type { Place, Places } from './places.js';
import type { SinkSpec } from './sync-sink.js';
import type { SerialQueue } from '../core/serial-queue.js';

export interface IdentityPorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  readonly store: Store;
  readonly random: RandomBytes;
  readonly logger: Logger;
  /** Shared by all writers of `stores.json`. */
  readonly turns: SerialQueue;
  readonly sink: Pick<SinkSpec, 'name' | 'kind' | 'form'>;
  /** Shared by the sinks of the data folder. */
  readonly places: Places;
  /** The data folder's own id: two data folders never share a mark. */
  readonly dataFolderId: () => Promise<string>;
  /** Limits the time of one question. */
  readonly within: <T>(ask: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** The store is (or became) this one; called before anything is sent to it. */
  readonly onKnown: (storeId: string) => void;
  /**
   * There is no proof that the store is still the place where segments were verified. Returns how many
   * segments are looked for again.
   */
  readonly onDoubt: (storeId: string) => Promise<number>;
}

const MARK_BYTES = 16;
/** Stands in `stores.json` in place of a mark if the store accepts none. */
const MARKLESS = '';

/**
 * Which store this is. An unmounted disk is an empty folder; it must never count as a new store. A disk that
 * was swapped for its copy, or set back to an earlier state, has the same id. A mark detects that: sync
 * writes a new one in each session, and reads it back with every check of the id.
 *
 * Verified segments of a store count only as long as a mark proves that it is the same place. A store without
 * a known mark (accepted again, accepted again after another one, or lost with `stores.json`) is asked for
 * every segment before any is shown as verified. A store that accepts no marks is trusted while its id stays
 * the same.
 */
export class StoreIdentity {
  readonly #ports: IdentityPorts;
  readonly #create: boolean;
  /** Only for the first answer: a store that changes while the process runs was swapped. */
  #acceptNew: boolean;
  #known: string | undefined;
  #recorded = true;
  #place: Place | undefined;
  /** The mark that an earlier session wrote into this store. */
  #earlierMark: string | undefined;
  /** The store accepts no marks. */
  #isMarkless = false;
  #isSure = false;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(ports: IdentityPorts, options: { createStoreId: boolean; acceptNewStore: boolean }) {
    this.#ports = ports;
    this.#create = options.createStoreId;
    this.#acceptNew = options.acceptNewStore;
  }

  /** The store confirmed its id since this process began, and is in the same place as before. */
  get isSure(): boolean {
    return this.#known !== undefined && this.#isSure;
  }

  get storeId(): string | undefined {
    return this.#known;
  }

  /** Reads what this data folder knows, without asking the store. */
  async load(): Promise<void> {
    const { fs, folder, store, logger } = this.#ports;
    const known = await readKnownStore(fs, folder, store.uri, (error) =>
      logger.warn('stores.json is damaged; identifying stores by receipts until it is written again', {
        error,
      }),
    );
    if (known === undefined) return;
    this.#known = known.storeId;
    this.#earlierMark = known.marks?.[await this.#markName()];
    this.#ports.onKnown(known.storeId);
  }

  /**
   * Asks the store for its id. Throws `STORE_OFFLINE` if a known id is missing (or may not be created), or if
   * the place changed since the last check; `STORE_MISMATCH` if the id is another one; `STORE_COPIED` if
   * another sink has a store of this id. Callers share questions, never old answers.
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
    await this.#takePlace(storeId);
    const isNew = this.#known !== storeId;
    if (isNew) this.#earlierMark = undefined;
    const isMoved = await this.#checkMark(storeId);
    if (isNew || !this.#recorded) this.#recorded = await this.#record(storeId);
    if (isMoved) {
      throw new HoldfastError(
        'STORE_OFFLINE',
        `${this.#ports.store.uri} is not the place it was a moment ago, though it has the same id`,
        { facts: { uri: this.#ports.store.uri, storeId } },
      );
    }
    // Only now: if an earlier call failed, the next try is still about the store to be accepted.
    this.#acceptNew = false;
    this.#isSure = true;
    if (!isNew) return;
    this.#known = storeId;
    this.#ports.logger.info('store known', { uri: this.#ports.store.uri, storeId });
    this.#ports.onKnown(storeId);
  }

  /** Throws `STORE_COPIED` if the place, or one with its id, belongs to another sink. */
  async #takePlace(storeId: string): Promise<void> {
    const { store, sink, places, fs, folder, turns } = this.#ports;
    if (this.#place?.storeId === storeId) return;
    const content = sink.kind === 'mcap' ? '' : sink.form;
    const markName = await this.#markName();
    const place: Place = { sink: sink.name, uri: store.uri, storeId, content, markName };
    const other = places.take(place);
    if (!other) {
      this.#place = place;
      return;
    }
    const theirs = await this.#ports.within((signal) => store.readMark(other.markName, { signal }));
    const isSame = other.mark !== undefined && theirs === other.mark;
    // Its id cannot be trusted. Without an id, retention keeps every segment that this sink must hold.
    this.#known = undefined;
    await turns.run(() => forgetKnownStore(fs, folder, store.uri)).catch(() => undefined);
    const what = isSame
      ? `is the same place as ${other.uri}`
      : `has the id of ${other.uri} and is another place: one is a copy of the other`;
    throw new HoldfastError(
      'STORE_COPIED',
      `the store ${store.uri} of sink ${sink.name} ${what} (sink ${other.sink}, id ${storeId}); ` +
        'a segment there counts once',
      { facts: { uri: store.uri, other: other.uri, storeId, isSame } },
    );
  }

  /** True: the store does not have the mark of this session. */
  async #checkMark(storeId: string): Promise<boolean> {
    const { store, within } = this.#ports;
    const place = present(this.#place);
    if (this.#isMarkless) return false;
    const expected = place.mark ?? this.#earlierMark;
    const there = await within((signal) => store.readMark(place.markName, { signal }));
    if (place.mark !== undefined && there === place.mark) return false;
    // Before the new mark: after a crash in between, the next start finds the old mark or none, and repeats
    // this.
    const isProven = expected === MARKLESS || (expected !== undefined && there === expected);
    if (!isProven) await this.#doubt(storeId, there === undefined ? 'no mark' : 'another mark');
    const isMoved = place.mark !== undefined;
    await this.#writeMark(storeId, place);
    return isMoved;
  }

  async #doubt(storeId: string, found: string): Promise<void> {
    const { store, onDoubt, logger } = this.#ports;
    const segments = await onDoubt(storeId);
    if (segments === 0) return;
    logger.warn(
      'cannot prove that this is the same store as before: checking for the segments that were verified there',
      {
        ...{ uri: store.uri, storeId, found, segments },
      },
    );
  }

  async #writeMark(storeId: string, place: Place): Promise<void> {
    const { store, random, within, logger } = this.#ports;
    const mark = randomHex(random, MARK_BYTES);
    try {
      await within((signal) => store.writeMark(place.markName, mark, { signal }));
    } catch (error) {
      const refused =
        isHoldfastError(error, 'STORE_REJECTED') || isHoldfastError(error, 'STORE_ACCESS_DENIED');
      if (!refused) throw error;
      this.#isMarkless = true;
      this.#recorded = await this.#record(storeId);
      logger.warn('the store does not accept a mark: a copy of it cannot be detected', {
        uri: store.uri,
        error: describeError(error),
      });
      return;
    }
    const back = await within((signal) => store.readMark(place.markName, { signal }));
    if (back !== mark) {
      throw new HoldfastError('STORE_OFFLINE', `${store.uri} does not give back what was written into it`, {
        facts: { uri: store.uri, storeId },
      });
    }
    place.mark = mark;
    this.#recorded = await this.#record(storeId);
  }

  async #markName(): Promise<string> {
    const { store, sink, dataFolderId } = this.#ports;
    const words = JSON.stringify([await dataFolderId(), sink.kind, sink.form, store.uri]);
    return createHash('sha256').update(words).digest('hex').slice(0, 32);
  }

  async #record(storeId: string): Promise<boolean> {
    const { fs, folder, store, logger, turns } = this.#ports;
    const { markName, mark } = present(this.#place);
    const known = this.#isMarkless ? MARKLESS : mark;
    try {
      await turns.run(() => writeKnownStore(fs, folder, store.uri, storeId, markName, known));
      return true;
    } catch (error) {
      logger.warn('cannot write the store id to disk', { storeId, error: describeError(error) });
      return false;
    }
  }
}
