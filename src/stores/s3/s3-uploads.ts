import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { crc32 } from 'node:zlib';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { CallOptions, ObjectInfo, Receipt, Upload } from '../../core/store.js';
import { corrupt } from '../read-back.js';
import { decodeCrc32, encodeCrc32 } from './crc32-text.js';
import type { S3Calls } from './s3-calls.js';
import type { S3Features } from './s3-features.js';
import { pageParts, pageUploads, requireAnswer } from './s3-listing.js';

export const S3_MAX_PARTS = 10_000;

/** Multipart uploads that a later process can go on with. */
export class S3Uploads {
  readonly #calls: S3Calls;
  readonly #features: S3Features;

  constructor(calls: S3Calls, features: S3Features) {
    this.#calls = calls;
    this.#features = features;
  }

  async create(key: string, options: CallOptions): Promise<Upload> {
    const Key = this.#calls.fullKey(key);
    const checksum = { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } as const;
    const uploadId = await this.#features.withChecksum((withChecksum) =>
      this.#calls.run('CreateMultipartUpload', options, async ({ client, bucket, abort }) => {
        const input = { Bucket: bucket, Key, ...(withChecksum && checksum) };
        const { UploadId } = await client.send(new CreateMultipartUploadCommand(input), abort);
        requireAnswer(UploadId !== undefined && UploadId !== '', 'CreateMultipartUpload');
        return UploadId as string;
      }),
    );
    return { key, uploadId };
  }

  async sendPart(upload: Upload, partNumber: number, data: Buffer, options: CallOptions): Promise<Receipt> {
    const Key = this.#calls.fullKey(upload.key);
    if (!Number.isSafeInteger(partNumber) || partNumber < 1 || partNumber > S3_MAX_PARTS) {
      const fault = `part number ${partNumber}, allowed: 1 to ${S3_MAX_PARTS}`;
      throw new HoldfastError('STORE_REJECTED', fault, { facts: { key: upload.key, partNumber } });
    }
    const checksum = this.#features.sendsCrc32 ? crc32(data) : undefined;
    return this.#features.withChecksum((withChecksum) =>
      this.#calls.run('UploadPart', options, async ({ client, bucket, abort }) => {
        const command = new UploadPartCommand({
          Bucket: bucket,
          Key,
          UploadId: upload.uploadId,
          PartNumber: partNumber,
          // A Buffer: the client turns stream bodies into chunks with trailers, which some stores corrupt.
          Body: data,
          ContentLength: data.byteLength,
          ...(withChecksum && checksum !== undefined && { ChecksumCRC32: encodeCrc32(checksum) }),
        });
        const { ETag, ChecksumCRC32 } = await client.send(command, abort);
        requireAnswer(ETag !== undefined, 'UploadPart');
        const stored = decodeCrc32(ChecksumCRC32);
        if (stored !== undefined && checksum !== undefined && stored !== checksum) {
          throw corrupt(upload.key, `CRC-32 of part ${partNumber}`, checksum, stored);
        }
        const receipt = { partNumber, bytes: data.byteLength, etag: ETag as string };
        return stored === undefined ? receipt : { ...receipt, crc32: stored };
      }),
    );
  }

  listParts(upload: Upload, options: CallOptions): Promise<Receipt[]> {
    const key = this.#calls.fullKey(upload.key);
    return this.#calls.run('ListParts', options, (place) => pageParts(place, { ...upload, key }));
  }

  async complete(
    upload: Upload,
    parts: readonly Receipt[],
    options: CallOptions & { readonly overwrite?: boolean },
  ): Promise<ObjectInfo> {
    const fullKey = this.#calls.fullKey(upload.key);
    options.signal?.throwIfAborted();
    requireParts(upload, parts);
    const complete = (conditional: boolean): Promise<ObjectInfo> =>
      this.#calls.run('CompleteMultipartUpload', options, async ({ client, bucket, abort }) => {
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
    return this.#features.ifAbsent('complete', fullKey, options, complete);
  }

  async abort(upload: Upload, options: CallOptions): Promise<void> {
    const Key = this.#calls.fullKey(upload.key);
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

/** Stores answer an empty list with anything from 400 MalformedXML to 500. */
function requireParts(upload: Upload, parts: readonly Receipt[]): void {
  if (parts.length > 0) return;
  throw new HoldfastError('UPLOAD_MISMATCH', `upload of ${upload.key}: no parts to assemble`, {
    facts: { key: upload.key, uploadId: upload.uploadId },
  });
}
