import type { Clock } from '../core/clock.js';
import { defined } from '../core/defined.js';
import { describeError, HoldfastError, isHoldfastError } from '../core/errors.js';
import type { RandomBytes } from '../core/identity.js';
import { isDigested, manifestKey, type Manifest } from '../core/manifest.js';
import type { ObjectInfo, Store, Upload } from '../core/store.js';
import { readManifestObject, storeEntries } from '../recordings/catalogue/store-entries.js';
import { copyObject } from '../recordings/replicate/copy-object.js';
import { ruleFor, type AgeingRule } from './ageing-rule.js';
import { plannedObject } from './deletion-place.js';
import { allHolds } from './deletion-plan.js';
import { shortDigest } from './deletion-request.js';
import { holdOn } from './legal-hold.js';
import { StorePlace } from './store-place.js';

/** What one run may do at most; a later run continues. */
export interface AgeingLimits {
  readonly segments: number;
  /** A segment that would exceed it is left to a later run, unless it is the first. */
  readonly bytes: number;
}

/** What happened, or would happen, to one segment. */
export interface AgeingStep {
  readonly kind: 'deleted' | 'moved' | 'kept' | 'failed';
  readonly key: string;
  readonly bytes: number;
  /** The rule, or why it stays. */
  readonly why: string;
}

/** Numbers of segments, and bytes. */
export interface AgeingReport {
  readonly deleted: number;
  readonly moved: number;
  /** By a legal hold. */
  readonly kept: number;
  readonly failed: number;
  /** Of what was deleted and moved. */
  readonly bytes: number;
  /** The limits ended the run: there is more to do. */
  readonly more: boolean;
}

export interface AgeingRun {
  readonly store: Store;
  readonly rules: readonly AgeingRule[];
  /** Open stores, by the URIs of the rules. */
  readonly targets: ReadonlyMap<string, Store>;
  readonly limits: AgeingLimits;
  /** False: only says what would happen. */
  readonly isReal: boolean;
  /** For tombstones. */
  readonly by: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly signal: AbortSignal;
  readonly onStep: (step: AgeingStep) => void;
}

/** Of more unfinished uploads than this the rest is sent from its beginning. */
const MAX_UPLOADS = 10_000;

/**
 * Applies the rules to the segments of a store, in the order of their keys. Each deleted or moved segment leaves a
 * tombstone. A segment is removed only after the other store has it, verified, with its manifest. A legal hold of any of
 * the stores keeps a segment where it is. May be run again after an interruption at any point. Memory: one manifest.
 *
 * Throws the errors of the stores that may pass, and `STORE_COPIED` if a rule moves to the store itself.
 */
export function ageStore(run: AgeingRun): Promise<AgeingReport> {
  return new Ageing(run).run();
}

class Ageing {
  readonly #run: AgeingRun;
  readonly #place: StorePlace;
  readonly #counts = { deleted: 0, moved: 0, kept: 0, failed: 0, bytes: 0 };
  readonly #uploads = new Map<Store, ReadonlyMap<string, Upload>>();

  constructor(run: AgeingRun) {
    this.#run = run;
    this.#place = new StorePlace(run.store, run.signal);
  }

