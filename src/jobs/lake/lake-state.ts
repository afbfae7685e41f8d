import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import {
  changesPrefix,
  decodeLakeChange,
  decodeLakeSegment,
  LAKE_FOLDER,
  lakeChangeKey,
  lakeSegmentKey,
  segmentsPrefix,
  type LakeChange,
  type LakeFile,
  type LakeSegment,
} from '../../core/lake-manifest.js';
import type { ObjectInfo, Store } from '../../core/store.js';
import type { Problem } from '../../recordings/segments.js';
import { readSmallObject } from '../../recordings/store-readable.js';

/**
 * The present content of a lake of one form: the files made of its segments, without the replaced ones, with
 * their replacements.
 */
export interface LakeState {
  readonly form: string;
  /** By key, the files whose rows count. */
  readonly live: ReadonlyMap<string, LakeFile>;
  /** By key, every file that a marker lists, replaced or not. */
  readonly listed: ReadonlyMap<string, LakeFile>;
  /** The history, in its order. */
  readonly changes: readonly LakeChange[];
  readonly segments: number;
}

const READ_AT_ONCE = 16;

/** The forms that have written into this store. Legal holds and requests are beside them in the same folder. */
export async function lakeForms(store: Store, signal: AbortSignal): Promise<string[]> {
  const forms = new Set<string>();
  for await (const { key } of store.list(`${LAKE_FOLDER}/`, { signal })) {
    const form = key.split('/')[1] ?? '';
    if (key.startsWith(segmentsPrefix(form)) || key.startsWith(changesPrefix(form))) forms.add(form);
  }
  return [...forms].sort();
}

/**
 * Reads manifests and history. The history is read first: a file that is replaced meanwhile still counts,
 * exactly once. A manifest that cannot be read is a problem, and its rows are missing.
 */
export async function readLake(
  store: Store,
  form: string,
  signal: AbortSignal,
  onProblem: (problem: Problem) => void,
): Promise<LakeState> {
  const changes = await readChanges(store, form, signal);
  const manifests = await readAll(store, segmentsPrefix(form), decodeMarker, signal, ({ key, error }) =>
    onProblem({ where: key, reason: error.message }),
  );
  const listed = new Map<string, LakeFile>();
  for (const { files } of manifests) for (const file of files) listed.set(file.key, file);
  const live = new Map(listed);
  for (const { replaces, adds } of changes) {
    for (const key of replaces) live.delete(key);
    for (const file of adds) live.set(file.key, file);
  }
  return { form, live, listed, changes, segments: manifests.length };
}

/** The history of a lake, in its order. Throws `MANIFEST_INVALID`: if a step is missing, nothing is known. */
export async function readChanges(store: Store, form: string, signal: AbortSignal): Promise<LakeChange[]> {
  const changes = await readAll(store, changesPrefix(form), decodeStep, signal, ({ error }) => {
    throw error;
  });
  return changes.sort((a, b) => a.number - b.number);
}

/** A marker counts only at its own place: copied elsewhere it belongs to another segment or lake. */
function decodeMarker(text: string, key: string): LakeSegment {
  const marker = decodeLakeSegment(text, key);
  return atItsPlace(marker, key, lakeSegmentKey(marker.form, marker.source.key));
}

function decodeStep(text: string, key: string): LakeChange {
  const change = decodeLakeChange(text, key);
  return atItsPlace(change, key, lakeChangeKey(change.form, change.number));
}

function atItsPlace<T>(manifest: T, key: string, place: string): T {
  if (key === place) return manifest;
  throw new HoldfastError('MANIFEST_INVALID', `${key} belongs at ${place}: it was copied or forged`, {
    facts: { key, place },
  });
}

interface Unreadable {
  readonly key: string;
  readonly error: Error;
}

async function readAll<T>(
  store: Store,
  prefix: string,
  decode: (text: string, name: string) => T,
  signal: AbortSignal,
  onUnreadable: (unreadable: Unreadable) => void,
): Promise<T[]> {
  const found: T[] = [];
  const read = async ({ key, bytes }: ObjectInfo): Promise<void> => {
    try {
      const data = await readSmallObject(store, key, bytes, signal);
      found.push(decode(Buffer.from(data).toString('utf8'), key));
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      onUnreadable({ key, error });
    }
  };
  let batch: ObjectInfo[] = [];
  for await (const info of store.list(prefix, { signal })) {
    batch.push(info);
    if (batch.length < READ_AT_ONCE) continue;
    await Promise.all(batch.map(read));
    batch = [];
  }
  await Promise.all(batch.map(read));
  return found;
}
