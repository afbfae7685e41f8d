import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  BATCH_MAX_BYTES,
  batchesPrefix,
  isBatchKey,
  MARKERS,
  segmentOfMarker,
  type Delivery,
} from '../../core/delivery.js';
import { defined } from '../../core/defined.js';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type {
  CallOptions,
  ObjectDigest,
  ObjectInfo,
  Receipt,
  Store,
  StoreLimits,
  UnfinishedUpload,
  Upload,
  Verification,
} from '../../core/store.js';
import type { ByteRange } from '../byte-range.js';
import { corrupt } from '../read-back.js';
import { readRecord, RECORD_MAX_BYTES, writeRecord } from './delivered-record.js';

export interface DeliveryStorePorts {
  readonly delivery: Delivery;
  /** Keeps what was acknowledged: a folder of the data folder. Closed with this store. */
  readonly records: Store;
  /** Default: {@link BATCH_MAX_BYTES}. */
  readonly batchMaxBytes?: number;
  /** Makes the folder in which that of the records is created. */
  readonly makeParent: () => Promise<void>;
  /** Whether anything can still ask for a segment, by the name of its sealed file without `.mcap`. */
  readonly isNeeded: (segment: string) => Promise<boolean>;
}

/** Markers written between two looks for those that nothing needs any more. */
const SWEEP_EVERY = 1_000;

/**
 * A server that keeps no objects, as a store of batches: to put a batch is to deliver it. What the server acknowledged
 * is recorded here, so that a restart continues with the first batch that has no record.
 *
 * Crash windows
 * - Between the acknowledgement and its record: the batch is delivered again.
 * - The records are lost: every segment that is still here is delivered again.
 */
export class DeliveryStore implements Store {
  readonly uri: string;
  readonly supports = {
    ...{ parallelParts: false, conditionalComplete: true, conditionalPut: true },
    fullObjectChecksum: true,
  };
  readonly limits: StoreLimits;
  readonly #ports: DeliveryStorePorts;
  /** Derived from the address: the server has no place for an id. */
  readonly #id: string;
  #untilSweep = 0;

  constructor(ports: DeliveryStorePorts) {
    this.#ports = ports;
    this.uri = ports.delivery.uri;
    const { batchMaxBytes = BATCH_MAX_BYTES } = ports;
    this.limits = { minPartBytes: batchMaxBytes, maxParts: 1, maxObjectBytes: batchMaxBytes };
    this.#id = createHash('sha256').update(this.uri).digest('hex').slice(0, 32);
  }

  /** Also asks whether the server answers. */
  async readId(options: CallOptions = {}): Promise<string> {
    const { delivery, records, makeParent } = this.#ports;
    await delivery.probe(options);
    await makeParent();
    await records.createId(this.#id, options);
    return this.#id;
  }

  createId(_id: string, options: CallOptions = {}): Promise<string> {
    return this.readId(options);
  }

  readMark(name: string, options?: CallOptions): Promise<string | undefined> {
    return this.#ports.records.readMark(name, options);
  }

  writeMark(name: string, text: string, options?: CallOptions): Promise<void> {
    return this.#ports.records.writeMark(name, text, options);
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    if (!isBatchKey(key)) return this.#ports.records.head(key, options);
    const record = await this.#recordOf(key, options);
    return record && { key, bytes: record.bytes };
  }

  /** Of a batch, its record. */
  read(key: string, range?: ByteRange, options?: CallOptions): AsyncIterable<Uint8Array> {
    return this.#ports.records.read(key, range, options);
  }

  list(prefix: string, options?: CallOptions): AsyncIterable<ObjectInfo> {
    return this.#ports.records.list(prefix, options);
  }

  async put(
    key: string,
    data: Uint8Array,
    options: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectInfo> {
    const { delivery, records } = this.#ports;
    if (!isBatchKey(key)) {
      const info = await records.put(key, data, options);
      const segment = segmentOfMarker(key);
      if (segment !== undefined) await this.#settled(segment, options);
      return info;
    }
    if (options.ifAbsent === true && (await this.#recordOf(key, options)) !== undefined) {
      throw new HoldfastError('OBJECT_EXISTS', `${key} was delivered to ${this.uri} already`, {
        facts: { key },
      });
    }
    await delivery.deliver(data, options);
    const sha256 = createHash('sha256').update(data).digest('hex');
    const text = writeRecord({ bytes: data.byteLength, sha256, crc32: crc32(data) });
    await records.put(key, Buffer.from(text), defined({ signal: options.signal }));
    return { key, bytes: data.byteLength };
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#ports.records.delete(key, options);
  }

  async verify(key: string, digest: ObjectDigest, options: CallOptions = {}): Promise<Verification> {
    if (!isBatchKey(key)) return this.#ports.records.verify(key, digest, options);
    const record = await this.#recordOf(key, options);
    if (!record) {
      throw new HoldfastError('OBJECT_MISSING', `${key} was not delivered to ${this.uri}`, {
        facts: { key },
      });
    }
    if (record.bytes !== digest.bytes) throw corrupt(key, 'size', digest.bytes, record.bytes);
    if (record.crc32 !== digest.crc32) throw corrupt(key, 'CRC-32', digest.crc32, record.crc32);
    if (digest.sha256 !== undefined && record.sha256 !== digest.sha256) {
      throw corrupt(key, 'SHA-256', digest.sha256, record.sha256);
    }
    return 'store-checksum';
  }

  createUpload(key: string): Promise<Upload> {
    return Promise.reject(inParts(key));
  }

  uploadPart({ key }: Upload): Promise<Receipt> {
    return Promise.reject(inParts(key));
  }

  listParts({ key }: Upload): Promise<Receipt[]> {
    return Promise.reject(inParts(key));
  }

  completeUpload({ key }: Upload): Promise<ObjectInfo> {
    return Promise.reject(inParts(key));
  }

  abortUpload(): Promise<void> {
    return Promise.resolve();
  }

  listUploads(options?: CallOptions): AsyncIterable<UnfinishedUpload> {
    return this.#ports.records.listUploads(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ports.delivery[Symbol.asyncDispose]();
    await this.#ports.records[Symbol.asyncDispose]();
  }

  async #recordOf(key: string, options: CallOptions): Promise<Required<ObjectDigest> | undefined> {
    const pieces: Uint8Array[] = [];
    try {
      const range = { start: 0, end: RECORD_MAX_BYTES };
      for await (const piece of this.#ports.records.read(key, range, options)) pieces.push(piece);
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
    return readRecord(Buffer.concat(pieces).toString('latin1'));
  }

  /** The marker stands for the records of its batches. */
  async #settled(segment: string, options: CallOptions): Promise<void> {
    const { records } = this.#ports;
    for await (const { key } of records.list(batchesPrefix(segment), options)) {
      await records.delete(key, options);
    }
    if (this.#untilSweep-- > 0) return;
    this.#untilSweep = SWEEP_EVERY;
    await this.#sweep(segment, options);
  }

  /** Removes markers that nothing asks for any more, so that their number stays bounded. */
  async #sweep(latest: string, options: CallOptions): Promise<void> {
    const { records, isNeeded } = this.#ports;
    for await (const { key } of records.list(MARKERS, options)) {
      const segment = segmentOfMarker(key);
      if (segment === undefined || segment === latest || (await isNeeded(segment))) continue;
      await records.delete(key, options);
    }
  }
}

function inParts(key: string): HoldfastError {
  return new HoldfastError(
    'INTERNAL',
    `${key} was about to be sent in parts, which a delivery does not have`,
  );
}
