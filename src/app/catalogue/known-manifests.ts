import type { ObjectInfo } from '../../core/store.js';
import { decodeCached, encodeCached } from './cached-manifest.js';
import type { CatalogueCache } from './catalogue-cache.js';
import type { ManifestSummary } from './manifest-summary.js';

/** Changes written at once. */
const WRITE_COUNT = 1000;

/**
 * A cache read along with a listing, both in key order: memory holds one entry. Whatever goes wrong with the cache, the
 * listing goes on without it.
 */
export class KnownManifests {
  readonly #entries: AsyncIterator<readonly [key: string, value: string]> | undefined;
  #next: readonly [key: string, value: string] | undefined;
  #isOver = false;
  #changes: (readonly [string, string | undefined])[] = [];

  constructor(
    readonly cache: CatalogueCache | undefined,
    readonly prefix: string,
  ) {
    this.#entries = cache?.entries(prefix)[Symbol.asyncIterator]();
    this.#isOver = cache === undefined;
  }

  /** What is known of an object. Call in key order; entries that are passed over are of objects that are gone. */
  async find(info: ObjectInfo): Promise<ManifestSummary | undefined> {
    for (;;) {
      if (this.#next === undefined && !this.#isOver) await this.#advance();
      if (this.#next === undefined) return undefined;
      const [key, value] = this.#next;
      const order = key === info.key ? 0 : Buffer.compare(Buffer.from(key), Buffer.from(info.key));
      if (order > 0) return undefined;
      this.#next = undefined;
      if (order === 0) return this.#decoded(value, info);
      await this.#change([key, undefined]);
    }
  }

  async learn(info: ObjectInfo, summary: ManifestSummary): Promise<void> {
    await this.#change([info.key, encodeCached(info, summary)]);
  }

  /** The listing has ended: what comes after it in the cache is gone too. */
  async finish(): Promise<void> {
    while (!this.#isOver || this.#next !== undefined) {
      if (this.#next !== undefined) await this.#change([this.#next[0], undefined]);
      this.#next = undefined;
      if (!this.#isOver) await this.#advance();
    }
    await this.flush();
  }

  /** Writes what was learnt. */
  async flush(): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    await this.cache?.write(changes).catch(() => this.cache?.discard());
  }

  /** Ends an unfinished walk. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#entries?.return?.().catch(() => undefined);
  }

  #decoded(value: string, info: ObjectInfo): ManifestSummary | undefined {
    try {
      return decodeCached(value, info);
    } catch {
      return undefined;
    }
  }

  async #advance(): Promise<void> {
    try {
      const { done, value } = await this.#entries!.next();
      if (done === true) this.#isOver = true;
      else this.#next = value;
    } catch {
      this.#isOver = true;
      this.cache?.discard();
    }
  }

  async #change(change: readonly [string, string | undefined]): Promise<void> {
    if (this.cache === undefined) return;
    this.#changes.push(change);
    if (this.#changes.length >= WRITE_COUNT) await this.flush();
  }
}
