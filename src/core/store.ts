/** The abilities of a store; sync reads them instead of trying. */
export interface StoreSupport {
  /** Parts of one upload may be sent at the same time. False: in order, one at a time. */
  readonly parallelParts: boolean;
  /** `completeUpload`/`put` with `ifAbsent` are atomic in the store itself. */
  readonly conditionalComplete: boolean;
  /** `put` with `ifAbsent` is atomic in the store itself. An adapter may find out at run time. */
  readonly conditionalPut: boolean;
  /**
   * The store computes a checksum over the whole object, which `verify` can compare without reading the
   * object back.
   */
  readonly fullObjectChecksum: boolean;
}

/** A file that is complete before it is sent. */
export interface WholeFile {
  /** Relative to the prefix of the store. */
  readonly key: string;
  /** Size of the file. */
  readonly bytes: number;
  /** The content from its beginning; called again if the store refuses the first attempt. */
  content(): AsyncIterable<Uint8Array>;
}

/** An object as the store describes it. */
export interface ObjectInfo {
  /** Relative to the prefix of the store. */
  readonly key: string;
  /** Size of the object. */
  readonly bytes: number;
  /** As the store returns it; absent if it has none. */
  readonly etag?: string;
}

/** Part number (from 1), its size, the store's ETag, and the CRC-32 of its bytes if the store reports it. */
export interface Receipt {
  /** From 1. */
  readonly partNumber: number;
  /** Size of the part. */
  readonly bytes: number;
  /** As the store returns it. */
  readonly etag: string;
  /** CRC-32 (IEEE) of the bytes, unsigned; absent if the store does not report it. */
  readonly crc32?: number;
}

/** A multipart session, with everything needed to continue after a restart. */
export interface Upload {
  /** Relative to the prefix of the store. */
  readonly key: string;
  /** As the store returns it. */
  readonly uploadId: string;
}

/** What the uploaded file must be: from the manifest, and checked again while reading. */
export interface ObjectDigest {
  /** Size of the file. */
  readonly bytes: number;
  /** Lower-case hex; absent: nobody computed it, and the CRC-32 decides. */
  readonly sha256?: string;
  /** CRC-32 (IEEE) of the whole file, unsigned. */
  readonly crc32: number;
}

/** How `verify` knew. */
export type Verification = 'store-checksum' | 'read-back';

/** Findings about a store, so that another process need not repeat the tests. */
export interface StoreFindings {
  /** Whether it accepts uploads with checksums; `unknown`: not tried. */
  readonly checksums: 'taken' | 'refused' | 'unknown';
  /**
   * What the server calls itself; empty: nothing. Another answer may mean another version, which may accept
   * them.
   */
  readonly server: string;
}

/** Options of every call of a store. */
export interface CallOptions {
  /** The call rejects with the signal's reason; what it had begun may still happen. */
  readonly signal?: AbortSignal;
}

/** Limits of the uploads of a store. */
export interface StoreLimits {
  /** Of every part but the last. */
  readonly minPartBytes: number;
  /** Of one upload. */
  readonly maxParts: number;
  /** Of one object. */
  readonly maxObjectBytes: number;
}

/** An upload that was neither completed nor aborted. */
export interface UnfinishedUpload extends Upload {
  /** When it was created, nanoseconds since the Unix epoch. */
  readonly startedAt: bigint;
}

/**
 * Where sealed segments go. Keys are relative to the store's prefix and already encoded. Every method throws
 * HoldfastError with one of the STORE_, OBJECT_ or UPLOAD_ codes: adapters translate vendor errors once, at
 * their edge. `retryable` says whether the same call may succeed later. Adapters do not retry beyond one
 * connection attempt; sync does the timing. A call that timed out may have happened, so every method is safe
 * to repeat.
 */
export interface Store extends AsyncDisposable {
  /** The URI of the store, credentials removed. */
  readonly uri: string;
  /** The abilities of the store. */
  readonly supports: StoreSupport;
  /** Smallest part but the last, and largest part count, by the rules of the store. */
  readonly limits: StoreLimits;

