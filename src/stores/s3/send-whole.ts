import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, type S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Readable } from 'node:stream';
import type { CallOptions, ObjectInfo, WholeFile } from '../../core/store.js';
import { maybeOfChecksums } from './checksum-trial.js';
import type { S3Calls } from './s3-calls.js';
import type { S3Features } from './s3-features.js';
import { requireAnswer, type Place } from './s3-listing.js';

/** Smaller files are one PutObject. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** Number of parts in memory and in flight at the same time. */
const PARTS_AT_A_TIME = 2;

/**
 * Sends a whole file in one go, replacing an existing object. lib-storage's `Upload` cuts it into parts; an
 * upload that cannot resume needs no receipts. If it fails or is cancelled, its parts are dropped.
 */
export async function sendWhole(
  calls: S3Calls,
  features: S3Features,
  file: WholeFile,
  options: CallOptions,
): Promise<ObjectInfo> {
  const fullKey = calls.fullKey(file.key);
  const send = (withChecksum: boolean): Promise<string> =>
    calls.run('Upload', options, async (place) => {
      const upload = new Upload({
        client: cancellable(place),
        queueSize: PARTS_AT_A_TIME,
        partSize: Math.max(PART_BYTES, Math.ceil(file.bytes / MAX_PARTS)),
        params: {
          Bucket: place.bucket,
          Key: fullKey,
          Body: Readable.from(file.content(), { objectMode: false }),
          ContentLength: file.bytes,
          ...(withChecksum && { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }),
          ...calls.newObject,
        },
      });
      const { ETag } = await upload.done();
      requireAnswer(ETag !== undefined, 'Upload');
      return ETag as string;
    });
  const etag = await features.withChecksum(send).catch((error: unknown) => {
    // Stores refuse parts and completions with checksums in other ways than requests.
    const isSuspect = calls.options.checksum === 'auto' && features.sendsCrc32 && maybeOfChecksums(error);
    if (!isSuspect) throw error;
    return send(false);
  });
  return { key: file.key, bytes: file.bytes, etag };
}

/**
 * The client as `Upload` uses it. An abort ends all calls, except the request that drops the parts, and the
 * one that creates the upload: the store may have created it already, and only its answer says what to drop.
 */
function cancellable({ client, abort }: Place): S3Client {
  const isFinished = (command: unknown): boolean =>
    command instanceof AbortMultipartUploadCommand || command instanceof CreateMultipartUploadCommand;
  const send = (command: Parameters<S3Client['send']>[0]): Promise<unknown> =>
    client.send(command, isFinished(command) ? {} : abort);
  return { config: client.config, send } as unknown as S3Client;
}
