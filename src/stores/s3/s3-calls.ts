import type { S3Client } from '@aws-sdk/client-s3';
import { HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { CallOptions } from '../../core/store.js';
import { keySegments } from '../object-key.js';
import { createS3Client } from './s3-client.js';
import { s3Error } from './s3-errors.js';
import { requireAnswer, type Place } from './s3-listing.js';
import { newObjectInput, type NewObjectInput } from './new-objects.js';
import type { S3Options } from './s3-options.js';

/** The client with what every call needs: full keys, cancelling, closing, errors as codes of the port. */
export class S3Calls {
  readonly base: string;
  readonly #client: S3Client;
  #closed = false;
  #server = '';

  constructor(
    readonly uri: string,
    readonly options: S3Options,
    ca: string | undefined,
  ) {
    this.base = options.prefix === '' ? '' : `${options.prefix}/`;
    this.#client = createS3Client(options, ca, (server) => (this.#server = server));
  }

  /** Members of a request that makes an object. */
  get newObject(): NewObjectInput {
    return newObjectInput(this.options.newObjects);
  }

  /** What the server called itself in its latest answer; empty: nothing. */
  get server(): string {
    return this.#server;
  }

  /** The key with the store's prefix. Throws `STORE_REJECTED`. */
  fullKey(key: string): string {
    keySegments(key, this.options.prefix);
    return this.base + key;
  }

  /** The only place where errors of the client become codes of the port. */
  async run<T>(call: string, options: CallOptions, work: (place: Place) => Promise<T>): Promise<T> {
    const place = this.#place(options);
    try {
      return await work(place);
    } catch (error) {
      throw this.translate(error, call, options);
    }
  }

  /** As {@link run}, for pages and streams. */
  async *each<T>(
    call: string,
    options: CallOptions,
    work: (place: Place) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const place = this.#place(options);
    try {
      for await (const one of work(place)) {
        yield one;
        options.signal?.throwIfAborted();
      }
    } catch (error) {
      throw this.translate(error, call, options);
    }
  }

  #place({ signal }: CallOptions): Place {
    signal?.throwIfAborted();
    if (this.#closed) throw new HoldfastError('STORE_OFFLINE', `${this.uri} was closed`);
    const abort = signal === undefined ? {} : { abortSignal: signal };
    return { client: this.#client, bucket: this.options.bucket, abort };
  }

  translate(error: unknown, call: string, { signal }: CallOptions): unknown {
    return signal?.aborted ? signal.reason : s3Error(error, call, this.uri);
  }

  /**
   * Undefined if the object does not exist. A missing bucket looks the same, because the answer to HEAD has
   * no body.
   */
  async head(
    fullKey: string,
    wantsChecksum: boolean,
    options: CallOptions,
  ): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.run('HeadObject', options, async ({ client, bucket, abort }) => {
        const checksum = wantsChecksum ? ({ ChecksumMode: 'ENABLED' } as const) : {};
        const command = new HeadObjectCommand({ Bucket: bucket, Key: fullKey, ...checksum });
        const found = await client.send(command, abort);
        requireAnswer(found.ETag !== undefined, 'HeadObject');
        return found;
      });
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  missing(key: string): HoldfastError {
    return new HoldfastError('OBJECT_MISSING', `${this.uri} has no object ${key}`, { facts: { key } });
  }

  /** Throws `CONFIG_INVALID` if neither the options nor the AWS chain name a region. */
  async requireRegion(): Promise<void> {
    try {
      await this.#client.config.region();
    } catch (cause) {
      this.close();
      throw new HoldfastError('CONFIG_INVALID', `${this.uri}: no region; add ?region=, or set AWS_REGION`, {
        cause,
        facts: { faults: ['region is missing'] },
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.destroy();
  }
}
