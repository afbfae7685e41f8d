import type { ObjectInfo } from '../../core/store.js';
import { present } from '../../core/present.js';
import { decodeCached, encodeCached } from './cached-manifest.js';
import type { CatalogueCache } from './catalogue-cache.js';
import type { ManifestSummary } from './manifest-summary.js';

/** Number of changes per write. */
const WRITE_COUNT = 1000;

/**
 * Reads a cache in step with a listing, both in key order: memory holds one entry. If the cache fails, the
 * listing continues without it.
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

  /** What is known about an object. Call it in key order; skipped entries belong to objects that are gone. */
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

  /** The listing has ended: later entries of the cache belong to objects that are gone. */
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
      const next = await present(this.#entries).next();
      if (next.done === true) this.#isOver = true;
      else this.#next = next.value;
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
