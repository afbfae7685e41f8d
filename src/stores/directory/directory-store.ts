import { resolve } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { randomHex, type RandomBytes } from '../../core/identity.js';
import type {
  CallOptions,
  ObjectDigest,
  ObjectInfo,
  Receipt,
  Store,
  StoreSupport,
  Upload,
  Verification,
} from '../../core/store.js';
import { checkRange, type ByteRange } from '../byte-range.js';
import { ID_KEY, keySegments, MARK_MAX_BYTES, markKey } from '../object-key.js';
import { corrupt, verifyByReading } from '../read-back.js';
import { checkStoreId } from '../store-id.js';
import { directoryError, hasCode } from './directory-errors.js';
import { DirectoryUploads } from './directory-uploads.js';
import { listObjects } from './list-objects.js';
import { MAX_PARTS } from './part-journal.js';
import { StoreFolder, TEMPORARY } from './store-folder.js';

const READ_BYTES = 256 * 1024;

/** Where the folder is, if it is not on this machine. */
export interface RemoteFolder {
  /** Of the store. Default: `dir:` and the path. */
  readonly uri: string;
  /** Ends the connection. Default: does nothing. */
  readonly close: () => void;
}

export interface DirectoryStorePorts {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/**
 * A folder as a store: the embedded default, a NAS mount, a USB disk. Objects are plain files at their keys;
 * everything else lies below `.holdfast/`. A call that resolved is durable, including directory entries.
 * `verify` reads the file back. It cannot bypass the page cache, so it proves what the kernel holds; the
 * earlier fsync proves that the disk acknowledged the same bytes.
 */
export class DirectoryStore implements Store {
  readonly uri: string;
  readonly limits = { minPartBytes: 1, maxParts: MAX_PARTS, maxObjectBytes: Number.MAX_SAFE_INTEGER };
  readonly #folder: StoreFolder;
  readonly #uploads: DirectoryUploads;
  readonly #random: RandomBytes;

  readonly #remote: RemoteFolder | undefined;

  constructor(root: string, ports: DirectoryStorePorts, remote?: RemoteFolder) {
    this.#remote = remote;
    this.#folder = new StoreFolder(ports.fileSystem, resolve(root), remote?.uri);
    this.#uploads = new DirectoryUploads(this.#folder, ports.clock, ports.random);
    this.#random = ports.random;
    this.uri = this.#folder.uri;
  }

  /** Without hard links (FAT, exFAT) "if absent" is a check and a rename: not atomic between two writers. */
  get supports(): StoreSupport {
    const atomic = this.#folder.hardLinks;
    return {
      parallelParts: false,
      conditionalComplete: atomic,
      conditionalPut: atomic,
      fullObjectChecksum: false,
    };
  }

  readId(options: CallOptions = {}): Promise<string | undefined> {
    return this.#run('reading the id', options, () => this.#folder.readId());
  }

