import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { HoldfastError } from '../../src/core/errors.js';
import type {
  CallOptions,
  ObjectDigest,
  ObjectInfo,
  Receipt,
  Store,
  StoreSupport,
  Upload,
  Verification,
} from '../../src/core/store.js';

/** What survives of a store when the process that used it dies: everything. */
export class MemoryStoreContent {
  id: string | undefined;
  readonly objects = new Map<string, Buffer>();
  readonly marks = new Map<string, string>();
  readonly uploads = new Map<string, { key: string; startedAt: bigint; parts: Map<number, Buffer> }>();
  uploadCount = 0;
  /** Bytes taken in by `put` of segments and by `uploadPart`. */
  receivedBytes = 0;
}

export type StoreMethod =
  | 'readId'
  | 'createId'
  | 'readMark'
  | 'writeMark'
  | 'head'
  | 'read'
  | 'put'
  | 'delete'
  | 'createUpload'
  | 'uploadPart'
  | 'listParts'
  | 'completeUpload'
  | 'abortUpload'
  | 'listUploads'
  | 'verify';

/** One call, as a fault script sees it. */
export interface StoreCall {
  readonly method: StoreMethod;
  readonly key: string;
  readonly partNumber?: number;
  /** How many calls there were before, of any method. */
  readonly index: number;
}

/**
 * A fault script: asked before (`phase` 'before') and after ('after') each call took effect. Throwing fails
 * the call at that point; a promise that never settles is a hang.
 */
export type FaultScript = (call: StoreCall, phase: 'before' | 'after') => void | Promise<void>;

export interface MemoryStoreOptions {
  readonly content?: MemoryStoreContent;
  readonly faults?: FaultScript;
  readonly supports?: Partial<StoreSupport>;
  readonly minPartBytes?: number;
  readonly uri?: string;
  readonly now?: () => bigint;
}

/** A store in memory, with faults on demand. */
export class MemoryStore implements Store {
  readonly content: MemoryStoreContent;
  readonly uri: string;
  readonly supports: StoreSupport;
  readonly limits;
  readonly calls: StoreCall[] = [];
  faults: FaultScript | undefined;
  readonly #now: () => bigint;

  constructor(options: MemoryStoreOptions = {}) {
    this.content = options.content ?? new MemoryStoreContent();
    this.faults = options.faults;
    this.uri = options.uri ?? 'memory:';
    this.supports = {
      parallelParts: true,
      conditionalComplete: true,
      conditionalPut: true,
      fullObjectChecksum: true,
      ...options.supports,
    };
    this.limits = {
      minPartBytes: options.minPartBytes ?? 1,
      maxParts: 10_000,
      maxObjectBytes: Number.MAX_SAFE_INTEGER,
    };
    this.#now = options.now ?? (() => 0n);
  }

  readId(options?: CallOptions): Promise<string | undefined> {
    return this.#do({ method: 'readId', key: '' }, options, () => this.content.id);
  }

  createId(id: string, options?: CallOptions): Promise<string> {
    return this.#do({ method: 'createId', key: '' }, options, () => (this.content.id ??= id));
  }

  readMark(name: string, options?: CallOptions): Promise<string | undefined> {
    return this.#do({ method: 'readMark', key: name }, options, () => this.content.marks.get(name));
  }

