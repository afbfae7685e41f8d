import { createHash } from 'node:crypto';
import { dirname } from 'node:path/posix';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/clock.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { LakeChange, LakeFile } from '../../core/lake-manifest.js';
import type { DeletedFacts } from '../../core/manifest.js';
import type { Store } from '../../core/store.js';
import {
  CHANGED,
  type DeletionPlace,
  type KeptObject,
  type PlacePlan,
  type PlannedObject,
  type Removal,
} from '../../deletion/deletion-place.js';
import { shortDigest, requestToJson, type DeletionRequest } from '../../deletion/deletion-request.js';
import { storeHolds, type HoldBook } from '../../deletion/hold-book.js';
import type { LegalHold } from '../../deletion/legal-hold.js';
import { storeReadable } from '../../recordings/store-readable.js';
import { StorePlace } from '../export/store-place.js';
import { commitChange } from './commit-change.js';
import { COMPACT_WRITER, compactedName, isCompacted } from './lake-claims.js';
import { lakeForms, readChanges, readLake, type LakeState } from './lake-state.js';
import { loadZstd, rewriteTables, type MergeInput, type ZstdCodec } from './merge-tables.js';
import { findNamedRows, judgeRow } from './named-rows.js';
import { markRemainders } from './mark-remainders.js';

type Lakes = readonly { readonly form: string; readonly files: ReadonlyMap<string, LakeFile> }[];

interface Found {
  readonly form: string;
  readonly file: LakeFile;
  readonly done: LakeChange | undefined;
}

/** What deleting rows of a lake needs. */
export interface LakePorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
}

/**
 * The tables of the lakes of a store. A file with rows that go is written again without them, or dropped. Each goes in
 * steps, of which every one may be repeated:
 *
 * 1. Write the new file, under a name that follows from the old one and the request, and verify it.
 * 2. Write a change into the history of the lake, if its number is free: the swap. Readers of the manifests see the new
 *    file from then on.
 * 3. Remove the old file.
 */
export class LakePlace implements DeletionPlace {
  readonly kind = 'lake';
  readonly place: string;
  readonly holds: HoldBook;
  readonly judgesHolds = true;
  /** Read once: files of a lake that come later are in no plan. */
  #known: Promise<Lakes> | undefined;

  constructor(
    readonly store: Store,
    readonly signal: AbortSignal,
    readonly ports: LakePorts,
  ) {
    this.place = `lake ${store.uri}`;
    this.holds = storeHolds(store, signal);
  }

  async survey(request: DeletionRequest, holds: readonly LegalHold[]): Promise<PlacePlan> {
    const remove: PlannedObject[] = [];
    const keep: KeptObject[] = [];
    const zstd = await loadZstd();
    for (const form of await lakeForms(this.store, this.signal)) {
      const state = await this.#read(form, keep);
      for (const file of await this.#present(state, keep)) {
        const found = await this.#look(file, request, holds, zstd);
        const { key, bytes } = file;
        if (typeof found === 'string') keep.push({ key, bytes, why: found });
        else if (found !== undefined) {
          const { named, rows, held, hold, first, last } = found;
          if (hold) keep.push({ key, bytes, why: `${held} rows: legal hold ${hold.id}: ${hold.reason}` });
          const isLive = state.live.has(key);
          const part = isLive && named < rows ? { part: true as const } : {};
          const times = { firstLogTime: String(first), lastLogTime: String(last) };
          // A file that was replaced and is still there goes whole: its rows count in the file that replaced it.
          const messages = isLive ? named : 0;
          if (named > 0) remove.push({ key, bytes, crc32: file.crc32, messages, ...times, ...part });
        }
      }
    }
    return { place: this.place, kind: this.kind, remove, keep, notes: [] };
  }

  async remove(
    object: PlannedObject,
    facts: DeletedFacts,
    request: DeletionRequest,
    holds: readonly LegalHold[] = [],
  ): Promise<string | undefined> {
    const outcome = await this.cut(object, facts, request, holds);
    return outcome.kind === 'kept' ? outcome.why : undefined;
  }

  async cut(
    object: PlannedObject,
    facts: DeletedFacts,
    request: DeletionRequest,
    holds: readonly LegalHold[] = [],
  ): Promise<Removal> {
    const found = await this.#find(object.key);
    if (found === undefined) return { kind: 'kept', why: CHANGED };
    const { form, file, done } = found;
    if (done === undefined) {
      if (file.crc32 !== object.crc32) return { kind: 'kept', why: CHANGED };
      const change = await this.#rewrite(form, file, facts, request, holds);
      if (change === 'none') return { kind: 'none' };
      if (change === undefined) return { kind: 'kept', why: CHANGED };
      return this.#drop(object, change);
    }
    // Replaced by a compaction before the plan was made: the file with its rows is in the plan as well.
    const isKnown = done.removed ? done.removed.plan === facts.plan : object.messages === 0;
    return isKnown ? this.#drop(object, done) : { kind: 'kept', why: CHANGED };
  }

  /** Sync takes what a deletion left of a segment for sent: its rows are under the marker of the whole. */
  async finish(request: DeletionRequest): Promise<void> {
    for (const form of await lakeForms(this.store, this.signal)) {
      await markRemainders(this.store, form, request, this.signal);
    }
  }

