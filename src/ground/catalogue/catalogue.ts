import type { Clock, Timer } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import { isAborted } from '../../core/is-aborted.js';
import type { Logger } from '../../core/logger.js';
import { SerialQueue } from '../../core/serial-queue.js';
import type { Store } from '../../core/store.js';
import type { Database } from '../database/database.js';
import { ROBOT_STORE } from './catalogue-rows.js';
import { listStore, noteRecording, type Listing } from './list-store.js';

export interface CataloguePorts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A store of the catalogue. */
export interface CatalogueStore {
  readonly uri: string;
  /** When it was listed last, nanoseconds since the Unix epoch; null: never. */
  readonly listedAt: bigint | null;
  readonly recordings: number;
  readonly bytes: number;
  readonly problems: number;
  readonly problem: string | null;
}

/** Time between two listings of a store. Hints make a new recording known at once. */
const LIST_EVERY_MS = 300_000;
/** After a failure, a store is listed again after this time, and after growing ones. */
const RETRY_MS = 5_000;
/** Hints that wait; beyond them the next listing finds the recordings. */
const HINTS_MAX = 10_000;

/** The recordings of all stores of a ground, in its database. Only the stores have what must not be lost. */
export class Catalogue implements AsyncDisposable {
  readonly #database: Database;
  readonly #stores: readonly Store[];
  readonly #ports: CataloguePorts;
  readonly #lifetime = new AbortController();
  readonly #turns = new SerialQueue();
  readonly #hints = new Set<string>();
  /** Hints that came while a store or the database was out of reach. */
  readonly #missed = new Set<string>();
  #retry: Timer | undefined;
  #running: Promise<void> | undefined;

  constructor(database: Database, stores: readonly Store[], ports: CataloguePorts) {
    this.#database = database;
    this.#stores = stores;
    this.#ports = ports;
  }

  /** For the typed queries. */
  get database(): Database {
    return this.#database;
  }

  /** Lists every store now, and then again and again, until it is disposed. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Lists every store now. A store that does not answer is logged and left as it is. */
  async refresh(): Promise<
    readonly ({ readonly uri: string } & Partial<Listing> & { readonly error?: string })[]
  > {
    const results = [];
    for (const store of this.#stores) results.push(await this.#turns.run(() => this.#list(store)));
    return results;
  }

  /** Forgets everything that the stores have and reads it again. What lies on robots only they can tell. */
  async rebuild(): ReturnType<Catalogue['refresh']> {
    await this.#turns.run(() =>
      this.#database.transaction(async ({ query }) => {
        await query('SET LOCAL statement_timeout = 0');
        await query('DELETE FROM catalogue_stores WHERE uri <> $1', [ROBOT_STORE]);
        // Those of what lies on robots stay.
        await query(
          'DELETE FROM catalogue_channels WHERE channel NOT IN (SELECT unnest(channels) FROM recordings)',
        );
        await query('DELETE FROM robot_vins');
      }),
    );
    return this.refresh();
  }

  /** A recording was uploaded: it is looked for under this key (of the MCAP) in every store. */
  hint(key: string): void {
    if (this.#hints.size >= HINTS_MAX || this.#hints.has(key)) return;
    this.#hints.add(key);
    void this.#turns.run(() => this.#note(key));
  }

  async stores(): Promise<readonly CatalogueStore[]> {
    return this.#database.query<CatalogueStore>(
      `SELECT s.uri, s.listed_at AS "listedAt", count(r.recording) AS recordings,
         coalesce(sum(r.bytes) FILTER (WHERE r.state = 'stored'), 0) AS bytes, s.problems, s.problem
       FROM catalogue_stores s LEFT JOIN recordings r USING (store) WHERE s.uri <> $1 GROUP BY s.store ORDER BY s.uri`,
      [ROBOT_STORE],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lifetime.abort(new Error('the catalogue was closed'));
    this.#retry?.cancel();
    await this.#running;
    await this.#turns.run(() => Promise.resolve());
  }

  async #run(): Promise<void> {
    const { signal } = this.#lifetime;
    for (let failures = 0; !isAborted(signal);) {
      const listed = await this.refresh();
      failures = listed.some(({ error }) => error !== undefined) ? failures + 1 : 0;
      const waitMs = failures === 0 ? LIST_EVERY_MS : RETRY_MS * 2 ** (failures - 1);
      await this.#ports.clock.sleep(Math.min(waitMs, LIST_EVERY_MS), signal).catch(() => undefined);
    }
  }

  async #list(store: Store): Promise<{ uri: string } & Partial<Listing> & { error?: string }> {
    const { clock, logger } = this.#ports;
    const { signal } = this.#lifetime;
    const { uri } = store;
    try {
      const listing = await listStore(this.#database, store, { clock, signal });
      if (listing.written + listing.removed > 0)
        logger.info('the catalogue has changed', { store: uri, ...listing });
      return { uri, ...listing };
    } catch (error) {
      const reason = describeError(error);
      if (!isAborted(signal))
        logger.warn('a store cannot be listed for the catalogue', { store: uri, error: reason });
      return { uri, error: reason };
    }
  }

  async #note(key: string): Promise<void> {
    this.#hints.delete(key);
    if (!(await this.#look(key))) this.#miss(key);
  }

  /** Without this, what was uploaded during an outage would be missing until the next listing. */
  #miss(key: string): void {
    if (isAborted(this.#lifetime.signal)) return;
    if (this.#missed.size < HINTS_MAX) this.#missed.add(key);
    this.#retry ??= this.#ports.clock.after(RETRY_MS, () => void this.#turns.run(() => this.#noteMissed()), {
      background: true,
    });
  }

  /** Stops at the first failure: the outage lasts. */
  async #noteMissed(): Promise<void> {
    this.#retry = undefined;
    for (const key of [...this.#missed]) {
      if (!(await this.#look(key))) {
        this.#miss(key);
        return;
      }
      this.#missed.delete(key);
    }
  }

  /** False: a store or the database did not answer. */
  async #look(key: string): Promise<boolean> {
    const { signal } = this.#lifetime;
    let hasLooked = true;
    for (const store of this.#stores) {
      if (isAborted(signal)) return false;
      try {
        await noteRecording(this.#database, store, key, signal);
      } catch (error) {
        hasLooked = false;
        this.#ports.logger.debug('a hint did not help the catalogue', { key, error: describeError(error) });
      }
    }
    return hasLooked;
  }
}
