import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { crc32 } from 'node:zlib';
import { isHoldfastError } from '../../core/errors.js';
import type {
  CallOptions,
  ObjectDigest,
  ObjectInfo,
  Receipt,
  Store,
  StoreFindings,
  StoreSupport,
  Upload,
  Verification,
  WholeFile,
} from '../../core/store.js';
import { checkRange, type ByteRange } from '../byte-range.js';
import { RESERVED_SEGMENT } from '../object-key.js';
import { OwnObjects } from '../own-objects.js';
import { corrupt, verifyByReading } from '../read-back.js';
import { decodeCrc32, encodeCrc32 } from './crc32-text.js';
import { S3Calls } from './s3-calls.js';
import { S3Features } from './s3-features.js';
import { pageObjects, requireAnswer } from './s3-listing.js';
import { ownObjectInput, type NewObjectInput } from './new-objects.js';
import type { S3Options } from './s3-options.js';
import { sendWhole } from './send-whole.js';
import { S3_MAX_PARTS, S3Uploads } from './s3-uploads.js';

const MIB = 1024 * 1024;

export interface S3StoreSetup {
  /** Without credentials; shown in status and errors. */
  readonly uri: string;
  readonly options: S3Options;
  /** PEM text of the configured authority. */
  readonly ca?: string;
}

/** An S3 bucket, or a prefix in one, as a store. `supports` shows what it was found not to support. */
export class S3Store implements Store {
  readonly uri: string;
  readonly limits = { minPartBytes: 5 * MIB, maxParts: S3_MAX_PARTS, maxObjectBytes: 5 * MIB * MIB };
  readonly #calls: S3Calls;
  readonly #features: S3Features;
  readonly #uploads: S3Uploads;
  readonly #own: OwnObjects;

