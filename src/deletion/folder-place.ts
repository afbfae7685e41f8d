import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import {
  makeDirectoryDurably,
  readFileIfPresent,
  syncDirectory,
  writeFileDurably,
} from '../core/durable-files.js';
import { describeError, isHoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import {
  decodeManifest,
  encodeManifest,
  isSegmentKey,
  SEGMENT_ENDS,
  withoutSegmentEnd,
  type DeletedFacts,
  type Manifest,
} from '../core/manifest.js';
import { decodePlacedManifest, nameFaults } from '../core/manifest-place.js';
import { removeSegmentCopies } from '../core/segment-copies.js';
import { readRequiredSinks, SINKS_FILE } from '../core/sink.js';
import { noKeys } from '../encryption/keyring.js';
import type { CutPorts } from './cut-segment.js';
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
import { folderHolds, type HoldBook } from './hold-book.js';
import type { LegalHold } from './legal-hold.js';
import { partRefusal } from './part-keys.js';
import { readRemainder, remainderInFolder } from './remainder-in-folder.js';
import { remainderName } from './remainder-name.js';

/**
 * The sealed segments of a data folder. Each goes in steps, of which every one may be repeated:
 *
 * 1. Write the tombstone as `sealed/<name>.evicted`, durably. It is the decision: the recorder finishes from here too,
 *    as it finishes its own evictions.
 * 2. Unlink the manifest. From then on no reader sees the segment.
 * 3. Unlink the MCAP.
 * 4. Write `tombstones/<name>.json`, durably, for sync and for readers.
 * 5. Remove what sync made of it in `transformed/` and `sinks/`, the data key and, last, the marker.
 */
export class FolderPlace implements DeletionPlace {
  readonly kind = 'data';
  readonly place: string;
  readonly holds: HoldBook;

  constructor(
    readonly fs: FileSystem,
    readonly folder: DataFolder,
    readonly keys: Pick<CutPorts, 'keyring' | 'random'> = { keyring: noKeys, random: randomBytes },
  ) {
    this.place = resolve(folder.root);
    this.holds = folderHolds(fs, folder);
  }

  async survey(request: DeletionRequest, holds: readonly LegalHold[]): Promise<PlacePlan> {
    const remove: PlannedObject[] = [];
    const keep: KeptObject[] = [];
    const names = await this.#names(this.folder.sealed);
    for (const file of names.filter(isSegmentKey)) {
      const name = withoutSegmentEnd(file);
      const bytes = (await this.fs.stat(join(this.folder.sealed, file)).catch(() => undefined))?.size ?? 0;
      try {
        const manifest = await this.#manifest(name);
        const decision = manifest && decideDeletion(manifest, request, holds);
        if (decision === undefined) keep.push({ key: name, bytes, why: 'it has no manifest yet' });
        else if (decision.kind === 'keep') keep.push({ key: name, bytes, why: decision.why });
        else if (decision.kind !== 'none' && manifest) {
          const refusal = decision.kind === 'cut' ? partRefusal(manifest, this.keys.keyring) : undefined;
          const part = decision.kind === 'cut' ? { part: true as const } : {};
          if (refusal !== undefined) keep.push({ key: name, bytes, why: refusal });
          else remove.push({ ...plannedObject(name, manifest), ...part });
        }
      } catch (error) {
        if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
        keep.push({ key: name, bytes, why: describeError(error) });
      }
    }
    keep.push(...(await this.#elsewhere()));
    return { place: this.place, kind: this.kind, remove, keep, notes: await this.#notes() };
  }

  /** Segments whose robots and times no manifest tells. */
  async #elsewhere(): Promise<KeptObject[]> {
    const { wal, quarantine } = this.folder;
    const of = async (path: string, why: string): Promise<KeptObject[]> =>
      (await this.#names(path)).map((key) => ({ key, bytes: 0, why }));
    return [
      ...(await of(wal, 'it is not sealed yet: end the recorder, or run holdfast recover, and delete again')),
      ...(await of(quarantine, 'it is in quarantine: a person must look at it')),
    ];
  }

  async #notes(): Promise<string[]> {
    const { exports, events } = this.folder;
    const notes: string[] = [];
    if ((await this.#names(exports)).length > 0)
      notes.push('exports/ has copies that a deletion does not examine');
    if ((await this.#names(events)).length > 0) notes.push('events/ has marked events, which stay');
    return [...notes, ...(await this.#delivered())];
  }

  /** Where sync must deliver, as it wrote it down last. */
  async #delivered(): Promise<string[]> {
    try {
      const sinks = await readRequiredSinks(this.fs, join(this.folder.root, SINKS_FILE));
      const uris = new Set((sinks ?? []).map(({ uri }) => uri));
      return [...uris].map(
        (uri) => `sync sends to ${uri}: its copies stay unless the deletion names that place`,
      );
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      return [`nothing tells where sync has sent segments: ${describeError(error)}`];
    }
  }

  async remove(object: PlannedObject, facts: DeletedFacts): Promise<string | undefined> {
    const { key: name } = object;
    const manifest = await this.#manifest(name);
    if (manifest && manifest.file.crc32 !== object.crc32) return CHANGED;
    const tombstone = manifest ? deletionTombstone(manifest, facts) : await this.#begun(name, facts);
    if (tombstone) await this.#replace(name, tombstone);
    // Evicted since the plan was made: the stores or its tombstone tell where it is. Another deletion may have left a
    // part of it under another name.
    const left = tombstone ?? (await this.#tombstone(name));
    return left?.deleted?.remainder === undefined ? undefined : CHANGED;
  }

  /** Before the steps above, the segment with the rest is written beside it: see {@link remainderInFolder}. */
  async cut(object: PlannedObject, facts: DeletedFacts, request: DeletionRequest): Promise<Removal> {
    const { fs, folder, keys } = this;
    const { key: name } = object;
    const manifest = await this.#manifest(name);
    if (manifest && manifest.file.crc32 !== object.crc32) return { kind: 'kept', why: CHANGED };
    let tombstone: Manifest | undefined;
    if (manifest) {
      const made = await orRefusal(remainderInFolder({ fs, ...keys }, folder, manifest, request));
      if (made === undefined) return { kind: 'none' };
      if (typeof made === 'string') return { kind: 'kept', why: made };
      tombstone = partTombstone(manifest, made, facts);
    } else tombstone = await this.#begun(name, facts);
    if (tombstone) await this.#replace(name, tombstone);
    const remainder = await readRemainder(fs, folder, name, request);
    if (remainder === undefined) return { kind: 'kept', why: CHANGED };
    return { kind: 'removed', object: removedPart(object, remainderName(name, request), remainder) };
  }

  async #replace(name: string, tombstone: Manifest): Promise<void> {
    const { fs, folder } = this;
    const at = (end: string): string => join(folder.sealed, name + end);
    await writeFileDurably(fs, at('.evicted'), encodeManifest(tombstone));
    await fs.rm(at('.json'), { force: true });
    await syncDirectory(fs, folder.sealed);
    for (const end of SEGMENT_ENDS) await fs.rm(at(end), { force: true });
    await makeDirectoryDurably(fs, folder.tombstones);
    await writeFileDurably(fs, join(folder.tombstones, `${name}.json`), encodeManifest(tombstone));
    await removeSegmentCopies(fs, folder, name);
    await fs.rm(join(folder.encryption, `${name}.json`), { force: true });
    await syncDirectory(fs, folder.sealed);
    await fs.rm(at('.evicted'), { force: true });
  }

  /** The tombstone that an interrupted run wrote, or of an eviction that the recorder has begun. */
  async #begun(name: string, facts: DeletedFacts): Promise<Manifest | undefined> {
    const path = join(this.folder.sealed, `${name}.evicted`);
    const bytes = await readFileIfPresent(this.fs, path);
    if (!bytes) return undefined;
    const marker = decodeManifest(bytes.toString('utf8'), path);
    return marker.deleted ? marker : deletionTombstone(marker, facts);
  }

  async tombstones(plan: string): Promise<readonly Manifest[]> {
    const found: Manifest[] = [];
    for (const file of await this.#names(this.folder.tombstones)) {
      if (!file.endsWith('.json')) continue;
      const tombstone = await this.#tombstone(file.slice(0, -'.json'.length));
      if (tombstone?.deleted?.plan === plan) found.push(tombstone);
    }
    return found;
  }

  async #tombstone(name: string): Promise<Manifest | undefined> {
    const path = join(this.folder.tombstones, `${name}.json`);
    const bytes = await readFileIfPresent(this.fs, path);
    return bytes && decodeManifest(bytes.toString('utf8'), path);
  }

  async #manifest(name: string): Promise<Manifest | undefined> {
    const path = join(this.folder.sealed, `${name}.json`);
    const bytes = await readFileIfPresent(this.fs, path);
    return (
      bytes && decodePlacedManifest(bytes.toString('utf8'), path, (one) => nameFaults(`${name}.json`, one))
    );
  }

  async #names(path: string): Promise<string[]> {
    try {
      return (await this.fs.readdir(path)).sort();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }
}
