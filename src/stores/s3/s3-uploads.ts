import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { crc32 } from 'node:zlib';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { CallOptions, ObjectInfo, Receipt, Upload } from '../../core/store.js';
import { present } from '../../core/present.js';
import { corrupt } from '../read-back.js';
import { maybeOfChecksums, withChecksumHint } from './checksum-trial.js';
import { decodeCrc32, encodeCrc32 } from './crc32-text.js';
import type { S3Calls } from './s3-calls.js';
import type { S3Features } from './s3-features.js';
import { statusOf } from './s3-errors.js';
import { pageParts, pageUploads, requireAnswer, type Place } from './s3-listing.js';

export const S3_MAX_PARTS = 10_000;
/** More uploads than are ever open at a time. */
const MAX_REMEMBERED = 1_000;

/** Multipart uploads that a later process can continue. */
export class S3Uploads {
  readonly #calls: S3Calls;
  readonly #features: S3Features;
  /**
   * Uploads that this process began: whether they were created with checksums, because all parts must be the
   * same.
   */
  readonly #carries = new Map<string, boolean>();

  constructor(calls: S3Calls, features: S3Features) {
    this.#calls = calls;
    this.#features = features;
  }

  async create(key: string, options: CallOptions): Promise<Upload> {
    const Key = this.#calls.fullKey(key);
    const checksum = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const;
    let carries = false;
    const send = (withChecksum: boolean): Promise<string> =>
      this.#calls.run('CreateMultipartUpload', options, async ({ client, bucket, abort }) => {
        const input = { Bucket: bucket, Key, ...(withChecksum && checksum), ...this.#calls.newObject };
        const { UploadId } = await client.send(new CreateMultipartUploadCommand(input), abort);
        requireAnswer(UploadId !== undefined && UploadId !== '', 'CreateMultipartUpload');
        carries = withChecksum;
        return UploadId as string;
      });
    const uploadId = await (this.#features.uploadChecksums.carries
      ? this.#features.withChecksum(send)
      : send(false));
    this.#remember(uploadId, carries);
    return { key, uploadId };
  }

  async sendPart(upload: Upload, partNumber: number, data: Buffer, options: CallOptions): Promise<Receipt> {
    if (!Number.isSafeInteger(partNumber) || partNumber < 1 || partNumber > S3_MAX_PARTS) {
      const fault = `part number ${partNumber}, allowed: 1 to ${S3_MAX_PARTS}`;
      throw new HoldfastError('STORE_REJECTED', fault, { facts: { key: upload.key, partNumber } });
    }
    const carries = this.#carries.get(upload.uploadId);
    const checksum = (carries ?? this.#features.sendsCrc32) ? crc32(data) : undefined;
    const send = (withChecksum: boolean): Promise<Receipt> =>
      this.#sendPart(upload, partNumber, data, withChecksum ? checksum : undefined, options);
    const { uploadChecksums, sendsCrc32 } = this.#features;
    try {
      // All parts of an upload are alike; for one of an earlier process nothing is known.
      const mustCarry = carries === true && !sendsCrc32;
      const receipt = await (carries === false || mustCarry
        ? send(mustCarry)
        : this.#features.withChecksum(send));
      uploadChecksums.worked('part', checksum !== undefined);
      return receipt;
    } catch (error) {
      if (!maybeOfChecksums(error)) throw error;
      const isSuspect = uploadChecksums.refused('part', checksum !== undefined);
      if (checksum === undefined) throw error;
      if (!isSuspect) throw withChecksumHint(error);
      await this.abort(upload, options).catch(() => undefined);
      const message = `${error.message}; starting the upload again without checksums`;
      throw new HoldfastError('UPLOAD_UNKNOWN', message, { cause: error.cause, facts: error.facts });
    }
  }

  #sendPart(
    upload: Upload,
    partNumber: number,
    data: Buffer,
    checksum: number | undefined,
    options: CallOptions,
  ): Promise<Receipt> {
    const Key = this.#calls.fullKey(upload.key);
    return this.#run('UploadPart', options, async ({ client, bucket, abort }) => {
      const command = new UploadPartCommand({
        Bucket: bucket,
        Key,
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

  /** A call about one upload. Ceph answers NoSuchKey where the upload is unknown. */
  async #run<T>(call: string, options: CallOptions, work: (place: Place) => Promise<T>): Promise<T> {
    try {
      return await this.#calls.run(call, options, work);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_MISSING') || error.facts['name'] !== 'NoSuchKey') throw error;
      const { message, cause, facts } = error;
      throw new HoldfastError('UPLOAD_UNKNOWN', message, { cause, facts });
    }
  }

  #remember(uploadId: string, carries: boolean): void {
    this.#carries.set(uploadId, carries);
    if (this.#carries.size > MAX_REMEMBERED) this.#carries.delete(present(this.#carries.keys().next().value));
  }

  listParts(upload: Upload, options: CallOptions): Promise<Receipt[]> {
    const key = this.#calls.fullKey(upload.key);
    return this.#run('ListParts', options, (place) => pageParts(place, { ...upload, key }));
  }

  async complete(
    upload: Upload,
    parts: readonly Receipt[],
    options: CallOptions & { readonly overwrite?: boolean },
  ): Promise<ObjectInfo> {
    const fullKey = this.#calls.fullKey(upload.key);
    options.signal?.throwIfAborted();
    requireParts(upload, parts);
    const carries = this.#carries.get(upload.uploadId) ?? parts.some((part) => part.crc32 !== undefined);
    const complete = (conditional: boolean): Promise<ObjectInfo> =>
      this.#run('CompleteMultipartUpload', options, async ({ client, bucket, abort }) => {
        const command = new CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: fullKey,
          UploadId: upload.uploadId,
          ...(conditional && { IfNoneMatch: '*' }),
          MultipartUpload: {
            Parts: parts.map((part) => ({
              PartNumber: part.partNumber,
              ETag: part.etag,
              ...(carries && part.crc32 !== undefined && { ChecksumCRC32: encodeCrc32(part.crc32) }),
            })),
          },
        });
        const { ETag } = await client.send(command, abort);
        requireAnswer(ETag !== undefined, 'CompleteMultipartUpload');
        const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
        return { key: upload.key, bytes, etag: ETag as string };
      });
    try {
      const done = await (options.overwrite === true
        ? complete(false)
        : this.#features.ifAbsent('complete', fullKey, options, complete));
      this.#carries.delete(upload.uploadId);
      if (this.#features.uploadChecksums.worked('completion', carries)) this.#features.giveUpChecksums();
      return done;
    } catch (error) {
      if (statusOf((error as Error).cause) === 500) await this.#requireKnown(upload, options);
      if (!maybeOfChecksums(error)) throw error;
      // The next upload of the segment may be created without checksums.
      this.#features.uploadChecksums.refused('completion', carries);
      throw carries ? withChecksumHint(error) : error;
    }
  }

  /**
   * Ceph answers 500 InternalError to the completion of an upload that it does not know, which looks as if it were to
   * be tried again. Throws `UPLOAD_UNKNOWN`.
   */
  async #requireKnown(upload: Upload, options: CallOptions): Promise<void> {
    try {
      await this.listParts(upload, options);
    } catch (error) {
      if (isHoldfastError(error, 'UPLOAD_UNKNOWN')) throw error;
      // The caller's own error says more.
    }
  }

  async abort(upload: Upload, options: CallOptions): Promise<void> {
    const Key = this.#calls.fullKey(upload.key);
    this.#carries.delete(upload.uploadId);
    try {
      await this.#calls.run('AbortMultipartUpload', options, ({ client, bucket, abort }) => {
        const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId: upload.uploadId });
        return client.send(command, abort);
      });
    } catch (error) {
      if (!isHoldfastError(error, 'UPLOAD_UNKNOWN') && !isHoldfastError(error, 'OBJECT_MISSING')) throw error;
    }
  }

  async *list(options: CallOptions): AsyncGenerator<Upload & { startedAt: bigint }> {
    const { base } = this.#calls;
    const pages = this.#calls.each('ListMultipartUploads', options, (place) => pageUploads(place, base));
    for await (const found of pages) yield { ...found, key: found.key.slice(base.length) };
  }
}

/** Stores answer an empty list with anything from 400 MalformedXML to 500, and Ceph puts the parts in order itself. */
function requireParts(upload: Upload, parts: readonly Receipt[]): void {
  const isAscending = parts.every(
    ({ partNumber }, index) => index === 0 || partNumber > (parts[index - 1]?.partNumber ?? 0),
  );
  if (parts.length > 0 && isAscending) return;
  const fault =
    parts.length === 0 ? 'no parts to assemble' : 'its parts are not in the order of their numbers';
  throw new HoldfastError('UPLOAD_MISMATCH', `upload of ${upload.key}: ${fault}`, {
    facts: { key: upload.key, uploadId: upload.uploadId },
  });
}
