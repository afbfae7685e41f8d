import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BlockBlobClient, ContainerClient } from '@azure/storage-blob';
import type { Timers } from '../../core/clock.js';
import { defined } from '../../core/defined.js';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { CallOptions, ObjectInfo } from '../../core/store.js';
import type { ByteRange } from '../byte-range.js';
import { keySegments } from '../object-key.js';
import type { AzureAccess } from './azure-credentials.js';
import { azureError } from './azure-errors.js';
import type { AzureLibrary } from './azure-library.js';
import type { AzureOptions } from './azure-options.js';
import { IdleWatch } from './idle-watch.js';

/** Sent at a time, so that a large block over a slow link shows progress. */
const SLICE_BYTES = 64 * 1024;

export interface AzureSetup {
  /** Without credentials; shown in status and errors. */
  readonly uri: string;
  readonly options: AzureOptions;
  readonly access: AzureAccess;
  readonly library: AzureLibrary;
}

/** The client with what every call needs: full keys, cancelling, idle time, closing, errors of the port. */
export class AzureCalls {
  readonly uri: string;
  readonly options: AzureOptions;
  readonly base: string;
  readonly container: ContainerClient;
  readonly #timers: Timers;
  #isClosed = false;

  constructor({ uri, options, access, library }: AzureSetup, timers: Timers) {
    this.uri = uri;
    this.options = options;
    this.base = options.prefix === '' ? '' : `${options.prefix}/`;
    this.container = openContainer(options, access, library);
    this.#timers = timers;
  }

  /** The key with the store's prefix. Throws `STORE_REJECTED`. */
  fullKey(key: string): string {
    keySegments(key, this.options.prefix);
    return this.base + key;
  }

  blob(fullKey: string): BlockBlobClient {
    return this.container.getBlockBlobClient(fullKey);
  }

  /** The access tier of new objects, for options of the client. */
  get tier(): { readonly tier?: string } {
    const { tier } = this.options;
    return tier === undefined ? {} : { tier: `${tier[0]?.toUpperCase()}${tier.slice(1)}` };
  }

  /** One call. With {@link each} the only place where errors of the client become codes of the port. */
  async run<T>(call: string, options: CallOptions, work: (watch: IdleWatch) => Promise<T>): Promise<T> {
    const watch = this.#watch(options);
    try {
      return await work(watch);
    } catch (error) {
      throw this.#translate(error, call, options, watch);
    } finally {
      watch.end();
    }
  }

  /** As {@link run}, for pages and streams. */
  async *each<T>(
    call: string,
    options: CallOptions,
    work: (watch: IdleWatch) => AsyncIterable<T> | Promise<AsyncIterable<T>>,
  ): AsyncGenerator<T> {
    const watch = this.#watch(options);
    try {
      for await (const one of await work(watch)) {
        watch.rest();
        yield one;
        options.signal?.throwIfAborted();
        watch.moved();
      }
    } catch (error) {
      throw this.#translate(error, call, options, watch);
    } finally {
      watch.end();
    }
  }

  #watch({ signal }: CallOptions): IdleWatch {
    signal?.throwIfAborted();
    if (this.#isClosed) throw new HoldfastError('STORE_OFFLINE', `${this.uri} was closed`);
    return new IdleWatch(this.#timers, this.options.timeoutMs, signal);
  }

  #translate(error: unknown, call: string, { signal }: CallOptions, watch: IdleWatch): unknown {
    if (signal?.aborted) return signal.reason;
    if (!watch.isExpired) return azureError(error, call, this.uri);
    const { timeoutMs } = this.options;
    return new HoldfastError('STORE_OFFLINE', `${call} in ${this.uri}: no byte moved for ${timeoutMs} ms`, {
      facts: { uri: this.uri, action: call, timeoutMs },
    });
  }

