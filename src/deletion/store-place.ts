import { defined } from '../core/defined.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import { encodeManifest, manifestKey, type DeletedFacts, type Manifest } from '../core/manifest.js';
import { encodeName } from '../core/name-encoding.js';
import type { ObjectInfo, Store } from '../core/store.js';
import { readManifestObject, storeEntries, type StoreEntry } from '../recordings/catalogue/store-entries.js';
import { decideDeletion } from './decide-deletion.js';
import {
  CHANGED,
  plannedObject,
  type DeletionPlace,
  type KeptObject,
  type PlacePlan,
  type PlannedObject,
} from './deletion-place.js';
import type { DeletionRequest } from './deletion-request.js';
import { deletionTombstone } from './deletion-tombstone.js';
import { storeHolds, type HoldBook } from './hold-book.js';
import { lakeTables } from './lake-tables.js';
import type { LegalHold } from './legal-hold.js';

const UNFINISHED = 'it has no manifest: its upload did not finish';

/**
 * The segments of a store. The tombstone replaces the manifest first, and the object goes second: in between, readers
 * see a deleted segment and never a missing one.
 */
export class StorePlace implements DeletionPlace {
  readonly kind = 'store';
  readonly place: string;
  readonly holds: HoldBook;

  constructor(
    readonly store: Store,
    readonly signal: AbortSignal,
  ) {
    this.place = store.uri;
    this.holds = storeHolds(store, signal);
  }

  async survey(request: DeletionRequest, holds: readonly LegalHold[]): Promise<PlacePlan> {
    const remove: PlannedObject[] = [];
    const keep: KeptObject[] = [];
    for await (const entry of storeEntries(this.store, this.signal, prefixOf(request.robot))) {
      await this.#look(entry, request, holds, remove, keep);
    }
    keep.push(...(await lakeTables(this.store, request.robot, this.signal)));
    return { place: this.place, kind: this.kind, remove, keep, notes: await this.#notes(request) };
  }

  async #look(
    { object, manifest: info }: StoreEntry,
    request: DeletionRequest,
    holds: readonly LegalHold[],
    remove: PlannedObject[],
    keep: KeptObject[],
  ): Promise<void> {
    if (object === undefined) return;
    const { key, bytes } = object;
    if (info === undefined) {
      keep.push({ key, bytes, why: UNFINISHED });
      return;
    }
    try {
      const manifest = await readManifestObject(this.store, info, this.signal);
      // An object beside its tombstone was left over by an interrupted run.
      const { deleted, evicted, ...rest } = manifest;
      const decision = decideDeletion(deleted ? rest : { ...rest, ...defined({ evicted }) }, request, holds);
      if (decision.kind === 'remove') remove.push({ ...plannedObject(key, manifest), bytes });
      else if (decision.kind === 'keep') keep.push({ key, bytes, why: decision.why });
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      keep.push({ key, bytes, why: describeError(error) });
    }
  }

  async #notes({ robot }: DeletionRequest): Promise<string[]> {
    const notes: string[] = [];
    const prefix = prefixOf(robot);
    let uploads = 0;
    for await (const { key } of this.store.listUploads({ signal: this.signal })) {
      if (key.startsWith(prefix)) uploads++;
    }
    if (uploads > 0)
      notes.push(`${uploads} uploads of the robot are unfinished; sync completes or aborts them`);
    const versioning = (await this.store.versioning?.({ signal: this.signal })) ?? 'off';
    if (versioning === 'on') {
      notes.push(
        'the bucket is versioned: earlier versions of removed objects remain until a lifecycle rule ends them',
      );
    } else if (versioning === 'unknown') {
      notes.push('the store does not tell whether the bucket is versioned: earlier versions may remain');
    }
    return notes;
  }

  async remove(object: PlannedObject, facts: DeletedFacts): Promise<string | undefined> {
    const { store, signal } = this;
    const info = await store.head(manifestKey(object.key), { signal });
    // Removed by another deletion or a lifecycle rule, with its manifest.
    if (info === undefined) return (await store.head(object.key, { signal })) && UNFINISHED;
    const manifest = await readManifestObject(store, info, signal);
    if (manifest.file.crc32 !== object.crc32) return CHANGED;
    if (manifest.deleted === undefined) {
      await this.#put(info, deletionTombstone(manifest, facts));
    }
    try {
      await store.delete(object.key, { signal });
    } catch (error) {
      if (!isHoldfastError(error) || error.retryable) throw error;
      // Without its manifest, what stays would be unreadable.
      if (manifest.deleted === undefined) await this.#put(info, manifest);
      return `the store refuses: ${describeError(error)}`;
    }
    return (await store.head(object.key, { signal })) && 'the store still shows it after its removal';
  }

  async #put({ key }: ObjectInfo, manifest: Manifest): Promise<void> {
    await this.store.put(key, Buffer.from(encodeManifest(manifest)), { signal: this.signal });
  }
}

function prefixOf(robot: string): string {
  return `robot=${encodeName(robot)}/`;
}