  /**
   * The id object's content (`.holdfast/store-id`, 32 hex digits); `undefined` if it does not exist. Throws
   * `STORE_OFFLINE` if the store cannot be reached.
   */
  readId(options?: CallOptions): Promise<string | undefined>;
  /** Creates the id object unless one exists; returns the present one. */
  createId(id: string, options?: CallOptions): Promise<string>;

  /**
   * The text last written with {@link Store.writeMark} under this name (32 hex digits); `undefined` if it
   * does not exist. Marks distinguish a place from its copy: sync writes a new one in each session and reads
   * it back.
   */
  readMark(name: string, options?: CallOptions): Promise<string | undefined>;
  /** Writes a short text durably below `.holdfast/`, in place of an earlier one. */
  writeMark(name: string, text: string, options?: CallOptions): Promise<void>;

  /** `undefined` if the object does not exist. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** The object's bytes from `start` (inclusive) to `end` (exclusive). Throws `OBJECT_MISSING`. */
  read(
    key: string,
    range?: { readonly start: number; readonly end: number },
    options?: CallOptions,
  ): AsyncIterable<Uint8Array>;
  /**
   * All objects whose key begins with `prefix`, in key order, paged internally. Holdfast's own id object and
   * unfinished uploads are not listed.
   */
  list(prefix: string, options?: CallOptions): AsyncIterable<ObjectInfo>;
  /** Writes a small object whole and durably. With `ifAbsent`, throws `OBJECT_EXISTS` if the object exists. */
  put(
    key: string,
    data: Uint8Array,
    options?: CallOptions & { readonly ifAbsent?: boolean },
  ): Promise<ObjectInfo>;
  /**
   * Sends a file of any size in one go, durably, replacing an existing object. A failure leaves nothing
   * behind. Absent: the caller sends parts.
   */
  sendWhole?(file: WholeFile, options?: CallOptions): Promise<ObjectInfo>;
  /** Removes an object; no error if it does not exist. */
  delete(key: string, options?: CallOptions): Promise<void>;

  /** Starts a multipart upload. */
  createUpload(key: string, options?: CallOptions): Promise<Upload>;
  /** Sends one part, durable in the store when this resolves. `data` is not kept. */
  uploadPart(upload: Upload, partNumber: number, data: Buffer, options?: CallOptions): Promise<Receipt>;
  /** The parts the store has, by number, all pages. Throws `UPLOAD_UNKNOWN`. */
  listParts(upload: Upload, options?: CallOptions): Promise<Receipt[]>;
  /**
   * Makes the object out of its parts, only if no object has the key. Throws `OBJECT_EXISTS` (412),
   * `OBJECT_CONFLICT` (409), `UPLOAD_UNKNOWN` (the upload was completed or aborted elsewhere),
   * `UPLOAD_MISMATCH` (the store has other parts than these receipts: list again, or start over). With
   * `overwrite` an existing object is replaced.
   */
  completeUpload(
    upload: Upload,
    parts: readonly Receipt[],
    options?: CallOptions & { readonly overwrite?: boolean },
  ): Promise<ObjectInfo>;
  /** Drops an unfinished upload; no error if it does not exist. */
  abortUpload(upload: Upload, options?: CallOptions): Promise<void>;
  /** Unfinished uploads under the store's prefix, with their start (nanoseconds since the Unix epoch). */
  listUploads(options?: CallOptions): AsyncIterable<UnfinishedUpload>;

  /**
   * Resolves if the object provably has this digest: by a full-object checksum that the store computed,
   * otherwise by reading it back. Throws `OBJECT_MISSING` or `OBJECT_CORRUPT`.
   */
  verify(key: string, digest: ObjectDigest, options?: CallOptions): Promise<Verification>;

  /**
   * Whether the store keeps earlier versions of what is removed; `unknown`: it does not tell. Absent: it keeps none.
   */
  versioning?(options?: CallOptions): Promise<'on' | 'off' | 'unknown'>;

  /** Absent: there is nothing to find out. */
  findings?(): StoreFindings;
  /**
   * Takes over the findings of another process; returns false if they no longer hold (another server, another
   * setting).
   */
  recall?(findings: StoreFindings): boolean;
}
