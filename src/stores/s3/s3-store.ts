import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { crc32 } from 'node:zlib';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
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
import { ID_KEY, keySegments, RESERVED_SEGMENT } from '../object-key.js';
import { corrupt, verifyByReading } from '../read-back.js';
import { checkStoreId, ID_MAX_BYTES, parseStoreId } from '../store-id.js';
import { decodeCrc32, encodeCrc32 } from './crc32-text.js';
import { createS3Client } from './s3-client.js';
import { isNotImplemented, s3Error, statusOf } from './s3-errors.js';
import { pageObjects, pageParts, pageUploads, requireAnswer, type Place } from './s3-listing.js';
import type { S3Options } from './s3-options.js';

const MIB = 1024 * 1024;

export interface S3StoreSetup {
  /** Without credentials; what status and errors show. */
  readonly uri: string;
  readonly options: S3Options;
  /** PEM text of the configured authority. */
  readonly ca?: string;
}

/**
 * An S3 bucket, or a prefix in one, as a store. What a store turns out not to support (conditional writes,
 * checksums) is found out at its first refusal and remembered in `supports`.
 */
export class S3Store implements Store {
  readonly uri: string;
  readonly limits = { minPartBytes: 5 * MIB, maxParts: 10_000, maxObjectBytes: 5 * MIB * MIB };
  readonly #options: S3Options;
  readonly #client: S3Client;
  #closed = false;
  #conditionalPut: boolean;
  #conditionalComplete: boolean;
  #sendsCrc32: boolean;
  #fullObjectChecksum: boolean;

  constructor({ uri, options, ca }: S3StoreSetup) {
    this.uri = uri;
    this.#options = options;
    this.#client = createS3Client(options, ca);
    this.#conditionalPut = options.conditional;
    this.#conditionalComplete = options.conditional;
    this.#sendsCrc32 = options.checksum === 'auto' || options.checksum === 'crc32';
    this.#fullObjectChecksum = this.#sendsCrc32;
  }

  /** Optimistic at first: corrected by the store's first answer that shows otherwise. */
  get supports(): StoreSupport {
    return {
      parallelParts: true,
      conditionalComplete: this.#conditionalComplete,
      conditionalPut: this.#conditionalPut,
      fullObjectChecksum: this.#fullObjectChecksum,
    };
  }

  async readId(options: CallOptions = {}): Promise<string | undefined> {
    try {
      const chunks: Uint8Array[] = [];
      const range = { start: 0, end: ID_MAX_BYTES };
      for await (const chunk of this.#get(this.#fullKey(ID_KEY, true), range, options)) chunks.push(chunk);
      return parseStoreId(Buffer.concat(chunks).toString('latin1'), this.uri);
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  async createId(id: string, options: CallOptions = {}): Promise<string> {
    checkStoreId(id);
    const content = Buffer.from(`${id}\n`);
    try {
      await this.#put(this.#fullKey(ID_KEY, true), content, true, options);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
    }
    const now = await this.readId(options);
    if (now === undefined) throw new HoldfastError('STORE_OFFLINE', `${this.uri} lost its new id object`);
    return now;
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const found = await this.#head(this.#fullKey(key), options);
    return found && { key, bytes: found.ContentLength ?? 0, etag: found.ETag as string };
  }

  async #head(fullKey: string, options: CallOptions): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.#run('HeadObject', options, async ({ client, bucket, abort }) => {
        const checksum = this.#fullObjectChecksum ? ({ ChecksumMode: 'ENABLED' } as const) : {};
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

  async *read(key: string, range?: ByteRange, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    checkRange(key, range);
    yield* this.#get(this.#fullKey(key), range, options);
  }

  async *#get(
    fullKey: string,
    range: ByteRange | undefined,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array> {
    if (range && range.start === range.end) {
      if (!(await this.#head(fullKey, options))) throw this.#missing(fullKey);
      return;
    }
    const Range = range && `bytes=${range.start}-${range.end - 1}`;
    let content: AsyncIterable<Uint8Array> | undefined;
    try {
      content = await this.#run('GetObject', options, async ({ client, bucket, abort }) => {
        const command = new GetObjectCommand({ Bucket: bucket, Key: fullKey, ...(Range && { Range }) });
        const found = await client.send(command, abort);
        requireAnswer(found.ETag !== undefined && found.Body !== undefined, 'GetObject');
        return found.Body as unknown as AsyncIterable<Uint8Array>;
      });
    } catch (error) {
      // The range begins behind the object's end.
      if (range && isHoldfastError(error) && error.facts['status'] === 416) return;
      throw error;
    }
    yield* this.#stream(content, options);
  }

  async *#stream(content: AsyncIterable<Uint8Array>, { signal }: CallOptions): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of content) {
        yield chunk;
        signal?.throwIfAborted();
      }
    } catch (error) {
      throw this.#translate(error, 'GetObject', signal);
    }
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    const base = this.#base();
    const own = `${base}${RESERVED_SEGMENT}/`;
    const pages = this.#each('ListObjectsV2', options, (place) => pageObjects(place, base + prefix));
    for await (const found of pages) {
      if (!found.key.startsWith(own)) yield { ...found, key: found.key.slice(base.length) };
    }
  }

