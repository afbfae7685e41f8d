import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import type { Blob, BlobStore } from './blobs.js';
import { S3Fault } from './s3-fault.js';

/** A request's body, stored, with what was computed on the way. */
export interface ReceivedBody {
  readonly blob: Blob;
  readonly md5: string;
  readonly sha256: string;
  readonly crc32: number;
}

export interface BodyOptions {
  /** Called per chunk: counts, and waits where bandwidth is limited. */
  readonly onChunk: (bytes: number) => Promise<void>;
  /** Stop (by throwing) after this many bytes. */
  readonly stopAfter?: number;
  /** Flip one bit of the first byte before anything is computed. */
  readonly corrupt?: boolean;
}

/** Thrown at `stopAfter`. */
export class BodyStopped extends Error {}

export async function receiveBody(
  request: IncomingMessage,
  store: BlobStore,
  { onChunk, stopAfter = Infinity, corrupt = false }: BodyOptions,
): Promise<ReceivedBody> {
  const writer = await store.create();
  const md5 = createHash('md5');
  const sha256 = createHash('sha256');
  let checksum = 0;
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      await onChunk(chunk.length);
      if (corrupt && bytes === 0 && chunk.length > 0) chunk[0] = (chunk[0] as number) ^ 1;
      bytes += chunk.length;
      if (bytes >= stopAfter) throw new BodyStopped();
      md5.update(chunk);
      sha256.update(chunk);
      checksum = crc32(chunk, checksum);
      await writer.write(chunk);
    }
    return {
      blob: await writer.end(),
      md5: md5.digest('hex'),
      sha256: sha256.digest('hex'),
      crc32: checksum,
    };
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

/** CRC-32 as S3 writes it. */
export function crc32Text(checksum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(checksum);
  return bytes.toString('base64');
}

/** Compares what arrived with every digest the request announced. */
export function checkBody(request: IncomingMessage, body: ReceivedBody, announcedSha256: string): void {
  if (announcedSha256 !== 'UNSIGNED-PAYLOAD' && announcedSha256 !== body.sha256) {
    throw new S3Fault(400, 'XAmzContentSHA256Mismatch', 'the body does not have the announced SHA-256');
  }
  const announcedCrc = request.headers['x-amz-checksum-crc32'];
  if (announcedCrc !== undefined && announcedCrc !== crc32Text(body.crc32)) {
    throw new S3Fault(400, 'BadDigest', 'the body does not have the announced CRC-32');
  }
  const announcedMd5 = request.headers['content-md5'];
  if (announcedMd5 !== undefined && announcedMd5 !== Buffer.from(body.md5, 'hex').toString('base64')) {
    throw new S3Fault(400, 'BadDigest', 'the body does not have the announced MD5');
  }
}