  constructor({ uri, options, ca }: S3StoreSetup) {
    this.uri = uri;
    this.#calls = new S3Calls(uri, options, ca);
    this.#features = new S3Features(this.#calls);
    this.#uploads = new S3Uploads(this.#calls, this.#features);
    this.#own = new OwnObjects(uri, this.#calls.base, {
      get: (fullKey, range, call) => this.#get(fullKey, range, call),
      put: (fullKey, data, ifAbsent, call) =>
        this.#put(fullKey, data, ifAbsent, call, ownObjectInput(options.newObjects)),
    });
  }

  get supports(): StoreSupport {
    return this.#features.supports;
  }

  readId(options: CallOptions = {}): Promise<string | undefined> {
    return this.#own.readId(options);
  }

  createId(id: string, options: CallOptions = {}): Promise<string> {
    return this.#own.createId(id, options);
  }

  readMark(name: string, options: CallOptions = {}): Promise<string | undefined> {
    return this.#own.readMark(name, options);
  }

  writeMark(name: string, text: string, options: CallOptions = {}): Promise<void> {
    return this.#own.writeMark(name, text, options);
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const found = await this.#calls.head(this.#calls.fullKey(key), false, options);
    return found && { key, bytes: found.ContentLength ?? 0, etag: found.ETag as string };
  }

  async *read(key: string, range?: ByteRange, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    checkRange(key, range);
    yield* this.#get(this.#calls.fullKey(key), range, options);
  }

  async *#get(
    fullKey: string,
    range: ByteRange | undefined,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array> {
    if (range && range.start === range.end) {
      if (!(await this.#calls.head(fullKey, false, options))) throw this.#calls.missing(fullKey);
      return;
    }
    let content: AsyncIterable<Uint8Array>;
    try {
      content = await this.#calls.run('GetObject', options, async ({ client, bucket, abort }) => {
        const Range = range && { Range: `bytes=${range.start}-${range.end - 1}` };
        const found = await client.send(
          new GetObjectCommand({ Bucket: bucket, Key: fullKey, ...Range }),
          abort,
        );
        requireAnswer(found.ETag !== undefined && found.Body !== undefined, 'GetObject');
        return found.Body as unknown as AsyncIterable<Uint8Array>;
      });
    } catch (error) {
      // The range begins after the object's end.
      if (range && isHoldfastError(error) && error.facts['status'] === 416) return;
      throw error;
    }
    yield* this.#calls.each('GetObject', options, () => content);
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    const { base } = this.#calls;
    const own = `${base}${RESERVED_SEGMENT}/`;
    const pages = this.#calls.each('ListObjectsV2', options, (place) => pageObjects(place, base + prefix));
    for await (const found of pages) {
      if (!found.key.startsWith(own)) yield { ...found, key: found.key.slice(base.length) };
    }
  }

  async put(
    key: string,
    data: Uint8Array,
    options: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectInfo> {
    const { fullKey, ifAbsent } = { fullKey: this.#calls.fullKey(key), ifAbsent: options.ifAbsent === true };
    const etag = await this.#put(fullKey, data, ifAbsent, options, this.#calls.newObject);
    return { key, bytes: data.byteLength, etag };
  }

  #put(
    fullKey: string,
    data: Uint8Array,
    ifAbsent: boolean,
    options: CallOptions,
    more: NewObjectInput,
  ): Promise<string> {
    const send = (withChecksum: boolean, conditional: boolean): Promise<string> =>
      this.#calls.run('PutObject', options, async ({ client, bucket, abort }) => {
        const command = new PutObjectCommand({
          Bucket: bucket,
          Key: fullKey,
          Body: data,
          ContentLength: data.byteLength,
          ...(withChecksum && { ChecksumCRC32: encodeCrc32(crc32(data)) }),
          ...(conditional && { IfNoneMatch: '*' }),
          ...more,
        });
        const { ETag } = await client.send(command, abort);
        requireAnswer(ETag !== undefined, 'PutObject');
        return ETag as string;
      });
    const write = (conditional: boolean): Promise<string> =>
      this.#features.withChecksum((withChecksum) => send(withChecksum, conditional));
    return ifAbsent ? this.#features.ifAbsent('put', fullKey, options, write) : write(false);
  }

  sendWhole(file: WholeFile, options: CallOptions = {}): Promise<ObjectInfo> {
    return sendWhole(this.#calls, this.#features, file, options);
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    const Key = this.#calls.fullKey(key);
    try {
      await this.#calls.run('DeleteObject', options, ({ client, bucket, abort }) =>
        client.send(new DeleteObjectCommand({ Bucket: bucket, Key }), abort),
      );
    } catch (error) {
      // Some stores answer like this.
      if (!isHoldfastError(error, 'OBJECT_MISSING')) throw error;
    }
  }

  async versioning(options: CallOptions = {}): Promise<'on' | 'off' | 'unknown'> {
    try {
      const { Status } = await this.#calls.run('GetBucketVersioning', options, ({ client, bucket, abort }) =>
        client.send(new GetBucketVersioningCommand({ Bucket: bucket }), abort),
      );
      // A suspended bucket still has the versions from before.
      return Status === undefined ? 'off' : 'on';
    } catch (error) {
      // Many credentials may not ask, and some servers do not know the call.
      if (isHoldfastError(error) && !error.retryable) return 'unknown';
      throw error;
    }
  }

  async createUpload(key: string, options: CallOptions = {}): Promise<Upload> {
    return this.#uploads.create(key, options);
  }

  uploadPart(upload: Upload, partNumber: number, data: Buffer, options: CallOptions = {}): Promise<Receipt> {
    return this.#uploads.sendPart(upload, partNumber, data, options);
  }

  async listParts(upload: Upload, options: CallOptions = {}): Promise<Receipt[]> {
    return this.#uploads.listParts(upload, options);
  }

  completeUpload(
    upload: Upload,
    parts: readonly Receipt[],
    options: CallOptions & { readonly overwrite?: boolean } = {},
  ): Promise<ObjectInfo> {
    return this.#uploads.complete(upload, parts, options);
  }

  abortUpload(upload: Upload, options: CallOptions = {}): Promise<void> {
    return this.#uploads.abort(upload, options);
  }

  listUploads(options: CallOptions = {}): AsyncGenerator<Upload & { startedAt: bigint }> {
    return this.#uploads.list(options);
  }

  async verify(key: string, digest: ObjectDigest, options: CallOptions = {}): Promise<Verification> {
    const found = await this.#calls.head(this.#calls.fullKey(key), this.#features.sendsCrc32, options);
    if (!found) throw this.#calls.missing(key);
    if (found.ContentLength !== digest.bytes) {
      throw corrupt(key, 'size', digest.bytes, found.ContentLength);
    }
    // The type is absent for an object that was put whole, whose checksum cannot be one of parts.
    const isWhole = found.ChecksumType === undefined || found.ChecksumType === 'FULL_OBJECT';
    const stored = isWhole ? decodeCrc32(found.ChecksumCRC32) : undefined;
    this.#features.sawFullObjectChecksum(stored !== undefined);
    if (stored !== undefined) {
      if (stored !== digest.crc32) throw corrupt(key, 'CRC-32 in the store', digest.crc32, stored);
      return 'store-checksum';
    }
    await verifyByReading(key, digest, this.read(key, undefined, options));
    return 'read-back';
  }

  findings(): StoreFindings {
    return { checksums: this.#features.checksumsFound, server: this.#calls.server };
  }

  recall({ checksums, server }: StoreFindings): boolean {
    return checksums === 'refused' && server === this.#calls.server && this.#features.recallRefusal();
  }

  /** Throws `CONFIG_INVALID` if neither the options nor the AWS chain name a region. */
  requireRegion(): Promise<void> {
    return this.#calls.requireRegion();
  }

  close(): Promise<void> {
    this.#calls.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