  async put(
    key: string,
    data: Uint8Array,
    options: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectInfo> {
    const etag = await this.#put(this.#fullKey(key), data, options.ifAbsent === true, options);
    return { key, bytes: data.byteLength, etag };
  }

  async #put(fullKey: string, data: Uint8Array, ifAbsent: boolean, options: CallOptions): Promise<string> {
    const send = (conditional: boolean): Promise<string> =>
      this.#run('PutObject', options, async ({ client, bucket, abort }) => {
        const command = new PutObjectCommand({
          Bucket: bucket,
          Key: fullKey,
          Body: data,
          ContentLength: data.byteLength,
          ...(this.#sendsCrc32 && { ChecksumCRC32: encodeCrc32(crc32(data)) }),
          ...(conditional && { IfNoneMatch: '*' }),
        });
        const { ETag } = await client.send(command, abort);
        requireAnswer(ETag !== undefined, 'PutObject');
        return ETag as string;
      });
    const withChecksum = this.#sendsCrc32;
    try {
      if (!ifAbsent) return await send(false);
      return await this.#ifAbsent(fullKey, options, this.#conditionalPut, send, () => {
        this.#conditionalPut = false;
      });
    } catch (error) {
      if (!withChecksum || !this.#dropsChecksums(error)) throw error;
      return this.#put(fullKey, data, ifAbsent, options);
    }
  }

  /** Writes under the store's own condition, or, where it has none, after a look. */
  async #ifAbsent<T>(
    fullKey: string,
    options: CallOptions,
    conditional: boolean,
    write: (conditional: boolean) => Promise<T>,
    remember: () => void,
  ): Promise<T> {
    if (conditional) {
      try {
        return await write(true);
      } catch (error) {
        if (!(isHoldfastError(error) && isNotImplemented(error.cause))) throw error;
        remember();
      }
    }
    if (await this.#head(fullKey, options)) {
      throw new HoldfastError('OBJECT_EXISTS', `${this.uri} already has ${fullKey}`, {
        facts: { key: fullKey },
      });
    }
    return write(false);
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    const Key = this.#fullKey(key);
    try {
      await this.#run('DeleteObject', options, ({ client, bucket, abort }) =>
        client.send(new DeleteObjectCommand({ Bucket: bucket, Key }), abort),
      );
    } catch (error) {
      // Some stores say so.
      if (!isHoldfastError(error, 'OBJECT_MISSING')) throw error;
    }
  }

  async createUpload(key: string, options: CallOptions = {}): Promise<Upload> {
    const Key = this.#fullKey(key);
    const withChecksum = this.#sendsCrc32;
    try {
      const uploadId = await this.#run('CreateMultipartUpload', options, async (place) => {
        const checksum = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const;
        const command = new CreateMultipartUploadCommand({
          Bucket: place.bucket,
          Key,
          ...(withChecksum && checksum),
        });
        const { UploadId } = await place.client.send(command, place.abort);
        requireAnswer(UploadId !== undefined && UploadId !== '', 'CreateMultipartUpload');
        return UploadId as string;
      });
      return { key, uploadId };
    } catch (error) {
      if (!withChecksum || !this.#dropsChecksums(error)) throw error;
      return this.createUpload(key, options);
    }
  }

  /** In mode `auto`: gives checksums up for good where the store refuses a request that carries them. */
  #dropsChecksums(error: unknown): boolean {
    if (this.#options.checksum !== 'auto' || !isHoldfastError(error, 'STORE_REJECTED')) return false;
    const status = statusOf(error.cause);
    if (status !== 400 && status !== 501) return false;
    this.#sendsCrc32 = false;
    this.#fullObjectChecksum = false;
    return true;
  }

  async uploadPart(
    upload: Upload,
    partNumber: number,
    data: Buffer,
    options: CallOptions = {},
  ): Promise<Receipt> {
    if (!Number.isSafeInteger(partNumber) || partNumber < 1 || partNumber > this.limits.maxParts) {
      const fault = `part number ${partNumber}, allowed: 1 to ${this.limits.maxParts}`;
      throw new HoldfastError('STORE_REJECTED', fault, { facts: { key: upload.key, partNumber } });
    }
    const checksum = this.#sendsCrc32 ? crc32(data) : undefined;
    return this.#run('UploadPart', options, async ({ client, bucket, abort }) => {
      const command = new UploadPartCommand({
        Bucket: bucket,
        Key: this.#fullKey(upload.key),
        UploadId: upload.uploadId,
        PartNumber: partNumber,
        // A Buffer: the client turns stream bodies into chunks with trailers, which some stores corrupt.
        Body: data,
        ContentLength: data.byteLength,
        ...(checksum !== undefined && { ChecksumCRC32: encodeCrc32(checksum) }),
      });
      const { ETag, ChecksumCRC32 } = await client.send(command, abort);
      requireAnswer(ETag !== undefined, 'UploadPart');
      const stored = decodeCrc32(ChecksumCRC32);
      if (stored !== undefined && checksum !== undefined && stored !== checksum) {
        throw corrupt(upload.key, `CRC-32 of part ${partNumber}`, checksum, stored);
      }
      const receipt = { partNumber, bytes: data.byteLength, etag: ETag as string };
      return stored === undefined ? receipt : { ...receipt, crc32: stored };
    });
  }

  listParts(upload: Upload, options: CallOptions = {}): Promise<Receipt[]> {
    return this.#run('ListParts', options, (place) =>
      pageParts(place, { ...upload, key: this.#fullKey(upload.key) }),
    );
  }

  async completeUpload(
    upload: Upload,
    parts: readonly Receipt[],
    options: CallOptions & { readonly overwrite?: boolean } = {},
  ): Promise<ObjectInfo> {
    const fullKey = this.#fullKey(upload.key);
    const complete = (conditional: boolean): Promise<ObjectInfo> =>
      this.#run('CompleteMultipartUpload', options, async ({ client, bucket, abort }) => {
        this.#requireParts(upload, parts);
        const command = new CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: fullKey,
          UploadId: upload.uploadId,
          ...(conditional && { IfNoneMatch: '*' }),
          MultipartUpload: {
            Parts: parts.map((part) => ({
              PartNumber: part.partNumber,
              ETag: part.etag,
              ...(part.crc32 !== undefined && { ChecksumCRC32: encodeCrc32(part.crc32) }),
            })),
          },
        });
        const { ETag } = await client.send(command, abort);
        requireAnswer(ETag !== undefined, 'CompleteMultipartUpload');
        const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
        return { key: upload.key, bytes, etag: ETag as string };
      });
    if (options.overwrite === true) return complete(false);
    return this.#ifAbsent(fullKey, options, this.#conditionalComplete, complete, () => {
      this.#conditionalComplete = false;
    });
  }

  /** Stores answer an empty list with anything from 400 MalformedXML to 500. */
  #requireParts(upload: Upload, parts: readonly Receipt[]): void {
    if (parts.length > 0) return;
    throw new HoldfastError('UPLOAD_MISMATCH', `upload of ${upload.key}: no parts to assemble`, {
      facts: { key: upload.key, uploadId: upload.uploadId },
    });
  }

  async abortUpload(upload: Upload, options: CallOptions = {}): Promise<void> {
    const Key = this.#fullKey(upload.key);
    try {
      await this.#run('AbortMultipartUpload', options, ({ client, bucket, abort }) => {
        const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId: upload.uploadId });
        return client.send(command, abort);
      });
    } catch (error) {
      if (!isHoldfastError(error, 'UPLOAD_UNKNOWN') && !isHoldfastError(error, 'OBJECT_MISSING')) throw error;
    }
  }

  async *listUploads(options: CallOptions = {}): AsyncGenerator<Upload & { startedAt: bigint }> {
    const base = this.#base();
    const pages = this.#each('ListMultipartUploads', options, (place) => pageUploads(place, base));
    for await (const found of pages) yield { ...found, key: found.key.slice(base.length) };
  }

  async verify(key: string, digest: ObjectDigest, options: CallOptions = {}): Promise<Verification> {
    const found = await this.#head(this.#fullKey(key), options);
    if (!found) throw this.#missing(key);
    if (found.ContentLength !== digest.bytes) {
      throw corrupt(key, 'size', digest.bytes, found.ContentLength);
    }
    // Absent for an object put whole, where the checksum cannot be one of parts.
    const isWhole = found.ChecksumType === undefined || found.ChecksumType === 'FULL_OBJECT';
    const stored = isWhole ? decodeCrc32(found.ChecksumCRC32) : undefined;
    if (stored !== undefined) {
      if (stored !== digest.crc32) throw corrupt(key, 'CRC-32 in the store', digest.crc32, stored);
      return 'store-checksum';
    }
    this.#fullObjectChecksum = false;
    await verifyByReading(key, digest, this.read(key, undefined, options));
    return 'read-back';
  }

  /** Throws `CONFIG_INVALID` where neither options nor the AWS chain name a region. */
  async requireRegion(): Promise<void> {
    try {
      await this.#client.config.region();
    } catch (cause) {
      await this.close();
      throw new HoldfastError('CONFIG_INVALID', `${this.uri}: no region; add ?region=, or set AWS_REGION`, {
        cause,
        facts: { faults: ['region is missing'] },
      });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#client.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #base(): string {
    return this.#options.prefix === '' ? '' : `${this.#options.prefix}/`;
  }

  #fullKey(key: string, isOwn = false): string {
    if (!isOwn) keySegments(key, this.#options.prefix);
    return this.#base() + key;
  }

  #missing(key: string): HoldfastError {
    return new HoldfastError('OBJECT_MISSING', `${this.uri} has no object ${key}`, { facts: { key } });
  }

  #place({ signal }: CallOptions): Place {
    signal?.throwIfAborted();
    if (this.#closed) throw new HoldfastError('STORE_OFFLINE', `${this.uri} was closed`);
    const abort = signal === undefined ? {} : { abortSignal: signal };
    return { client: this.#client, bucket: this.#options.bucket, abort };
  }

  /** The one place where errors of the client become codes of the port. */
  async #run<T>(call: string, options: CallOptions, work: (place: Place) => Promise<T>): Promise<T> {
    const place = this.#place(options);
    try {
      return await work(place);
    } catch (error) {
      throw this.#translate(error, call, options.signal);
    }
  }

  async *#each<T>(
    call: string,
    options: CallOptions,
    work: (place: Place) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const place = this.#place(options);
    try {
      yield* work(place);
    } catch (error) {
      throw this.#translate(error, call, options.signal);
    }
  }

  #translate(error: unknown, call: string, signal: AbortSignal | undefined): unknown {
    return signal?.aborted ? signal.reason : s3Error(error, call, this.uri);
  }
}