  /** Undefined if the blob does not exist. */
  async head(fullKey: string, options: CallOptions): Promise<Omit<ObjectInfo, 'key'> | undefined> {
    try {
      return await this.run('Get Blob Properties', options, async ({ signal }) => {
        const found = await this.blob(fullKey).getProperties({ abortSignal: signal });
        requireAnswer(found.requestId, 'Get Blob Properties');
        return { bytes: found.contentLength ?? 0, ...defined({ etag: found.etag }) };
      });
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  /** The bytes of a blob; none for a range behind its end. Throws `OBJECT_MISSING`. */
  async *get(
    fullKey: string,
    range: ByteRange | undefined,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array> {
    if (range && range.start === range.end) {
      if (!(await this.head(fullKey, options))) throw this.missing(fullKey);
      return;
    }
    const { start, count } = { start: range?.start ?? 0, count: range && range.end - range.start };
    try {
      yield* this.each('Get Blob', options, async ({ signal }) => {
        const once = { abortSignal: signal, maxRetryRequests: 0 };
        const found = await this.blob(fullKey).download(start, count, once);
        requireAnswer(found.requestId, 'Get Blob');
        return found.readableStreamBody as unknown as AsyncIterable<Uint8Array>;
      });
    } catch (error) {
      // The range begins after the blob's end.
      if (range && isHoldfastError(error) && error.facts['status'] === 416) return;
      throw error;
    }
  }

  /** Writes a blob whole; the service compares the MD5. Throws `OBJECT_EXISTS` with `ifAbsent`. */
  put(
    fullKey: string,
    data: Uint8Array,
    ifAbsent: boolean,
    options: CallOptions,
    more: { readonly metadata?: Record<string, string>; readonly tier?: string } = {},
  ): Promise<string> {
    return this.run('Put Blob', options, async (watch) => {
      const { requestId, etag = '' } = await this.blob(fullKey).upload(() => slices(data), data.byteLength, {
        abortSignal: watch.signal,
        onProgress: () => watch.moved(),
        blobHTTPHeaders: { blobContentMD5: md5(data) },
        ...(ifAbsent && { conditions: { ifNoneMatch: '*' } }),
        ...more,
      });
      requireAnswer(requestId, 'Put Blob');
      return etag;
    });
  }

  /** Removes a blob; no error if it does not exist. */
  async delete(fullKey: string, options: CallOptions): Promise<void> {
    try {
      await this.run('Delete Blob', options, async ({ signal }) => {
        const { requestId } = await this.blob(fullKey).delete({
          abortSignal: signal,
          deleteSnapshots: 'include',
        });
        requireAnswer(requestId, 'Delete Blob');
      });
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_MISSING')) throw error;
    }
  }

  missing(fullKey: string): HoldfastError {
    return new HoldfastError('OBJECT_MISSING', `${this.uri} has no object ${fullKey}`, {
      facts: { key: fullKey },
    });
  }

  close(): void {
    this.#isClosed = true;
  }
}

function openContainer(
  { container }: AzureOptions,
  { endpoint, accountKey, signature }: AzureAccess,
  { ContainerClient, newPipeline, AnonymousCredential, StorageSharedKeyCredential }: AzureLibrary,
): ContainerClient {
  const account = new URL(endpoint);
  // An emulator has the account in the path, Azure in the host name.
  const name = account.pathname.split('/')[1] || account.hostname.split('.')[0] || '';
  const credential =
    accountKey === undefined ? new AnonymousCredential() : new StorageSharedKeyCredential(name, accountKey);
  // Sync decides when to retry: it knows the link, and what to send first.
  const pipeline = newPipeline(credential, { retryOptions: { maxTries: 1 } });
  const query = signature === undefined ? '' : `?${signature}`;
  return new ContainerClient(`${endpoint}/${container}${query}`, pipeline);
}

/** The bytes as a stream of small views of them. */
export function slices(data: Uint8Array): Readable {
  const views = function* (): Generator<Uint8Array> {
    for (let at = 0; at < data.byteLength; at += SLICE_BYTES) yield data.subarray(at, at + SLICE_BYTES);
  };
  return Readable.from(views(), { objectMode: false });
}

/** As the service checks it on arrival. */
export function md5(data: Uint8Array): Uint8Array {
  return createHash('md5').update(data).digest();
}

/** A captive portal or a proxy answers 200 with a page of its own. */
export function requireAnswer(requestId: string | undefined, call: string): void {
  if (requestId !== undefined) return;
  throw new HoldfastError('STORE_OFFLINE', `the answer to ${call} is not that of Azure`, { facts: { call } });
}
