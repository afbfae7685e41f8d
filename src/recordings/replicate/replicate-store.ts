import { describeError, HoldfastError, isHoldfastError } from '../../core/errors.js';
import { LAKE_FOLDER } from '../../core/lake-manifest.js';
import { isSegmentKey, manifestKey, type Manifest } from '../../core/manifest.js';
import type { RandomBytes } from '../../core/identity.js';
import type { CallOptions, ObjectDigest, ObjectInfo, Store, Upload } from '../../core/store.js';
import { readAnyManifestObject } from '../catalogue/store-entries.js';
import { copyObject } from './copy-object.js';
import { ObjectSum } from './object-sum.js';
import { pairKeys, type KeyPair } from './pair-keys.js';

/** Of more unfinished uploads than this the rest is sent from its beginning. */
const MAX_UPLOADS = 10_000;
const MANIFEST_END = '.json';

/** How two stores differ in one key, or why it could not be copied. */
export interface Finding {
  readonly kind: 'missing' | 'extra' | 'conflict' | 'failed';
  readonly key: string;
  readonly reason: string;
}

export interface ReplicateOptions {
  /** Copy what is missing; otherwise compare only. */
  readonly mend: boolean;
  /** Replace what differs in the target. */
  readonly overwrite: boolean;
  /** Compare contents too, and not only keys and sizes. */
  readonly deep: boolean;
  /** Only keys that begin with it; empty: all. */
  readonly prefix: string;
}

export interface ReplicatePorts extends CallOptions {
  readonly random: RandomBytes;
  readonly onFinding: (finding: Finding) => void;
  readonly onProgress?: (compared: number) => void;
}

/** Numbers of objects. */
export interface ReplicateReport {
  readonly compared: number;
  /** In both, and no difference was found. */
  readonly equal: number;
  /** Only in the source, and not copied. */
  readonly missing: number;
  readonly copied: number;
  readonly copiedBytes: number;
  /** Only in the target. */
  readonly extra: number;
  /** In both and different, and not replaced. */
  readonly conflicts: number;
  readonly failed: number;
}

/**
 * Compares two stores and copies to the target what only the source has. First segments and other files, then
 * manifests, whose presence means that the object is there. Every copy is verified. May be repeated after an
 * interruption at any point. Throws the errors of the stores that may pass, and `STORE_COPIED` for two names of one
 * store.
 */
export async function replicateStore(
  source: Store,
  target: Store,
  options: ReplicateOptions,
  ports: ReplicatePorts,
): Promise<ReplicateReport> {
  return new Replication(source, target, options, ports).run();
}

