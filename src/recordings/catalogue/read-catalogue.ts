import { describeError, isHoldfastError } from '../../core/errors.js';
import { encodeName } from '../../core/name-encoding.js';
import type { ObjectInfo, Store } from '../../core/store.js';
import { present } from '../../core/present.js';
import { readManifestObject, storeEntries, type StoreEntry } from './store-entries.js';
import type { CatalogueCache } from './catalogue-cache.js';
import { KnownManifests } from './known-manifests.js';
import { summarise, type ManifestSummary } from './manifest-summary.js';

/** Number of manifests read at the same time: a store takes tens of milliseconds for each. */
export const READ_AT_ONCE = 16;
/** Number of entries looked at ahead of the present one. */
const LOOK_AHEAD = 256;

export interface CatalogueOptions {
  readonly cache?: CatalogueCache | undefined;
  /** Only these; without a `*`, keys of other robots are not even listed. */
  readonly robots?: readonly string[];
  readonly signal?: AbortSignal;
}

/** An MCAP of a store, its manifest's summary, or both; `problem` if the manifest exists and cannot be used. */
export interface CatalogueEntry {
  readonly object?: ObjectInfo;
  readonly manifest?: ObjectInfo;
  readonly summary?: ManifestSummary;
  readonly problem?: string;
}

/**
 * The content of a store, in key order. Manifests that the cache knows by key, size and ETag are not read;
 * the others are read in parallel and remembered.
 */
export async function* readCatalogue(
  store: Store,
  options: CatalogueOptions,
): AsyncGenerator<CatalogueEntry, void, void> {
  for (const prefix of prefixesOf(options.robots)) yield* readBelow(store, prefix, options);
}

function prefixesOf(robots: readonly string[] | undefined): string[] {
  if (robots === undefined || robots.some((name) => name.includes('*'))) return [''];
  return [...new Set(robots)].map((name) => `robot=${encodeName(name)}/`).sort();
}

async function* readBelow(
  store: Store,
  prefix: string,
  { cache, signal }: CatalogueOptions,
): AsyncGenerator<CatalogueEntry, void, void> {
  const known = new KnownManifests(cache, prefix);
  const gate = new Gate(READ_AT_ONCE);
  const pending: (CatalogueEntry | Promise<CatalogueEntry>)[] = [];
  const read = (entry: StoreEntry, manifest: ObjectInfo): Promise<CatalogueEntry> => {
    const work = gate.run(() => readEntry(store, entry, manifest, known, signal));
    // Awaited in its turn; until then a failure must not count as unhandled.
    work.catch(() => {});
    return work;
  };
  try {
    for await (const { other, ...entry } of storeEntries(store, signal, prefix)) {
      if (other !== undefined) continue;
      const { manifest } = entry;
      const summary = manifest === undefined ? undefined : await known.find(manifest);
      if (manifest === undefined) pending.push(entry);
      else pending.push(summary === undefined ? read(entry, manifest) : { ...entry, summary });
      if (pending.length >= LOOK_AHEAD) yield await present(pending.shift());
    }
    while (pending.length > 0) yield await present(pending.shift());
    await known.finish();
  } finally {
    for (const one of pending) await Promise.resolve(one).catch(() => undefined);
    await known.flush();
    await known.close();
  }
}

async function readEntry(
  store: Store,
  entry: StoreEntry,
  manifest: ObjectInfo,
  known: KnownManifests,
  signal: AbortSignal | undefined,
): Promise<CatalogueEntry> {
  try {
    const summary = summarise(await readManifestObject(store, manifest, signal));
    await known.learn(manifest, summary);
    return { ...entry, summary };
  } catch (error) {
    if (isHoldfastError(error, 'MANIFEST_INVALID')) return { ...entry, problem: describeError(error) };
    if (isHoldfastError(error, 'OBJECT_MISSING')) return { ...entry, problem: 'gone since it was listed' };
    throw error;
  }
}

/** Limits the number of concurrent runs. */
class Gate {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(readonly atOnce: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
