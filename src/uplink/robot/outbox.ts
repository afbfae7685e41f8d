import { Level } from 'level';
import { Writer } from 'protobufjs/minimal.js';
import { NS_PER_S, type Clock } from '../../core/clock.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { RandomBytes } from '../../core/identity.js';
import type { Logger } from '../../core/logger.js';
import { makeDirectoryDurably } from '../../core/durable-files.js';
import { dirname } from 'node:path';
import type { SymmetricKeys } from '../../encryption/stored-key.js';
import type { Catalogue, FieldSpec } from '../protocol/field-spec.js';
import {
  readOutboxSample,
  writeOutboxSample,
  type OutboxSample,
  type RemovedSamples,
} from '../protocol/outbox-codec.js';
import { readCatalogue } from '../protocol/read-telemetry.js';
import { writeCatalogue } from '../protocol/write-telemetry.js';
import { OutboxCipher } from './outbox-cipher.js';
import { catalogueKey, HEAD_BYTES, headOf, keyName, orderOf, sampleKey, tickOf } from './outbox-keys.js';
import { RemovedPieces } from './removed-pieces.js';
import { TICK_NS } from './uplink-pace.js';

export interface OutboxPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomBytes;
  /** Encrypt samples and the names of their fields. Default: none. */
  readonly keys?: SymmetricKeys;
}

export interface OutboxStatus {
  /** Samples that the ground has not confirmed. */
  readonly waitingSamples: number;
  readonly waitingBytes: number;
  /** Samples that were removed because the outbox was full, since the start. */
  readonly lostSamples: number;
}

/** Samples of one run with the same fields. */
export interface Waiting {
  readonly run: bigint;
  /** Of the samples in the outbox. */
  readonly bytes: number;
  /** Where the next reading continues. */
  readonly end: string;
  /** Differs for other fields. */
  readonly catalogueKey: string;
  readonly catalogue: Catalogue;
  readonly samples: readonly OutboxSample[];
}

/** What an OutboxSender needs of an outbox. */
export type WaitingSamples = Pick<Outbox, 'read' | 'remove' | 'removed'>;

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/** Without a connection the samples are made durable so often. A kill of the process takes none. */
const SYNC_NS = NS_PER_S;
/** The oldest go down to this share of the maximum. */
const KEPT_SHARE = 0.98;
const MAX_QUEUED = 10_000;

/** The samples of one robot that the ground has not confirmed, oldest first, on disk and bounded. */
export class Outbox implements AsyncDisposable {
  readonly #database: Level<string, Uint8Array>;
  readonly #maxBytes: number;
  readonly #ports: OutboxPorts;
  readonly #cipher: OutboxCipher;
  /** Order of this run among all. */
  #order = 0;
  #run = 0n;
  readonly #orders = new Map<bigint, number>();
  #version = 0;
  #queued: Operation[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #isWriting = false;
  #syncedAt = 0n;
  #samples = 0;
  #bytes = 0;
  #lost = 0;
  readonly #removed = new RemovedPieces(TICK_NS);
  #isFaulty = false;
  /** There is no connection: a power cut must not take much. */
  isOffline = true;

  private constructor(
    database: Level<string, Uint8Array>,
    maxBytes: number,
    ports: OutboxPorts,
    cipher: OutboxCipher,
  ) {
    this.#database = database;
    this.#maxBytes = maxBytes;
    this.#ports = ports;
    this.#cipher = cipher;
  }

  /**
   * Opens the outbox in a folder. One that is damaged is emptied, and an error is logged. Throws `IDENTITY_MISSING` if it
   * is encrypted and no key fits; then it stays as it is.
   */
  static async open(folder: string, run: bigint, maxBytes: number, ports: OutboxPorts): Promise<Outbox> {
    await makeDirectoryDurably(ports.fs, dirname(folder));
    const open = async (): Promise<Outbox> => {
      const database = new Level<string, Uint8Array>(folder, {
        valueEncoding: 'view',
        cacheSize: 256 * 1024,
        writeBufferSize: 1024 * 1024,
      });
      const cipher = new OutboxCipher(ports.keys ?? [], `the outbox ${folder}`);
      const outbox = new Outbox(database, maxBytes, ports, cipher);
      await database.open();
      try {
        await outbox.#load(run);
      } catch (error) {
        await database.close();
        throw error;
      }
      return outbox;
    };
    try {
      return await open();
    } catch (error) {
      if (isHoldfastError(error, 'IDENTITY_MISSING')) throw error;
      if ((error as { cause?: { code?: unknown } }).cause?.code === 'LEVEL_LOCKED') throw error;
      ports.logger.error('the outbox is damaged, its samples are lost', {
        folder,
        error: describeError(error),
      });
      await ports.fs.rm(folder, { recursive: true, force: true });
      return open();
    }
  }

