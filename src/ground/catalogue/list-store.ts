import type { Clock } from '../../core/clock.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import { ENCRYPTED_END, manifestKey } from '../../core/manifest.js';
import type { ObjectInfo, Store } from '../../core/store.js';
import { readManifestObject, storeEntries } from '../../recordings/catalogue/store-entries.js';
import type { Database } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';
import type { CataloguedManifest, RecordingState } from './catalogue-rows.js';
import { forgetRecordings, writeCatalogue } from './write-catalogue.js';

/** Manifests read at the same time. */
const READ_AT_ONCE = 16;
/** Recordings in one transaction. */
const BATCH = 200;
/** After so many, the planner of PostgreSQL learns of them at once, and not when its own look is due. */
const ANALYZE_FROM = 1_000;

/** What a listing of a store has changed. */
export interface Listing {
  readonly recordings: number;
  readonly written: number;
  readonly removed: number;
  /** Manifests that are not usable, with the first reason. */
  readonly problems: number;
  readonly problem?: string;
}

interface Known {
  readonly bytes: number;
  readonly etag: string;
  readonly state: RecordingState;
}

interface Waiting {
  readonly info: ObjectInfo;
  readonly hasObject: boolean;
}

/**
 * Makes the catalogue of one store whole: reads the manifests that are new or have changed, and forgets what is gone.
 * Memory: about 200 bytes for each recording.
 */
export async function listStore(
  database: Database,
  store: Store,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Listing> {
  const number = await storeNumber(database, store.uri);
  const known = await knownRecordings(database, number);
  const tally = { recordings: 0, written: 0, problems: 0, problem: undefined as string | undefined };
  let waiting: Waiting[] = [];
  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    const read = await readAll(store, batch, signal, (problem) => {
      tally.problems++;
      tally.problem ??= problem;
    });
    await writeCatalogue(database, number, read);
    tally.written += read.length;
  };
  for await (const { manifest: info, object } of storeEntries(store, signal)) {
    if (info === undefined) continue;
    const key = keyOf(info.key, object, known);
    tally.recordings++;
    const before = known.get(key);
    known.delete(key);
    const isKnown = before?.bytes === info.bytes && before.etag === (info.etag ?? '');
    if (isKnown && (before.state === 'stored') === (object !== undefined)) continue;
    waiting.push({ info, hasObject: object !== undefined });
    if (waiting.length >= BATCH) await flush();
  }
  await flush();
  const gone = [...known.keys()];
  for (let at = 0; at < gone.length; at += BATCH) {
    await forgetRecordings(database, number, gone.slice(at, at + BATCH));
  }
  await database.query(
    'UPDATE catalogue_stores SET listed_at = $2, problems = $3, problem = $4 WHERE store = $1',
    [number, writeTimestamp(clock.now()), tally.problems, tally.problem ?? null],
  );
  if (tally.written >= ANALYZE_FROM) await database.query('ANALYZE recordings, catalogue_channels');
  const { problem, ...counts } = tally;
  return { ...counts, removed: gone.length, ...(problem === undefined ? {} : { problem }) };
}

/** The key under which the catalogue has a recording. If its object is lost, the manifest alone does not tell. */
function keyOf(
  manifestAt: string,
  object: ObjectInfo | undefined,
  known: ReadonlyMap<string, Known>,
): string {
  const plain = manifestAt.replace(/\.json$/, '.mcap');
  const encrypted = manifestAt.replace(/\.json$/, ENCRYPTED_END);
  return object?.key ?? (known.has(encrypted) ? encrypted : plain);
}

/** Reads the manifest of one recording; false if the store does not have it. */
export async function noteRecording(
  database: Database,
  store: Store,
  key: string,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await lookAgain(store, manifestKey(key), signal);
  if (found === undefined) return false;
  const read = await readAll(store, [found], signal, () => undefined);
  await writeCatalogue(database, await storeNumber(database, store.uri), read);
  return read.length > 0;
}

/** The number of a store in the catalogue, which gets one if it has none. */
export async function storeNumber(database: Database, uri: string): Promise<number> {
  await database.query('INSERT INTO catalogue_stores (uri) VALUES ($1) ON CONFLICT DO NOTHING', [uri]);
  const [row] = await database.query<{ store: number }>('SELECT store FROM catalogue_stores WHERE uri = $1', [
    uri,
  ]);
  return row?.store ?? 0;
}

async function knownRecordings(database: Database, store: number): Promise<Map<string, Known>> {
  const rows = await database.query<{ key: string } & Known>(
    'SELECT key, manifest_bytes AS bytes, manifest_etag AS etag, state FROM recordings WHERE store = $1',
    [store],
  );
  return new Map(rows.map(({ key, ...rest }) => [key, rest]));
}

async function readAll(
  store: Store,
  all: readonly Waiting[],
  signal: AbortSignal,
  onProblem: (problem: string) => void,
): Promise<CataloguedManifest[]> {
  const found: CataloguedManifest[] = [];
  for (let at = 0; at < all.length; at += READ_AT_ONCE) {
    const some = all.slice(at, at + READ_AT_ONCE);
    const read = await Promise.all(some.map((one) => readOne(store, one, signal, onProblem)));
    found.push(...read.filter((one) => one !== undefined));
  }
  return found;
}

/** A manifest may be replaced again and again; the next listing sees the last one. */
const READ_TRIES = 3;
/** Of one manifest: the others of the store can be read. */
const OWN_FAULTS = [
  ...(['MANIFEST_INVALID', 'MCAP_UNREADABLE', 'OBJECT_MISSING', 'OBJECT_CORRUPT'] as const),
  ...(['STORE_ACCESS_DENIED', 'STORE_REJECTED'] as const),
];

async function readOne(
  store: Store,
  first: Waiting,
  signal: AbortSignal,
  onProblem: (problem: string) => void,
): Promise<CataloguedManifest | undefined> {
  let waiting = first;
  for (let tries = READ_TRIES; ; tries--) {
    const { info, hasObject } = waiting;
    try {
      const manifest = await readManifestObject(store, info, signal);
      const state = hasObject ? 'stored' : manifest.evicted ? 'evicted' : 'missing';
      return { info, manifest, state };
    } catch (error) {
      if (!OWN_FAULTS.some((code) => isHoldfastError(error, code))) throw error;
      const now = await lookAgain(store, info.key, signal);
      // It was replaced after it was listed: a part of the new one was read with the size of the old one.
      if (now !== undefined && tries > 1 && !isSame(now.info, info)) waiting = now;
      else {
        if (now !== undefined) onProblem(`${info.key}: ${describeError(error)}`);
        return undefined;
      }
    }
  }
}

/** A manifest and whether its segment is there, as they are now; undefined: it is gone. */
async function lookAgain(store: Store, key: string, signal: AbortSignal): Promise<Waiting | undefined> {
  const info = await store.head(key, { signal });
  if (info === undefined) return undefined;
  const object =
    (await store.head(key.replace(/\.json$/, '.mcap'), { signal })) ??
    (await store.head(key.replace(/\.json$/, ENCRYPTED_END), { signal }));
  return { info, hasObject: object !== undefined };
}

function isSame(one: ObjectInfo, other: ObjectInfo): boolean {
  return one.bytes === other.bytes && one.etag === other.etag;
}