class Replication {
  readonly #source: Store;
  readonly #target: Store;
  readonly #options: ReplicateOptions;
  readonly #ports: ReplicatePorts;
  readonly #call: CallOptions;
  readonly #uploads = new Map<string, Upload>();
  readonly #counts = {
    ...{ compared: 0, equal: 0, missing: 0, copied: 0, copiedBytes: 0, extra: 0, conflicts: 0, failed: 0 },
  };
  #isLakeComplete = true;

  constructor(source: Store, target: Store, options: ReplicateOptions, ports: ReplicatePorts) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#ports = ports;
    this.#call = ports.signal === undefined ? {} : { signal: ports.signal };
  }

  async run(): Promise<ReplicateReport> {
    await this.#requireTwoStores();
    if (this.#options.mend) await this.#rememberUploads();
    for (const isManifest of [false, true]) {
      const pairs = pairKeys(this.#source, this.#target, this.#options.prefix, this.#call);
      for await (const pair of pairs) {
        if (pair.key.endsWith(MANIFEST_END) !== isManifest) continue;
        await this.#compare(pair);
        this.#ports.onProgress?.(++this.#counts.compared);
      }
    }
    return this.#counts;
  }

  async #requireTwoStores(): Promise<void> {
    const id = await this.#source.readId(this.#call);
    const other = await this.#target.readId(this.#call);
    if (id !== undefined && id === other) {
      const message = `${this.#source.uri} and ${this.#target.uri} are one store`;
      throw new HoldfastError('STORE_COPIED', message, { facts: { id } });
    }
    if (other !== undefined || !this.#options.mend) return;
    await this.#target.createId(Buffer.from(this.#ports.random(16)).toString('hex'), this.#call);
  }

  async #rememberUploads(): Promise<void> {
    for await (const { key, uploadId } of this.#target.listUploads(this.#call)) {
      if (this.#uploads.size >= MAX_UPLOADS) return;
      this.#uploads.set(key, { key, uploadId });
    }
  }

  /** One difference ends nothing; an error that may pass ends the run, which the next one continues. */
  async #compare({ key, source, target }: KeyPair): Promise<void> {
    try {
      if (source && target) await this.#compareBoth(source, target);
      else if (source) await this.#mend(source, false);
      else this.#find('extra', key, 'only the target has it');
    } catch (error) {
      if (!isHoldfastError(error) || this.#ports.signal?.aborted === true) throw error;
      if (error.retryable && error.code !== 'OBJECT_CORRUPT') throw error;
      this.#isLakeComplete &&= !key.startsWith(`${LAKE_FOLDER}/`);
      this.#find(error.code === 'OBJECT_EXISTS' ? 'conflict' : 'failed', key, describeError(error));
    }
  }

  async #compareBoth(source: ObjectInfo, target: ObjectInfo): Promise<void> {
    const difference =
      source.bytes === target.bytes
        ? await this.#contentDifference(source)
        : `${target.bytes} bytes instead of ${source.bytes}`;
    if (difference === undefined) this.#counts.equal++;
    else if (this.#options.mend && this.#options.overwrite) await this.#mend(source, true);
    else this.#find('conflict', source.key, difference);
  }

  async #contentDifference(source: ObjectInfo): Promise<string | undefined> {
    if (!this.#options.deep) return undefined;
    const digest = (await this.#expected(source.key)) ?? (await this.#sumOf(source.key));
    try {
      await this.#target.verify(source.key, digest, this.#call);
      return undefined;
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_CORRUPT')) return describeError(error);
      throw error;
    }
  }

  async #sumOf(key: string): Promise<ObjectDigest> {
    const sum = new ObjectSum();
    const chunks = sum.of(this.#source.read(key, undefined, this.#call));
    while ((await chunks.next()).done !== true);
    return sum.result();
  }

  async #mend(source: ObjectInfo, overwrite: boolean): Promise<void> {
    const { key, bytes } = source;
    const why = this.#options.mend ? await this.#whyNotYet(source) : 'only the source has it';
    if (why !== undefined) {
      this.#find('missing', key, why);
      return;
    }
    const ports = { source: this.#source, target: this.#target, uploads: this.#uploads, overwrite };
    await copyObject(source, await this.#expected(key), { ...ports, ...this.#call });
    this.#counts.copied++;
    this.#counts.copiedBytes += bytes;
  }

  /** A manifest is copied only if the target has what it describes. */
  async #whyNotYet({ key, bytes }: ObjectInfo): Promise<string | undefined> {
    if (!key.endsWith(MANIFEST_END)) return undefined;
    if (key.startsWith(`${LAKE_FOLDER}/`)) {
      return this.#isLakeComplete ? undefined : 'a file of the lake could not be copied';
    }
    const manifest = await readAnyManifestObject(this.#source, { key, bytes }, this.#ports.signal);
    if (manifest.evicted) return undefined;
    const object = await this.#target.head(objectKey(key, manifest), this.#call);
    return object?.bytes === manifest.file.bytes ? undefined : 'the target does not have its segment';
  }

  /** What the manifest of a segment says about it. */
  async #expected(key: string): Promise<ObjectDigest | undefined> {
    if (!isSegmentKey(key)) return undefined;
    const info = await this.#source.head(manifestKey(key), this.#call);
    if (!info) return undefined;
    return (await readAnyManifestObject(this.#source, info, this.#ports.signal)).file;
  }

  #find(kind: Finding['kind'], key: string, reason: string): void {
    this.#counts[kind === 'conflict' ? 'conflicts' : kind]++;
    this.#ports.onFinding({ kind, key, reason });
  }
}

function objectKey(key: string, { encryption }: Manifest): string {
  return `${key.slice(0, -MANIFEST_END.length)}${encryption ? '.mcap.enc' : '.mcap'}`;
}
