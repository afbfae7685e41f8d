import {
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { defined } from '../../core/defined.js';
import { HoldfastError } from '../../core/errors.js';
import type { ObjectInfo, Receipt, Upload } from '../../core/store.js';
import { NS_PER_MS } from '../../core/clock.js';
import { decodeCrc32 } from './crc32-text.js';

export interface Place {
  readonly client: S3Client;
  readonly bucket: string;
  readonly abort: { readonly abortSignal?: AbortSignal };
}

/** Objects by full key, all pages. */
export async function* pageObjects(place: Place, prefix: string): AsyncGenerator<ObjectInfo> {
  let token: string | undefined;
  for (;;) {
    const page = await place.client.send(
      new ListObjectsV2Command({
        Bucket: place.bucket,
        Prefix: prefix,
        ContinuationToken: token,
        // Other programs' keys may hold characters that XML cannot carry.
        EncodingType: 'url',
      }),
      place.abort,
    );
    requireAnswer(page.IsTruncated !== undefined, 'ListObjectsV2');
    const decode = page.EncodingType === 'url' ? decodeKey : (key: string): string => key;
    for (const { Key, Size, ETag } of page.Contents ?? []) {
      if (Key === undefined) continue;
      yield { key: decode(Key), bytes: Size ?? 0, ...defined({ etag: ETag }) };
    }
    token = nextMarker('ListObjectsV2', page.IsTruncated, page.NextContinuationToken, token);
    if (token === undefined) return;
  }
}

/** Parts of one upload, all pages. `key` is the full key. */
export async function pageParts(place: Place, upload: Upload): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  let marker: string | undefined;
  for (;;) {
    const page = await place.client.send(
      new ListPartsCommand({
        Bucket: place.bucket,
        Key: upload.key,
        UploadId: upload.uploadId,
        PartNumberMarker: marker,
      }),
      place.abort,
    );
    requireAnswer(page.IsTruncated !== undefined, 'ListParts');
    for (const { PartNumber, Size, ETag, ChecksumCRC32 } of page.Parts ?? []) {
      if (PartNumber === undefined || ETag === undefined) continue;
      const checksum = decodeCrc32(ChecksumCRC32);
      receipts.push({
        partNumber: PartNumber,
        bytes: Size ?? 0,
        etag: ETag,
        ...defined({ crc32: checksum }),
      });
    }
    marker = nextMarker('ListParts', page.IsTruncated, page.NextPartNumberMarker, marker);
    if (marker === undefined) return receipts.sort((a, b) => a.partNumber - b.partNumber);
  }
}

/** Unfinished uploads by full key, all pages. */
export async function* pageUploads(
  place: Place,
  prefix: string,
): AsyncGenerator<Upload & { startedAt: bigint }> {
  let keyMarker: string | undefined;
  let idMarker: string | undefined;
  for (;;) {
    const page = await place.client.send(
      new ListMultipartUploadsCommand({
        Bucket: place.bucket,
        Prefix: prefix,
        KeyMarker: keyMarker,
        UploadIdMarker: idMarker,
        EncodingType: 'url',
      }),
      place.abort,
    );
    requireAnswer(page.IsTruncated !== undefined, 'ListMultipartUploads');
    const decode = page.EncodingType === 'url' ? decodeKey : (key: string): string => key;
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined) continue;
      // Without a start it counts as new, so the sweep does not remove it as stale.
      const startedAt = BigInt((Initiated ?? new Date(8.64e15)).getTime()) * NS_PER_MS;
      yield { key: decode(Key), uploadId: UploadId, startedAt };
    }
    const last = keyMarker === undefined ? undefined : `${keyMarker}\n${idMarker}`;
    const next =
      page.NextKeyMarker === undefined
        ? undefined
        : `${decode(page.NextKeyMarker)}\n${page.NextUploadIdMarker}`;
    if (nextMarker('ListMultipartUploads', page.IsTruncated, next, last) === undefined) return;
    keyMarker = decode(page.NextKeyMarker as string);
    idMarker = page.NextUploadIdMarker;
  }
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key;
  }
}

/** A page that does not advance would be requested for ever. */
function nextMarker(
  call: string,
  more: boolean | undefined,
  next: string | undefined,
  last: string | undefined,
): string | undefined {
  if (more !== true) return undefined;
  if (next !== undefined && next !== last) return next;
  throw new HoldfastError('STORE_BUSY', `${call} says there is more and does not move on`, {
    facts: { call, next, last },
  });
}

/** A captive portal or a proxy answers 200 with a page of its own. */
export function requireAnswer(isS3: boolean, call: string): void {
  if (isS3) return;
  throw new HoldfastError('STORE_OFFLINE', `the answer to ${call} is not that of an S3 store`, {
    facts: { call },
  });
}