  #read(form: string, keep: KeptObject[]): Promise<LakeState> {
    return readLake(this.store, form, this.signal, ({ where, reason }) =>
      keep.push({ key: where, bytes: 0, why: reason }),
    );
  }

  /** The files that the store has, replaced ones too; leftovers of compactions are of no known lake. */
  async #present(state: LakeState, keep: KeptObject[]): Promise<LakeFile[]> {
    const { store, signal } = this;
    const known = filesOf(state);
    const there: LakeFile[] = [];
    for await (const { key, bytes } of store.list('', { signal })) {
      const file = known.get(key);
      if (file) there.push(file);
      else if (isCompacted(state.form, key)) {
        keep.push({ key, bytes, why: 'a compaction ended half-way: run holdfast compact, and delete again' });
      }
    }
    return there;
  }

  async #look(
    file: LakeFile,
    request: DeletionRequest,
    holds: readonly LegalHold[],
    zstd: ZstdCodec,
  ): Promise<Awaited<ReturnType<typeof findNamedRows>> | string | undefined> {
    try {
      return await findNamedRows(this.#input(file), file.rows, request, holds, zstd);
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
      if (!isHoldfastError(error) || error.retryable) throw error;
      return `it cannot be read: ${describeError(error)}`;
    }
  }

  /** The lake that has the file, and the step of its history that replaced it. */
  async #find(key: string): Promise<Found | undefined> {
    const { store, signal } = this;
    this.#known ??= this.#readAll();
    for (const { form, files } of await this.#known) {
      const changes = await readChanges(store, form, signal);
      const added = changes.flatMap(({ adds }) => adds).find((one) => one.key === key);
      const file = files.get(key) ?? added;
      if (file) return { form, file, done: changes.find(({ replaces }) => replaces.includes(key)) };
    }
    return undefined;
  }

  async #readAll(): Promise<Lakes> {
    const { store, signal } = this;
    const lakes = [];
    for (const form of await lakeForms(store, signal)) {
      lakes.push({ form, files: filesOf(await readLake(store, form, signal, () => undefined)) });
    }
    return lakes;
  }

  /** The change that replaces the file; `none`: no row goes; undefined: another process changed the file meanwhile. */
  async #rewrite(
    form: string,
    file: LakeFile,
    facts: DeletedFacts,
    request: DeletionRequest,
    holds: readonly LegalHold[],
  ): Promise<LakeChange | 'none' | undefined> {
    const { store, signal } = this;
    const ports = { store, signal, clock: this.ports.clock };
    const zstd = await loadZstd();
    const { named, rows } = await findNamedRows(this.#input(file), file.rows, request, holds, zstd);
    if (named === 0) return 'none';
    const made = named < rows ? await this.#write(form, file, request, holds, zstd) : undefined;
    const change = await commitChange(
      form,
      {
        ...{ replaces: [file.key], adds: made ? [made] : [], duplicates: 0, abandons: [] },
        removed: { rows: named, plan: facts.plan },
      },
      ports,
    );
    if (change === undefined && made !== undefined && (await this.#isUnnamed(form, made.key))) {
      await store.delete(made.key, { signal });
    }
    return change;
  }

  async #write(
    form: string,
    file: LakeFile,
    request: DeletionRequest,
    holds: readonly LegalHold[],
    zstd: ZstdCodec,
  ): Promise<LakeFile> {
    const { store, signal } = this;
    const digest = createHash('sha256').update(`${file.key} ${file.sha256}`).digest('hex');
    const name = compactedName(form, shortDigest([digest, requestToJson(request)]));
    const key = `${dirname(file.key)}/${name}`;
    const place = new StorePlace(store, this.ports.fs, signal);
    const out = await place.create(key);
    try {
      let crc = 0;
      const write = (bytes: Uint8Array): Promise<void> => {
        crc = crc32(bytes, crc);
        return out.write(bytes);
      };
      const keeps = (row: Parameters<typeof judgeRow>[0]): boolean =>
        judgeRow(row, request, holds) !== 'goes';
      const rewriting = { distinct: false, keeps };
      const { rows } = await rewriteTables([this.#input(file)], COMPACT_WRITER, rewriting, zstd, write);
      return { key, ...(await out.finish()), crc32: crc, rows, table: file.table };
    } catch (error) {
      await out.abort();
      throw error;
    } finally {
      await place.dropScratch();
    }
  }

  /** Whether no step of the history has this file: it is of nobody. */
  async #isUnnamed(form: string, key: string): Promise<boolean> {
    const changes = await readChanges(this.store, form, this.signal);
    return !changes.some(({ adds }) => adds.some((file) => file.key === key));
  }

  async #drop(object: PlannedObject, { adds, removed }: LakeChange): Promise<Removal> {
    const { key, bytes } = object;
    try {
      await this.store.delete(key, { signal: this.signal });
    } catch (error) {
      if (!isHoldfastError(error) || error.retryable) throw error;
      return {
        kind: 'kept',
        why: `no reader of the manifests sees it, and the store refuses: ${describeError(error)}`,
      };
    }
    if (await this.store.head(key, { signal: this.signal }))
      return { kind: 'kept', why: 'the store still shows it after its removal' };
    const [made] = removed ? adds : [];
    const { crc32: crc, firstLogTime, lastLogTime } = object;
    const messages = removed?.rows ?? object.messages;
    const removal = { key, bytes, crc32: crc, messages, firstLogTime, lastLogTime };
    if (made === undefined) return { kind: 'removed', object: removal };
    const remainder = { key: made.key, bytes: made.bytes, crc32: made.crc32, messages: made.rows };
    return { kind: 'removed', object: { ...removal, part: true, remainder } };
  }

  #input({ key, bytes }: LakeFile): MergeInput {
    const { store, signal } = this;
    return { key, readable: storeReadable(store, key, bytes, { signal }) };
  }
}

/** Every file that a marker lists or a step of the history adds. */
function filesOf({ listed, changes }: LakeState): Map<string, LakeFile> {
  const files = new Map(listed);
  for (const { adds } of changes) for (const file of adds) files.set(file.key, file);
  return files;
}
