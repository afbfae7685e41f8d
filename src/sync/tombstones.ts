import { defined } from '../core/defined.js';
import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { readFileIfPresent, syncDirectory } from '../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import {
  decodeManifest,
  encodeManifest,
  manifestKey,
  SEGMENT_ENDS,
  withoutSegmentEnd,
  type Manifest,
} from '../core/manifest.js';
import type { SegmentDeriver } from '../core/segment-deriver.js';
import { selects } from '../core/sink.js';
import { deletedInStore } from './deleted-in-store.js';
import { putManifest, putMarker, readObject, type PutManifestPorts } from './put-manifest.js';
import { StoreTrouble } from './store-calls.js';
import type { SharedTombstones, SinkSpec } from './sync-sink.js';
import { keyWithSuffix } from './upload-state.js';

export interface TombstonePorts extends PutManifestPorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  readonly logger: Logger;
  readonly checkIdentity: () => Promise<void>;
  /** The segment is still here and still being uploaded: its upload decides. */
  readonly isUploading: (name: string) => boolean;
  readonly sink: SinkSpec;
  readonly shared: SharedTombstones;
  readonly onTrouble: (message: string) => void;
  /** Keys of segments that are gone: unfinished uploads of their robots may be of this data folder. */
  readonly onKey: (key: string) => void;
}

const SUFFIX_MAX = 8;

/** Reports to the store which segments were evicted before the upload, then removes the local file. */
export class Tombstones {
  readonly #ports: TombstonePorts;
  readonly #refused = new Map<string, { readonly code: string; readonly message: string }>();
  #waiting = new Set<string>();
  /** This store has it, but the stores of other sinks do not yet. */
  #told = new Set<string>();

  constructor(ports: TombstonePorts) {
    this.#ports = ports;
  }

  /** Tombstones of the last round that the store does not have yet and may still receive. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Tombstones that no store can ever receive, with the reason. */
  get refused(): ReadonlyMap<string, { readonly code: string; readonly message: string }> {
    return this.#refused;
  }

  /** Lists the tombstones, without writing to the store. */
  async count(): Promise<number> {
    this.#waiting = new Set(await this.#names());
    return this.#waiting.size;
  }

  /** One round over all. Rejects only with the signal's reason; the rest waits for the next round. */
  async deliver(signal: AbortSignal): Promise<void> {
    const names = await this.#names();
    this.#waiting = new Set(names);
    for (const name of names) {
      if (this.#ports.isUploading(name)) continue;
      try {
        await this.#deliverOne(name, signal);
        this.#waiting.delete(name);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (error instanceof StoreTrouble) return;
        this.#note(name, error);
      }
    }
  }

  #note(name: string, error: unknown): void {
    const message = `tombstone ${name} cannot be written to the store: ${describeError(error)}`;
    this.#ports.onTrouble(message);
    const forGood = isHoldfastError(error, 'MANIFEST_INVALID') || isHoldfastError(error, 'STORE_REJECTED');
    if (!forGood) return;
    this.#refused.set(name, { code: error.code, message });
    this.#waiting.delete(name);
  }