  createId(id: string, options: CallOptions = {}): Promise<string> {
    return this.#run('creating the id', options, async () => {
      checkStoreId(id);
      await this.#folder.createRoot();
      try {
        await this.#writeWhole(ID_KEY.split('/'), Buffer.from(`${id}\n`), true);
      } catch (error) {
        if (!(error instanceof HoldfastError && error.code === 'OBJECT_EXISTS')) throw error;
      }
      const now = await this.#folder.readId();
      if (now === undefined) throw new HoldfastError('STORE_OFFLINE', `${this.uri} lost its new id object`);
      return now;
    });
  }

  readMark(name: string, options: CallOptions = {}): Promise<string | undefined> {
    return this.#run('reading a mark', options, () => this.#folder.readSmall(markKey(name), MARK_MAX_BYTES));
  }

  writeMark(name: string, text: string, options: CallOptions = {}): Promise<void> {
    return this.#run('writing a mark', options, async () => {
      await this.#folder.requirePresent();
      await this.#writeWhole(markKey(name).split('/'), Buffer.from(text), false);
    });
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#run('looking for an object', options, async () => {
      const found = await this.#folder.find(keySegments(key));
      return found && { key, bytes: found.bytes, etag: found.etag };
    });
  }

  async *read(key: string, range?: ByteRange, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    checkRange(key, range);
    const found = await this.#run('looking for an object', options, () =>
      this.#folder.find(keySegments(key)),
    );
    if (!found) throw this.#missing(key);
    const end = Math.min(found.bytes, range?.end ?? found.bytes);
    const handle = await this.#run('opening an object', options, () => this.#folder.fs.open(found.path, 'r'));
    try {
      for (let at = range?.start ?? 0; at < end;) {
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
        const { bytesRead } = await this.#run('reading an object', options, () =>
          handle.read(buffer, 0, buffer.length, at),
        );
        if (bytesRead === 0) throw corrupt(key, 'size', found.bytes, at);
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      await handle.close();
    }
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    yield* this.#each('listing objects', options, listObjects(this.#folder, prefix));
  }

  put(
    key: string,
    data: Uint8Array,
    options: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectInfo> {
    return this.#run('writing an object', options, async () => {
      const segments = keySegments(key);
      await this.#folder.requirePresent();
      await this.#writeWhole(segments, data, options.ifAbsent === true);
      return { key, bytes: data.byteLength };
    });
  }

  async #writeWhole(segments: readonly string[], data: Uint8Array, ifAbsent: boolean): Promise<void> {
    await this.#folder.makeFolders(TEMPORARY);
    const temporary = this.#folder.at(...TEMPORARY, randomHex(this.#random, 16));
    try {
      await this.#folder.writeNew(temporary, data);
      await this.#folder.publish(temporary, segments, ifAbsent);
    } finally {
      await this.#folder.fs.rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  delete(key: string, options: CallOptions = {}): Promise<void> {
    return this.#run('removing an object', options, async () => {
      const segments = keySegments(key);
      await this.#folder.requirePresent();
      const found = await this.#folder.find(segments);
      if (!found) return;
      try {
        await this.#folder.fs.unlink(found.path);
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
        return;
      }
      await this.#folder.syncFolder(this.#folder.at(...segments.slice(0, -1)));
    });
  }

  createUpload(key: string, options: CallOptions = {}): Promise<Upload> {
    return this.#run('starting an upload', options, async () => {
      keySegments(key);
      await this.#folder.requirePresent();
      return this.#uploads.create(key);
    });
  }

  uploadPart(upload: Upload, partNumber: number, data: Buffer, options: CallOptions = {}): Promise<Receipt> {
    return this.#run('writing a part', options, async () => {
      await this.#folder.requirePresent();
      return this.#uploads.writePart(upload, partNumber, data, options.signal);
    });
  }

  listParts(upload: Upload, options: CallOptions = {}): Promise<Receipt[]> {
    return this.#run('listing parts', options, () => this.#uploads.listParts(upload, options.signal));
  }

  completeUpload(
    upload: Upload,
    parts: readonly Receipt[],
    options: CallOptions & { readonly overwrite?: boolean } = {},
  ): Promise<ObjectInfo> {
    return this.#run('completing an upload', options, async () => {
      await this.#folder.requirePresent();
      const bytes = await this.#uploads.complete(upload, parts, options.overwrite === true);
      return { key: upload.key, bytes };
    });
  }

  abortUpload(upload: Upload, options: CallOptions = {}): Promise<void> {
    return this.#run('aborting an upload', options, async () => {
      await this.#folder.requirePresent();
      await this.#uploads.abort(upload);
    });
  }

  async *listUploads(options: CallOptions = {}): AsyncGenerator<Upload & { startedAt: bigint }> {
    yield* this.#each('listing uploads', options, this.#uploads.list());
  }

  async verify(key: string, digest: ObjectDigest, options: CallOptions = {}): Promise<Verification> {
    const found = await this.head(key, options);
    if (!found) throw this.#missing(key);
    if (found.bytes !== digest.bytes) throw corrupt(key, 'size', digest.bytes, found.bytes);
    await verifyByReading(key, digest, this.read(key, undefined, options));
    return 'read-back';
  }

  close(): Promise<void> {
    this.#remote?.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #missing(key: string): HoldfastError {
    return new HoldfastError('OBJECT_MISSING', `${this.uri} has no object ${key}`, { facts: { key } });
  }

  /** The only place where errors of the file system become codes of the port. */
  async #run<T>(action: string, { signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      throw await this.#translate(error, action, signal);
    }
  }

  async *#each<T>(action: string, { signal }: CallOptions, items: AsyncIterable<T>): AsyncGenerator<T> {
    signal?.throwIfAborted();
    try {
      for await (const item of items) {
        yield item;
        signal?.throwIfAborted();
      }
    } catch (error) {
      throw await this.#translate(error, action, signal);
    }
  }

  async #translate(error: unknown, action: string, signal?: AbortSignal): Promise<unknown> {
    if (signal?.aborted && error === signal.reason) return error;
    // The file was there just now, so its absence rather means that the disk is gone.
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) {
      const better = await this.#folder.requirePresent().catch((absence: unknown) => absence);
      if (better !== undefined) return directoryError(better, action, this.#folder.root);
    }
    return directoryError(error, action, this.#folder.root);
  }
}