  async run(): Promise<AgeingReport> {
    const { store, rules, clock, signal, limits } = this.#run;
    const others = await this.#requireOtherStores();
    const places = [this.#place, ...others.map((target) => new StorePlace(target, signal))];
    const holds = await allHolds(places);
    const now = clock.now();
    for await (const { object, manifest: info } of storeEntries(store, signal)) {
      signal.throwIfAborted();
      if (object === undefined || info === undefined) continue;
      const manifest = await this.#read(info, object);
      const { firstLogTime, lastLogTime, robot, vin, segment } = manifest ?? {};
      if (!manifest || robot === undefined || firstLogTime === undefined || lastLogTime === undefined)
        continue;
      const priority = segment?.priority ?? 'normal';
      const rule = ruleFor(
        { robot, ...defined({ vin }), priority, lastLogTime: BigInt(lastLogTime) },
        rules,
        now,
      );
      // A tombstone whose object is left over belongs to an interrupted run, which removes it.
      if (rule === undefined || rule.action === 'keep') continue;
      const hold = holdOn({ robot, firstLogTime, lastLogTime }, holds);
      if (hold !== undefined) {
        this.#tell({ kind: 'kept', ...object, why: `legal hold ${hold.id}: ${hold.reason}` });
        continue;
      }
      const done = this.#counts.deleted + this.#counts.moved;
      const isOver = done > 0 && this.#counts.bytes + object.bytes > limits.bytes;
      if (done >= limits.segments || isOver) return { ...this.#counts, more: true };
      await this.#apply(rule, object, manifest);
    }
    return { ...this.#counts, more: false };
  }

  /** The stores of the rules; those that a run would have to create are left out of a dry one. */
  async #requireOtherStores(): Promise<readonly Store[]> {
    const { store, targets, isReal, random, signal } = this.#run;
    const id = await store.readId({ signal });
    const known: Store[] = [];
    for (const target of targets.values()) {
      const other = await target.readId({ signal });
      if (target.uri === store.uri || (id !== undefined && id === other)) {
        const message = `${store.uri} and ${target.uri} are one store`;
        throw new HoldfastError('STORE_COPIED', message, { facts: { id } });
      }
      if (other === undefined && isReal) {
        await target.createId(Buffer.from(random(16)).toString('hex'), { signal });
      }
      if (other !== undefined || isReal) known.push(target);
    }
    return known;
  }

  /** Undefined for one that cannot be read: nobody knows how old its segment is. */
  async #read(info: ObjectInfo, object: ObjectInfo): Promise<Manifest | undefined> {
    try {
      return await readManifestObject(this.#run.store, info, this.#run.signal);
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      this.#tell({ kind: 'failed', ...object, why: describeError(error) });
      return undefined;
    }
  }

  async #apply(rule: AgeingRule, object: ObjectInfo, manifest: Manifest): Promise<void> {
    const { by, clock, isReal, targets } = this.#run;
    const target = rule.to === undefined ? undefined : targets.get(rule.to);
    const kind = target === undefined ? 'deleted' : 'moved';
    const { key, bytes } = object;
    try {
      const isLeftOver = manifest.evicted !== undefined;
      if (isReal && target !== undefined && !isLeftOver) await this.#copy(object, manifest, target);
      const reason =
        target === undefined ? `rule "${rule.text}"` : `moved to ${target.uri}, rule "${rule.text}"`;
      const facts = { at: String(clock.now()), by, reason, plan: shortDigest(['age', rule.text]) };
      const fault = isReal ? await this.#place.remove(plannedObject(key, manifest), facts) : undefined;
      if (fault === undefined) this.#tell({ kind, key, bytes, why: rule.text });
      else this.#tell({ kind: 'failed', key, bytes, why: fault });
    } catch (error) {
      // One segment ends nothing; an error that may pass ends the run, which the next one continues.
      if (!isHoldfastError(error) || (error.retryable && error.code !== 'OBJECT_CORRUPT')) throw error;
      this.#tell({ kind: 'failed', key, bytes, why: describeError(error) });
    }
  }

  /** The segment first, and its manifest when the segment is verified. */
  async #copy(object: ObjectInfo, manifest: Manifest, target: Store): Promise<void> {
    const { store, signal } = this.#run;
    const uploads = await this.#uploadsOf(target);
    const ports = { source: store, target, overwrite: false, uploads, signal };
    const there = await target.head(object.key, { signal });
    if (there === undefined) {
      await copyObject(object, isDigested(manifest) ? manifest.file : undefined, ports);
    } else {
      // Of an earlier run that was interrupted; another object is not replaced.
      await target.verify(object.key, manifest.file, { signal });
    }
    const key = manifestKey(object.key);
    const info = await store.head(key, { signal });
    const other = await target.head(key, { signal });
    if (info !== undefined && other === undefined) await copyObject(info, undefined, ports);
    else if (other !== undefined) {
      const known = await readManifestObject(target, other, signal);
      if (known.evicted === undefined && known.file.crc32 === manifest.file.crc32) return;
      const message = `${target.uri} has another manifest for ${object.key}`;
      throw new HoldfastError('OBJECT_EXISTS', message, { facts: { key } });
    }
  }

  async #uploadsOf(target: Store): Promise<ReadonlyMap<string, Upload>> {
    const known = this.#uploads.get(target);
    if (known !== undefined) return known;
    const found = new Map<string, Upload>();
    for await (const { key, uploadId } of target.listUploads({ signal: this.#run.signal })) {
      if (found.size < MAX_UPLOADS) found.set(key, { key, uploadId });
    }
    this.#uploads.set(target, found);
    return found;
  }

  #tell(step: AgeingStep): void {
    const { kind, key, bytes, why } = step;
    this.#counts[kind]++;
    if (kind === 'deleted' || kind === 'moved') this.#counts.bytes += bytes;
    this.#run.onStep({ kind, key, bytes, why });
  }
}
