/** What a store can do; sync asks instead of trying. */
export interface StoreSupport {
  /** Parts of one upload may be sent at the same time. False: in order, one after the other. */
  readonly parallelParts: boolean;
  /** `completeUpload`/`put` with `ifAbsent` are atomic in the store itself. */
  readonly conditionalComplete: boolean;
  readonly conditionalPut: boolean;
  /** The store computes a checksum over the whole object that `verify` can compare without reading back. */
  readonly fullObjectChecksum: boolean;
}

/** An object as the store describes it. */
export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  readonly etag?: string;
}

/** Part number (from 1), its size, the store's ETag, and the CRC-32 of its bytes where the store tells. */
export interface Receipt {
  readonly partNumber: number;
  readonly bytes: number;
  readonly etag: string;
  readonly crc32?: number;
}

/** A multipart session; everything needed to go on after a restart is in here. */
export interface Upload {
  readonly key: string;
  readonly uploadId: string;
}

/** What the uploaded file must be: from the manifest, and re-checked while reading. */
export interface ObjectDigest {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** CRC-32 (IEEE) of the whole file, unsigned. */
  readonly crc32: number;
}

/** How `verify` knew. */
export type Verification = 'store-checksum' | 'read-back';

export interface CallOptions {
  /** The call rejects with the signal's reason; what it had begun may still have happened. */
  readonly signal?: AbortSignal;
}

/**
 * Where sealed segments go. Keys are relative to the store's prefix and already encoded. Every method
 * throws HoldfastError with one of the STORE_, OBJECT_ or UPLOAD_ codes: adapters translate vendor errors
 * once, at their edge; `retryable` says whether the same call may succeed later. Adapters do not retry by
 * themselves beyond one connection attempt; timing belongs to sync. A call that timed out may have
 * happened: every method is safe to repeat.
 */
export interface Store extends AsyncDisposable {
  /** The URI it was made from, credentials removed. */
  readonly uri: string;
  readonly supports: StoreSupport;
  /** Smallest part but the last, largest part count, in the store's own rules. */
  readonly limits: {
    readonly minPartBytes: number;
    readonly maxParts: number;
    readonly maxObjectBytes: number;
  };

  /**
   * The id object's content (`.holdfast/store-id`, 32 hex digits), `undefined` where there is none.
   * Throws `STORE_OFFLINE` when the store cannot be reached.
   */
  readId(options?: CallOptions): Promise<string | undefined>;
  /** Creates the id object unless one exists; returns the one that is there now. */
  createId(id: string, options?: CallOptions): Promise<string>;

  /** `undefined` where there is no such object. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** The object's bytes from `start` (inclusive) to `end` (exclusive). Throws `OBJECT_MISSING`. */
  read(
    key: string,
    range?: { readonly start: number; readonly end: number },
    options?: CallOptions,
  ): AsyncIterable<Uint8Array>;
  /** All objects whose key begins with `prefix`, in key order, paged inside. Holdfast's own id object and unfinished uploads are not listed. */
  list(prefix: string, options?: CallOptions): AsyncIterable<ObjectInfo>;
  /** Writes a small object whole and durably. With `ifAbsent`: throws `OBJECT_EXISTS` when there is one. */
  put(
    key: string,
    data: Uint8Array,
    options?: CallOptions & { readonly ifAbsent?: boolean },
  ): Promise<ObjectInfo>;
  /** Removes an object; no error where there is none. */
  delete(key: string, options?: CallOptions): Promise<void>;

  /** Starts a multipart upload. */
  createUpload(key: string, options?: CallOptions): Promise<Upload>;
  /** Sends one part, durable in the store when this resolves. `data` is not kept. */
  uploadPart(upload: Upload, partNumber: number, data: Buffer, options?: CallOptions): Promise<Receipt>;
  /** The parts the store has, by number, all pages. Throws `UPLOAD_UNKNOWN`. */
  listParts(upload: Upload, options?: CallOptions): Promise<Receipt[]>;
  /**
   * Makes the object out of its parts, only if there is none at the key. Throws `OBJECT_EXISTS` (412),
   * `OBJECT_CONFLICT` (409), `UPLOAD_UNKNOWN` (the upload was completed or aborted by somebody),
   * `UPLOAD_MISMATCH` (the store has other parts than these receipts say: list again, or start over).
   * With `overwrite` an existing object is replaced.
   */
  completeUpload(
    upload: Upload,
    parts: readonly Receipt[],
    options?: CallOptions & { readonly overwrite?: boolean },
  ): Promise<ObjectInfo>;
  /** Drops an unfinished upload; no error where there is none. */
  abortUpload(upload: Upload, options?: CallOptions): Promise<void>;
  /** Unfinished uploads under the store's prefix, with their start (nanoseconds since the Unix epoch). */
  listUploads(options?: CallOptions): AsyncIterable<Upload & { readonly startedAt: bigint }>;

  /**
   * Resolves when the object provably has this digest: by a full-object checksum the store computed, else
   * by reading it back. Throws `OBJECT_MISSING` or `OBJECT_CORRUPT`.
   */
  verify(key: string, digest: ObjectDigest, options?: CallOptions): Promise<Verification>;
}
