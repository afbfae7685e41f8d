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
import { folderHolds, type HoldBook } from './hold-book.js';
import type { LegalHold } from './legal-hold.js';

/**
 * The sealed segments of a data folder. Each goes in steps, of which every one may be repeated:
 *
 * 1. Write the tombstone as `sealed/<name>.evicted`, durably. It is the decision: the recorder finishes from here too,
 *    as it finishes its own evictions.
 * 2. Unlink the manifest. From then on no reader sees the segment.
 * 3. Unlink the MCAP.
 * 4. Write `tombstones/<name>.json`, durably, for sync and for readers.
 * 5. Remove the data key and, last, the marker.
 */
export class FolderPlace implements DeletionPlace {
  readonly kind = 'data';
  readonly place: string;
  readonly holds: HoldBook;

  constructor(
    readonly fs: FileSystem,
    readonly folder: DataFolder,
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
        else if (decision.kind === 'remove' && manifest) remove.push(plannedObject(name, manifest));
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
    return notes;
  }

  async remove(object: PlannedObject, facts: DeletedFacts): Promise<string | undefined> {
    const { fs, folder } = this;
    const { key: name } = object;
    const at = (end: string): string => join(folder.sealed, name + end);
    const manifest = await this.#manifest(name);
    if (manifest && manifest.file.crc32 !== object.crc32) return CHANGED;
    const tombstone = manifest ? deletionTombstone(manifest, facts) : await this.#begun(name, facts);
    // Evicted since the plan was made: the stores or its tombstone tell where it is.
    if (tombstone === undefined) return undefined;
    await writeFileDurably(fs, at('.evicted'), encodeManifest(tombstone));
    await fs.rm(at('.json'), { force: true });
    await syncDirectory(fs, folder.sealed);
    for (const end of SEGMENT_ENDS) await fs.rm(at(end), { force: true });
    await makeDirectoryDurably(fs, folder.tombstones);
    await writeFileDurably(fs, join(folder.tombstones, `${name}.json`), encodeManifest(tombstone));
    await fs.rm(join(folder.encryption, `${name}.json`), { force: true });
    await syncDirectory(fs, folder.sealed);
    await fs.rm(at('.evicted'), { force: true });
    return undefined;
  }

  /** The tombstone that an interrupted run wrote, or of an eviction that the recorder has begun. */
  async #begun(name: string, facts: DeletedFacts): Promise<Manifest | undefined> {
    const path = join(this.folder.sealed, `${name}.evicted`);
    const bytes = await readFileIfPresent(this.fs, path);
    if (!bytes) return undefined;
    const marker = decodeManifest(bytes.toString('utf8'), path);
    return marker.deleted ? marker : deletionTombstone(marker, facts);
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