  writeMark(name: string, text: string, options?: CallOptions): Promise<void> {
    return this.#do(
      { method: 'writeMark', key: name },
      options,
      () => void this.content.marks.set(name, text),
    );
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#do({ method: 'head', key }, options, () => this.#info(key));
  }

  async *read(
    key: string,
    range?: { readonly start: number; readonly end: number },
    options?: CallOptions,
  ): AsyncGenerator<Uint8Array> {
    yield await this.#do({ method: 'read', key }, options, () =>
      this.#object(key).subarray(range?.start ?? 0, range?.end),
    );
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    // The first name comes later than the call, as from any store.
    await Promise.resolve();
    for (const key of [...this.content.objects.keys()].sort()) {
      const info = this.#info(key);
      if (info && key.startsWith(prefix)) yield info;
    }
  }

  put(
    key: string,
    data: Uint8Array,
    options?: CallOptions & { readonly ifAbsent?: boolean },
  ): Promise<ObjectInfo> {
    return this.#do({ method: 'put', key }, options, () => {
      if (options?.ifAbsent && this.content.objects.has(key)) throw exists(key);
      if (key.endsWith('.mcap')) this.content.receivedBytes += data.byteLength;
      this.content.objects.set(key, Buffer.from(data));
      return { key, bytes: data.byteLength };
    });
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#do({ method: 'delete', key }, options, () => void this.content.objects.delete(key));
  }

  createUpload(key: string, options?: CallOptions): Promise<Upload> {
    return this.#do({ method: 'createUpload', key }, options, () => {
      const uploadId = `upload-${++this.content.uploadCount}`;
      this.content.uploads.set(uploadId, { key, startedAt: this.#now(), parts: new Map() });
      return { key, uploadId };
    });
  }

  uploadPart(upload: Upload, partNumber: number, data: Buffer, options?: CallOptions): Promise<Receipt> {
    return this.#do({ method: 'uploadPart', key: upload.key, partNumber }, options, () => {
      const open = this.#open(upload);
      this.content.receivedBytes += data.length;
      open.parts.set(partNumber, Buffer.from(data));
      return receiptOf(partNumber, data);
    });
  }

  listParts(upload: Upload, options?: CallOptions): Promise<Receipt[]> {
    return this.#do({ method: 'listParts', key: upload.key }, options, () =>
      [...this.#open(upload).parts]
        .sort(([a], [b]) => a - b)
        .map(([partNumber, data]) => receiptOf(partNumber, data)),
    );
  }

  completeUpload(
    upload: Upload,
    parts: readonly Receipt[],
    options?: CallOptions & { readonly overwrite?: boolean },
  ): Promise<ObjectInfo> {
    return this.#do({ method: 'completeUpload', key: upload.key }, options, () => {
      const open = this.#open(upload);
      const pieces = parts.map((part) => {
        const data = open.parts.get(part.partNumber);
        if (data && receiptOf(part.partNumber, data).etag === part.etag) return data;
        throw new HoldfastError('UPLOAD_MISMATCH', `part ${part.partNumber} of ${upload.key} is not there`);
      });
      if (!options?.overwrite && this.content.objects.has(upload.key)) throw exists(upload.key);
      const data = Buffer.concat(pieces);
      this.content.objects.set(upload.key, data);
      this.content.uploads.delete(upload.uploadId);
      return { key: upload.key, bytes: data.length };
    });
  }

  abortUpload(upload: Upload, options?: CallOptions): Promise<void> {
    return this.#do(
      { method: 'abortUpload', key: upload.key },
      options,
      () => void this.content.uploads.delete(upload.uploadId),
    );
  }

  async *listUploads(options?: CallOptions): AsyncGenerator<Upload & { readonly startedAt: bigint }> {
    yield* await this.#do({ method: 'listUploads', key: '' }, options, () =>
      [...this.content.uploads].map(([uploadId, { key, startedAt }]) => ({ key, uploadId, startedAt })),
    );
  }

  verify(key: string, digest: ObjectDigest, options?: CallOptions): Promise<Verification> {
    return this.#do({ method: 'verify', key }, options, () => {
      const data = this.#object(key);
      const isEqual = data.length === digest.bytes && crc32(data) === digest.crc32;
      if (!isEqual) throw new HoldfastError('OBJECT_CORRUPT', `${key} has other bytes`);
      return 'store-checksum' as const;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #do<T>(call: Omit<StoreCall, 'index'>, options: CallOptions | undefined, act: () => T): Promise<T> {
    const numbered = { ...call, index: this.calls.length };
    this.calls.push(numbered);
    options?.signal?.throwIfAborted();
    await this.faults?.(numbered, 'before');
    const result = act();
    await this.faults?.(numbered, 'after');
    // No answer within one turn of the event loop, as with every real store.
    await new Promise((resolve) => setImmediate(resolve));
    return result;
  }

  #info(key: string): ObjectInfo | undefined {
    const data = this.content.objects.get(key);
    return data && { key, bytes: data.length };
  }

  #object(key: string): Buffer {
    const data = this.content.objects.get(key);
    if (!data) throw new HoldfastError('OBJECT_MISSING', `no object ${key}`);
    return data;
  }

  #open(upload: Upload): { key: string; parts: Map<number, Buffer> } {
    const open = this.content.uploads.get(upload.uploadId);
    if (!open || open.key !== upload.key) {
      throw new HoldfastError('UPLOAD_UNKNOWN', `no upload ${upload.uploadId} of ${upload.key}`);
    }
    return open;
  }
}

function receiptOf(partNumber: number, data: Buffer): Receipt {
  const etag = `"${createHash('md5').update(data).digest('hex')}"`;
  return { partNumber, bytes: data.length, etag, crc32: crc32(data) };
}

function exists(key: string): HoldfastError {
  return new HoldfastError('OBJECT_EXISTS', `there is an object at ${key}`);
}
