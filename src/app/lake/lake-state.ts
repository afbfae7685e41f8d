import { isHoldfastError } from '../../core/errors.js';
import {
  changesPrefix,
  decodeLakeChange,
  decodeLakeSegment,
  LAKE_FOLDER,
  segmentsPrefix,
  type LakeChange,
  type LakeFile,
} from '../../core/lake-manifest.js';
import type { ObjectInfo, Store } from '../../core/store.js';
import type { Problem } from '../reading/segments.js';
import { readSmallObject } from '../reading/store-readable.js';

/** What a lake of one form holds now: what its segments made, less what was replaced, plus what replaced it. */
export interface LakeState {
  readonly form: string;
  /** By key, the files whose rows count. */
  readonly live: ReadonlyMap<string, LakeFile>;
  /** The history, in its order. */
  readonly changes: readonly LakeChange[];
  readonly segments: number;
}

const READ_AT_ONCE = 16;

/** The forms that have written into this store. */
export async function lakeForms(store: Store, signal: AbortSignal): Promise<string[]> {
  const forms = new Set<string>();
  for await (const { key } of store.list(`${LAKE_FOLDER}/`, { signal })) {
    const form = key.split('/')[1];
    if (form !== undefined) forms.add(form);
  }
  return [...forms].sort();
}

/**
 * Reads manifests and history. The history is read first: a file that is replaced while this goes on counts as
 * it was, never twice and never not at all. A manifest that cannot be read is a problem; its rows are missing then.
 */
export async function readLake(
  store: Store,
  form: string,
  signal: AbortSignal,
  onProblem: (problem: Problem) => void,
): Promise<LakeState> {
  const changes = await readChanges(store, form, signal);
  const manifests = await readAll(store, segmentsPrefix(form), decodeLakeSegment, signal, ({ key, error }) =>
    onProblem({ where: key, reason: error.message }),
  );
  const live = new Map<string, LakeFile>();
  for (const { files } of manifests) for (const file of files) live.set(file.key, file);
  for (const { replaces, adds } of changes) {
    for (const key of replaces) live.delete(key);
    for (const file of adds) live.set(file.key, file);
  }
  return { form, live, changes, segments: manifests.length };
}

/** The history of a lake, in its order. Throws `MANIFEST_INVALID`: without one of its steps nothing is known. */
export async function readChanges(store: Store, form: string, signal: AbortSignal): Promise<LakeChange[]> {
  const changes = await readAll(store, changesPrefix(form), decodeLakeChange, signal, ({ error }) => {
    throw error;
  });
  return changes.sort((a, b) => a.number - b.number);
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