  async #names(): Promise<string[]> {
    const { fs, folder, onTrouble } = this.#ports;
    const files = await fs.readdir(folder.tombstones).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') onTrouble(`tombstones cannot be listed: ${describeError(error)}`);
      return [] as string[];
    });
    const names = files
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length));
    this.#told = new Set(names.filter((name) => this.#told.has(name)));
    return names.filter((name) => !this.#refused.has(name) && !this.#told.has(name)).sort();
  }

  async #deliverOne(name: string, signal: AbortSignal): Promise<void> {
    const { fs, folder, logger, sink, shared } = this.#ports;
    const path = join(folder.tombstones, `${name}.json`);
    const bytes = await readFileIfPresent(fs, path);
    if (!bytes) return;
    const tombstone = decodeManifest(bytes.toString('utf8'), `tombstones/${name}.json`);
    this.#ports.onKey(tombstone.key);
    if (selects(sink.selection, tombstone)) await this.#tellStore(tombstone, signal);
    if (!shared.told(name, sink.name)) {
      this.#told.add(name);
      return;
    }
    await fs.unlink(path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
    await syncDirectory(fs, folder.tombstones);
    logger.info('tombstone written to the store', { segment: name });
  }

  async #tellStore(tombstone: Manifest, signal: AbortSignal): Promise<void> {
    const { calls, sink } = this.#ports;
    if (sink.deriver) await this.#tellMarker(tombstone, sink.deriver, signal);
    else {
      for (let suffix = 0; ; suffix++) {
        if (await this.#tell(tombstone, keyWithSuffix(tombstone.key, suffix), signal)) break;
        if (suffix < SUFFIX_MAX) continue;
        throw new HoldfastError('OBJECT_EXISTS', `${tombstone.key} and all keys after it are taken`, {
          facts: { key: tombstone.key },
        });
      }
    }
    await calls.call('check the store id', 0, signal, () => this.#ports.checkIdentity());
  }

  /** For a sink that makes files of segments: writes a marker without files, unless one with files exists. */
  async #tellMarker(tombstone: Manifest, deriver: SegmentDeriver, signal: AbortSignal): Promise<void> {
    const { key, text } = deriver.tombstone(tombstone);
    const outcome = await putMarker(
      this.#ports,
      key,
      Buffer.from(text),
      (existing) => {
        const verdict = deriver.judge(existing, tombstone);
        if (verdict === 'other') return 'taken';
        return verdict === 'torn' ? 'replace' : 'accept';
      },
      signal,
    );
    if (outcome === 'published') {
      if (deriver.standsForSegment) await this.#removeDeleted(tombstone, tombstone.key, signal);
      return;
    }
    throw new HoldfastError('OBJECT_EXISTS', `${key} is taken by something else`, { facts: { key } });
  }

  /** False if the manifest key belongs to another segment. */
  async #tell(tombstone: Manifest, key: string, signal: AbortSignal): Promise<boolean> {
    const isHere = tombstone.deleted === undefined && (await this.#isStored(tombstone, key, signal));
    const manifest = isHere ? revived(tombstone) : tombstone;
    const data = Buffer.from(encodeManifest(manifest.key === key ? manifest : { ...manifest, key }));
    const isOurs = (other: Manifest | undefined): boolean =>
      other?.segment.id === tombstone.segment.id && other.robot === tombstone.robot;
    const at = manifestKey(key);
    const outcome = await putManifest(
      this.#ports,
      at,
      data,
      (existing) => {
        if (!existing) return 'replace';
        if (!isOurs(existing)) return 'taken';
        // The segment's own manifest has more than a tombstone; a tombstone has less than the manifest.
        // What was deleted on request stays deleted.
        return existing.evicted && !existing.deleted && !manifest.evicted ? 'replace' : 'accept';
      },
      signal,
    );
    if (outcome === 'taken') return false;
    const stored = await readObject(this.#ports, at, signal);
    if (stored && isOurs(decodeManifest(stored.toString('utf8'), at))) {
      await this.#removeDeleted(tombstone, key, signal);
      return true;
    }
    throw new HoldfastError('OBJECT_CORRUPT', `${at} does not hold the tombstone that was written`, {
      facts: { key: at },
    });
  }

  /**
   * An upload that ended between the last part and the manifest has left the object. If the segment was deleted on
   * request here and in the store, nobody else removes it.
   */
  async #removeDeleted({ deleted }: Manifest, key: string, signal: AbortSignal): Promise<void> {
    const { store, calls } = this.#ports;
    if (!deleted || !(await deletedInStore(this.#ports, key, signal))) return;
    for (const object of SEGMENT_ENDS.map((end) => withoutSegmentEnd(key) + end)) {
      await calls.call(`remove ${object}`, 0, signal, async (within) => {
        // A removal of nothing leaves a marker in a versioned bucket.
        if (await store.head(object, { signal: within })) await store.delete(object, { signal: within });
      });
    }
  }

  // Evicted between the last part and the manifest: the store has all of it, so nothing was lost.
  async #isStored(tombstone: Manifest, key: string, signal: AbortSignal): Promise<boolean> {
    const { store, calls } = this.#ports;
    const found = await calls.call(`look for ${key}`, 0, signal, (within) =>
      store.head(key, { signal: within }),
    );
    const { bytes, sha256, crc32 } = tombstone.file;
    const digest = { bytes, crc32, ...defined({ sha256 }) };
    if (found?.bytes !== bytes) return false;
    try {
      await calls.call(`verify ${key}`, bytes, signal, (within) =>
        store.verify(key, digest, { signal: within }),
      );
      return true;
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_CORRUPT') || isHoldfastError(error, 'OBJECT_MISSING')) return false;
      throw error;
    }
  }
}

/** The segment's own manifest, as it was before the eviction. */
function revived(tombstone: Manifest): Manifest {
  const { evicted: _evicted, ...manifest } = tombstone;
  return manifest;
}
