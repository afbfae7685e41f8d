import { defined } from '../core/defined.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import {
  encodeManifest,
  manifestKey,
  withoutSegmentEnd,
  type DeletedFacts,
  type Manifest,
} from '../core/manifest.js';
import { encodeName } from '../core/name-encoding.js';
import type { ObjectInfo, Store } from '../core/store.js';
import { readManifestObject, storeEntries, type StoreEntry } from '../recordings/catalogue/store-entries.js';
import { decideDeletion } from './decide-deletion.js';
import {
  CHANGED,
  orRefusal,
  plannedObject,
  removedPart,
  type Removal,
  type DeletionPlace,
  type KeptObject,
  type PlacePlan,
  type PlannedObject,
} from './deletion-place.js';
import type { DeletionRequest } from './deletion-request.js';
import { deletionTombstone, partTombstone } from './deletion-tombstone.js';
import { storeHolds, type HoldBook } from './hold-book.js';
import type { LegalHold } from './legal-hold.js';
import { partRefusal } from './part-keys.js';
import { readStoredRemainder, remainderInStore, type StoreCutPorts } from './remainder-in-store.js';
import { remainderName } from './remainder-name.js';

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
    readonly ports?: StoreCutPorts,
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
      const refusal = decision.kind === 'cut' ? this.#partRefusal(manifest) : undefined;
      if (decision.kind === 'keep') keep.push({ key, bytes, why: decision.why });
      else if (refusal !== undefined) keep.push({ key, bytes, why: refusal });
      else if (decision.kind !== 'none') {
        const part = decision.kind === 'cut' ? { part: true as const } : {};
        remove.push({ ...plannedObject(key, manifest), bytes, ...part });
      }
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      keep.push({ key, bytes, why: describeError(error) });
    }
  }

  #partRefusal(manifest: Manifest): string | undefined {
    if (this.ports === undefined) return 'only a part of it would go';
    return partRefusal(manifest, this.ports.keyring);
  }

  async #notes({ robot }: DeletionRequest): Promise<string[]> {
    const notes: string[] = [];
    const prefix = prefixOf(robot);
    let uploads = 0;
    for await (const { key } of this.store.listUploads({ signal: this.signal })) {
      if (key.startsWith(prefix)) uploads++;
    }
    if (uploads > 0)
      notes.push(
        `${uploads} uploads of the robot are unfinished: those of segments that go are aborted, and sync completes or aborts the others`,
      );
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
    const why = await this.#replace(info, object.key, manifest, () => deletionTombstone(manifest, facts));
    // Another deletion left a part of it under another key since the plan was made.
    const isCut = manifest.deleted?.remainder !== undefined && manifest.messages !== object.messages;
    return why ?? (isCut ? CHANGED : undefined);
  }

  /** The segment with the rest is in the store, verified and with its manifest, before the tombstone is written. */
  async cut(object: PlannedObject, facts: DeletedFacts, request: DeletionRequest): Promise<Removal> {
    const { store, signal, ports } = this;
    const { key } = object;
    const info = await store.head(manifestKey(key), { signal });
    const manifest = info && (await readManifestObject(store, info, signal));
    if (manifest && manifest.file.crc32 !== object.crc32) return { kind: 'kept', why: CHANGED };
    if (info && manifest) {
      let tombstone = manifest;
      if (manifest.deleted === undefined) {
        if (ports === undefined) return { kind: 'kept', why: 'only a part of it would go' };
        const made = await orRefusal(remainderInStore(ports, { store, key, manifest, signal }, request));
        if (made === undefined) return { kind: 'none' };
        if (typeof made === 'string') return { kind: 'kept', why: made };
        tombstone = partTombstone(manifest, made, facts);
      }
      const why = await this.#replace(info, key, manifest, () => tombstone);
      if (why !== undefined) return { kind: 'kept', why: await this.#takeBack(key, request, why) };
    }
    const remainder = await readStoredRemainder(store, key, request, signal);
    if (remainder === undefined) return { kind: 'kept', why: CHANGED };
    return { kind: 'removed', object: removedPart(object, remainderName(key, request), remainder) };
  }

  /** The tombstone first, and then the object goes. */
  async #replace(
    info: ObjectInfo,
    key: string,
    manifest: Manifest,
    tombstone: () => Manifest,
  ): Promise<string | undefined> {
    const { store, signal } = this;
    if (manifest.deleted === undefined) await this.#put(info, tombstone());
    try {
      await store.delete(key, { signal });
    } catch (error) {
      if (!isHoldfastError(error) || error.retryable) throw error;
      // Without its manifest, what stays would be unreadable.
      if (manifest.deleted === undefined) await this.#put(info, manifest);
      return `the store refuses: ${describeError(error)}`;
    }
    return (await store.head(key, { signal })) && 'the store still shows it after its removal';
  }

  /** The whole segment stays, so its remainder goes: readers would see the rest twice. */
  async #takeBack(key: string, request: DeletionRequest, why: string): Promise<string> {
    const remainder = remainderName(key, request);
    try {
      await this.store.delete(manifestKey(remainder), { signal: this.signal });
      await this.store.delete(remainder, { signal: this.signal });
      return why;
    } catch (error) {
      if (!isHoldfastError(error) || error.retryable) throw error;
      return `${why}; ${remainder} has what would be left of it, and it stays too`;
    }
  }

  /**
   * A tombstone where no manifest is: an upload that is under way then cannot publish its segment, and removes what it
   * sent. If the upload was faster, its manifest stays, and a further look at the store finds the segment.
   */
  async shut(tombstones: readonly Manifest[], removed: readonly string[]): Promise<KeptObject[]> {
    const { store, signal } = this;
    const kept: KeptObject[] = [];
    const attempt = async (key: string, work: () => Promise<unknown>): Promise<void> => {
      const why = await refusalOf(work);
      if (why !== undefined) kept.push({ key, bytes: 0, why });
    };
    for (const tombstone of tombstones) await attempt(tombstone.key, () => this.#putIfAbsent(tombstone));
    const gone = new Set([...tombstones.map(({ key }) => key), ...removed].map(nameOf));
    for await (const { key, uploadId } of store.listUploads({ signal }))
      if (gone.has(nameOf(key))) await attempt(key, () => store.abortUpload({ key, uploadId }, { signal }));
    return kept;
  }

  async #putIfAbsent(tombstone: Manifest): Promise<void> {
    const { store, signal } = this;
    const at = manifestKey(tombstone.key);
    const ifAbsent = store.supports.conditionalPut;
    if (await store.head(at, { signal })) return;
    try {
      await store.put(at, Buffer.from(encodeManifest(tombstone)), { signal, ifAbsent });
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
    }
  }

  async #put({ key }: ObjectInfo, manifest: Manifest): Promise<void> {
    await this.store.put(key, Buffer.from(encodeManifest(manifest)), { signal: this.signal });
  }
}

function prefixOf(robot: string): string {
  return `robot=${encodeName(robot)}/`;
}

/** Key of a segment without its end, and without the number that a taken key gets. */
function nameOf(key: string): string {
  return withoutSegmentEnd(key).replace(/~\d+$/, '');
}

/** Why a store does not do it for good. Throws what may pass. */
async function refusalOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!isHoldfastError(error) || error.retryable) throw error;
    return `the store refuses: ${describeError(error)}`;
  }
}