  status(): OutboxStatus {
    return { waitingSamples: this.#samples, waitingBytes: this.#bytes, lostSamples: this.#lost };
  }

  /** The fields of the samples from now on, and the VIN of their vehicle; empty: unknown. */
  fields(fields: readonly FieldSpec[], tickNs: number, vin = ''): void {
    this.#version++;
    const key = catalogueKey(this.#order, this.#version);
    const catalogue = writeCatalogue({ version: this.#version, tickNs, fields, vin }).finish();
    this.#queue({ type: 'put', key, value: this.#cipher.seal(key, catalogue) });
  }

  /** Adds the sample of a tick. It survives a kill of the process a moment later. */
  append(tick: number, timeNs: bigint, values: Float64Array): void {
    if (this.#queued.length >= MAX_QUEUED) {
      this.#lost++;
      this.#removed.add({ order: this.#order, version: this.#version, run: this.#run, tick, timeNs });
      return;
    }
    const key = sampleKey(this.#order, tick);
    const plain = writeOutboxSample(Writer.create(), { tick, timeNs, values: [...values] }).finish();
    const sample = this.#cipher.seal(key, plain);
    const value = new Uint8Array(HEAD_BYTES + sample.byteLength);
    const head = new DataView(value.buffer);
    head.setUint32(0, this.#version);
    head.setBigUint64(4, this.#run);
    value.set(sample, HEAD_BYTES);
    this.#samples++;
    this.#bytes += value.byteLength;
    this.#queue({ type: 'put', key, value });
  }

  /** Removes what the ground has confirmed. */
  remove(run: bigint, firstTick: number, ticks: number): Promise<void> {
    const order = this.#orders.get(run);
    if (order === undefined) return Promise.resolve();
    const range = { gte: sampleKey(order, firstTick), lt: sampleKey(order, firstTick + ticks) };
    return this.#serially(async () => {
      this.#removed.forget(order, firstTick, ticks);
      await this.#write();
      await this.#delete(range, Infinity);
      await this.#database.batch(this.#changes());
    });
  }

  /** The oldest pieces that were removed because the outbox was full, and of which the ground does not know. */
  removed(count: number): Promise<readonly RemovedSamples[]> {
    if (this.#removed.size === 0) return Promise.resolve([]);
    return this.#serially(async () => {
      await this.#write();
      const found: RemovedSamples[] = [];
      for (const { order, version, run, firstTick, ticks, timeNs } of this.#removed.first(count)) {
        const catalogue = readCatalogue(await this.#catalogueOf(catalogueKey(order, version)));
        found.push({ kind: 'removed', run, catalogue, firstTick, ticks, timeNs });
      }
      return found;
    });
  }

  /**
   * The oldest samples after a place, of one run and with the same fields, in about `maxBytes`.
   *
   * @param beforeTick - Only samples of the own run before this tick.
   */
  read(
    after: string,
    beforeTick: number,
    maxBytes: number,
    maxSamples: number,
  ): Promise<Waiting | undefined> {
    return this.#serially(async () => {
      await this.#write();
      let bytes = 0;
      let first: { readonly order: number; readonly version: number; readonly run: bigint } | undefined;
      let end = after;
      const samples: OutboxSample[] = [];
      for await (const [key, value] of this.#database.iterator({
        gt: after,
        lt: sampleKey(this.#order, beforeTick),
      })) {
        const head = { order: orderOf(key), ...headOf(value) };
        first ??= head;
        if (head.order !== first.order || head.version !== first.version) break;
        samples.push(this.#sampleOf(key, value));
        end = key;
        bytes += value.byteLength;
        if (bytes >= maxBytes || samples.length >= maxSamples) break;
      }
      if (first === undefined) return undefined;
      const key = catalogueKey(first.order, first.version);
      return {
        ...{ run: first.run, bytes, end },
        catalogueKey: key,
        catalogue: readCatalogue(await this.#catalogueOf(key)),
        samples,
      };
    });
  }

  /** Writes what is queued. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#serially(() => this.#write()).catch(() => undefined);
    await this.#database.close();
  }

  async #load(run: bigint): Promise<void> {
    let last = -1;
    for await (const [key, value] of this.#database.iterator({ gte: 's', lt: 't' })) {
      last = Math.max(last, orderOf(key));
      this.#orders.set(headOf(value).run, orderOf(key));
      this.#samples++;
      this.#bytes += value.byteLength;
    }
    for await (const [key, value] of this.#database.iterator({ gte: 'l', lt: 'm' })) {
      const { order, run: earlier } = this.#removed.load(key, value);
      last = Math.max(last, order);
      this.#orders.set(earlier, order);
    }
    // Catalogues of runs without samples are of no use.
    const used = new Set(this.#orders.values());
    for await (const key of this.#database.keys({ gte: 'c', lt: 'd' })) {
      last = Math.max(last, orderOf(key));
      if (!used.has(orderOf(key))) await this.#database.del(key);
    }
    for await (const [key, value] of this.#database.iterator({ gte: 'k', lt: 'l' })) {
      last = Math.max(last, orderOf(key));
      if (used.has(orderOf(key))) this.#cipher.load(orderOf(key), value);
      else await this.#database.del(key);
    }
    this.#order = last + 1;
    this.#run = run;
    this.#orders.set(run, this.#order);
    const stored = this.#cipher.begin(this.#order, this.#ports.random);
    // With the first value, so that none is without its key.
    if (stored) this.#queued.push({ type: 'put', key: keyName(this.#order), value: stored });
  }

  #sampleOf(key: string, value: Uint8Array): OutboxSample {
    return readOutboxSample(this.#cipher.open(orderOf(key), key, value.subarray(HEAD_BYTES)));
  }

  async #catalogueOf(key: string): Promise<Uint8Array> {
    const found = (await this.#database.get(key)) as Uint8Array | undefined;
    if (found === undefined) throw new Error(`the outbox lacks the fields ${key}`);
    return this.#cipher.open(orderOf(key), key, found);
  }

  #queue(operation: Operation): void {
    this.#queued.push(operation);
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#serially(() => this.#write())
      .catch((error: unknown) => this.#fault(error))
      .finally(() => (this.#isWriting = false));
  }

  async #write(): Promise<void> {
    const operations = this.#queued;
    if (operations.length === 0) return;
    this.#queued = [];
    const now = this.#ports.clock.monotonic();
    const sync = this.isOffline && now - this.#syncedAt >= SYNC_NS;
    if (sync) this.#syncedAt = now;
    await this.#database.batch([...operations], { sync });
    const excess = this.#bytes - this.#maxBytes;
    if (excess > 0) await this.#removeOldest(excess + this.#maxBytes * (1 - KEPT_SHARE));
  }

  /** Removes samples from the oldest on, at least so many bytes, and keeps which ones. */
  async #removeOldest(bytes: number): Promise<void> {
    const range = { gte: 's', lt: 't' };
    this.#lost += await this.#delete(range, bytes, (key, value) => {
      const tick = tickOf(key);
      const { timeNs } = this.#sampleOf(key, value);
      this.#removed.add({ order: orderOf(key), ...headOf(value), tick, timeNs });
    });
  }

  /** Deletes samples from the oldest on, at least so many bytes if they are there. Returns how many. */
  async #delete(
    range: { readonly gte: string; readonly lt: string },
    bytes: number,
    onEach: (key: string, value: Uint8Array) => void = () => undefined,
  ): Promise<number> {
    const keys: string[] = [];
    let deleted = 0;
    for await (const [key, value] of this.#database.iterator(range)) {
      if (deleted >= bytes) break;
      keys.push(key);
      onEach(key, value);
      deleted += value.byteLength;
    }
    const gone = keys.map((key): Operation => ({ type: 'del', key }));
    await this.#database.batch([...gone, ...this.#changes()]);
    this.#samples -= keys.length;
    this.#bytes -= deleted;
    return keys.length;
  }

  #changes(): Operation[] {
    return [...this.#removed.changes()].map(([key, value]) =>
      value === undefined ? { type: 'del', key } : { type: 'put', key, value },
    );
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #fault(error: unknown): void {
    if (!this.#isFaulty)
      this.#ports.logger.error('the outbox cannot be written', { error: describeError(error) });
    this.#isFaulty = true;
  }
}
