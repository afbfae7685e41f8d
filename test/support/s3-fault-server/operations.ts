import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { IncomingHttpHeaders } from 'node:http';
import { joinBlobs, type Blob } from './blobs.js';
import { crc32Text, type ReceivedBody } from './body.js';
import { S3Fault } from './s3-fault.js';
import { newBucket, pageOf, type Bucket, type StoredObject, type StoredUpload } from './state.js';
import type { FaultRule, Operation } from './fault-script.js';
import { document, unescapeXml } from './xml.js';

export interface Behaviour {
  /** `If-None-Match: *`: honoured, answered with 501, or not looked at. */
  readonly conditionalPut: 'honoured' | 'refused' | 'ignored';
  readonly conditionalComplete: 'honoured' | 'refused' | 'ignored';
  /**
   * CRC-32 over the whole object, over the parts' checksums, none, refused with 400; or refused late: 400 InvalidPart
   * to the completion of an upload with checksums, 500 to each part that carries one.
   */
  readonly checksums:
    'full-object' | 'composite' | 'none' | 'refused' | 'refused-at-completion' | 'mismatch-500';
  /** MD5 as without encryption, or random as with keys of one's own (SSE-KMS). */
  readonly etags: 'md5' | 'opaque';
  readonly minPartBytes: number;
  /** A completion must list the parts in ascending order, or the server puts them in order itself, as Ceph does. */
  readonly partOrder: 'required' | 'sorted';
  /** Entries on one page of any listing. */
  readonly pageSize: number;
}

/**
 * The XML interface of Google Cloud Storage as far as it is known: it refuses the checksums of AWS, does not look at
 * `If-None-Match` of writes, and checks no CRC-32 of the whole object.
 */
export const googleBehaviour: Partial<Behaviour> = {
  checksums: 'refused',
  conditionalPut: 'ignored',
  conditionalComplete: 'ignored',
};

export interface Call {
  readonly operation: Operation;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: ReceivedBody;
  readonly fault: FaultRule | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string | number>;
  readonly body?: string | { readonly blob: Blob; readonly start: number; readonly end: number };
}

/** What each operation does to the state. Throws {@link S3Fault}. */
export class Operations {
  readonly buckets = new Map<string, Bucket>();

  constructor(readonly behaviour: Behaviour) {}

  async run(call: Call): Promise<Answer> {
    switch (call.operation) {
      case 'CreateBucket':
        if (!this.buckets.has(call.bucket)) this.buckets.set(call.bucket, newBucket(call.bucket));
        return { status: 200 };
      case 'HeadBucket':
        this.#bucket(call);
        return { status: 200 };
      case 'ListObjectsV2':
        return this.#listObjects(call);
      case 'ListMultipartUploads':
        return this.#listUploads(call);
      case 'GetObject':
        return this.#getObject(call);
      case 'HeadObject':
        return this.#headObject(call);
      case 'PutObject':
        return this.#putObject(call);
      case 'DeleteObject':
        await this.#bucket(call).objects.get(call.key)?.blob.remove();
        this.#bucket(call).objects.delete(call.key);
        return { status: 204 };
      case 'CreateMultipartUpload':
        return this.#createUpload(call);
      case 'UploadPart':
        return this.#uploadPart(call);
      case 'ListParts':
        return this.#listParts(call);
      case 'CompleteMultipartUpload':
        return this.#complete(call);
      case 'AbortMultipartUpload': {
        const upload = this.#upload(call);
        for (const part of upload.parts.values()) await part.blob.remove();
        this.#bucket(call).uploads.delete(upload.uploadId);
        return { status: 204 };
      }
    }
  }

  #bucket({ bucket }: Call): Bucket {
    const found = this.buckets.get(bucket);
    if (!found) throw new S3Fault(404, 'NoSuchBucket', 'The specified bucket does not exist');
    return found;
  }

  #object(call: Call): StoredObject {
    const found = this.#bucket(call).objects.get(call.key);
    if (!found) throw new S3Fault(404, 'NoSuchKey', 'The specified key does not exist.');
    return found;
  }

  #upload(call: Call): StoredUpload {
    const found = this.#bucket(call).uploads.get(call.query.get('uploadId') ?? '');
    if (found?.key !== call.key) throw new S3Fault(404, 'NoSuchUpload', 'The upload does not exist.');
    return found;
  }

  #etag(md5: string): string {
    return this.behaviour.etags === 'md5' ? `"${md5}"` : `"${randomBytes(16).toString('hex')}"`;
  }

  #checkCondition(call: Call, mode: 'honoured' | 'refused' | 'ignored'): void {
    if (call.headers['if-none-match'] === undefined || mode === 'ignored') return;
    if (mode === 'refused') throw new S3Fault(501, 'NotImplemented', 'If-None-Match is not implemented');
    if (this.#bucket(call).objects.has(call.key)) {
      throw new S3Fault(412, 'PreconditionFailed', 'At least one of the pre-conditions did not hold');
    }
  }

  #refuseChecksums(call: Call): void {
    const carries = ['x-amz-checksum-crc32', 'x-amz-checksum-algorithm'].some((name) => name in call.headers);
    if (carries && this.behaviour.checksums === 'refused') {
      throw new S3Fault(400, 'InvalidRequest', 'checksum headers are not understood');
    }
  }

  #putObject(call: Call): Answer {
    const bucket = this.#bucket(call);
    this.#refuseChecksums(call);
    this.#checkCondition(call, this.behaviour.conditionalPut);
    const { blob, md5, crc32: checksum } = call.body;
    const etag = this.#etag(md5);
    const hasChecksum =
      'x-amz-checksum-crc32' in call.headers &&
      (this.behaviour.checksums === 'full-object' || this.behaviour.checksums === 'composite');
    bucket.objects.set(call.key, {
      key: call.key,
      blob,
      etag,
      modifiedAt: new Date(),
      ...(hasChecksum && { checksum: { text: crc32Text(checksum), type: 'FULL_OBJECT' as const } }),
    });
    return { status: 200, headers: { ETag: etag } };
  }

  #headers(call: Call, object: StoredObject): Record<string, string> {
    const wanted = call.headers['x-amz-checksum-mode'] === 'ENABLED' && call.headers['range'] === undefined;
    return {
      ETag: object.etag,
      'Last-Modified': object.modifiedAt.toUTCString(),
      'Accept-Ranges': 'bytes',
      ...(wanted &&
        object.checksum && {
          'x-amz-checksum-crc32': object.checksum.text,
          'x-amz-checksum-type': object.checksum.type,
        }),
    };
  }

  #headObject(call: Call): Answer {
    const object = this.#object(call);
    return { status: 200, headers: { ...this.#headers(call, object), 'Content-Length': object.blob.bytes } };
  }

  #getObject(call: Call): Answer {
    const object = this.#object(call);
    const { bytes } = object.blob;
    const range = /^bytes=(\d+)-(\d+)$/.exec(call.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    if (range && start >= bytes) throw new S3Fault(416, 'InvalidRange', 'The range is not satisfiable');
    const end = range ? Math.min(Number(range[2]) + 1, bytes) : bytes;
    return {
      status: range ? 206 : 200,
      headers: {
        ...this.#headers(call, object),
        'Content-Length': end - start,
        ...(range && { 'Content-Range': `bytes ${start}-${end - 1}/${bytes}` }),
      },
      body: { blob: object.blob, start, end },
    };
  }

  #createUpload(call: Call): Answer {
    const bucket = this.#bucket(call);
    this.#refuseChecksums(call);
    const { checksums } = this.behaviour;
    const wantsChecksum =
      call.headers['x-amz-checksum-algorithm'] === 'CRC32' && checksums !== 'none' && checksums !== 'refused';
    const isFull = checksums !== 'composite' && call.headers['x-amz-checksum-type'] === 'FULL_OBJECT';
    const uploadId = randomBytes(24).toString('base64url');
    bucket.uploads.set(uploadId, {
      key: call.key,
      uploadId,
      startedAt: new Date(),
      ...(wantsChecksum && { checksumType: isFull ? ('FULL_OBJECT' as const) : ('COMPOSITE' as const) }),
      parts: new Map(),
    });
    return xml('InitiateMultipartUploadResult', {
      Bucket: call.bucket,
      Key: call.key,
      UploadId: uploadId,
    });
  }

  #uploadPart(call: Call): Answer {
    const upload = this.#upload(call);
    this.#refuseChecksums(call);
    const partNumber = Number(call.query.get('partNumber'));
    if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > 10_000) {
      throw new S3Fault(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000');
    }
    const carries = 'x-amz-checksum-crc32' in call.headers;
    if (upload.checksumType && !carries) {
      throw new S3Fault(400, 'InvalidRequest', 'The upload was created with a checksum, the part has none');
    }
    if (carries && this.behaviour.checksums === 'mismatch-500') {
      throw new S3Fault(500, 'InternalError', 'checksum mismatch');
    }
    const { blob, md5, crc32: checksum } = call.body;
    const etag = this.#etag(md5);
    upload.parts.set(partNumber, { partNumber, blob, etag, crc32: checksum, modifiedAt: new Date() });
    return {
      status: 200,
      headers: { ETag: etag, ...(upload.checksumType && { 'x-amz-checksum-crc32': crc32Text(checksum) }) },
    };
  }

  #listParts(call: Call): Answer {
    const upload = this.#upload(call);
    const after = Number(call.query.get('part-number-marker') ?? 0);
    const sorted = [...upload.parts.values()].sort((a, b) => a.partNumber - b.partNumber);
    const rest = sorted.filter(({ partNumber }) => partNumber > after);
    const page = rest.slice(0, this.behaviour.pageSize);
    const struck = call.fault?.partNumber ?? sorted.at(-1)?.partNumber;
    const lies = (kind: string, partNumber: number): boolean =>
      call.fault?.fault === kind && partNumber === struck;
    return xml('ListPartsResult', {
      Bucket: call.bucket,
      Key: call.key,
      UploadId: upload.uploadId,
      IsTruncated: rest.length > page.length,
      NextPartNumberMarker: page.at(-1)?.partNumber ?? 0,
      Part: page
        .filter(({ partNumber }) => !lies('part-missing', partNumber))
        .map((part) => ({
          PartNumber: part.partNumber,
          LastModified: part.modifiedAt.toISOString(),
          ETag: lies('part-wrong-etag', part.partNumber) ? `"${'0'.repeat(32)}"` : part.etag,
          Size: lies('part-wrong-size', part.partNumber) ? part.blob.bytes + 1 : part.blob.bytes,
          ChecksumCRC32: upload.checksumType && crc32Text(part.crc32),
        })),
    });
  }

  async #complete(call: Call): Promise<Answer> {
    const bucket = this.#bucket(call);
    const upload = this.#upload(call);
    const text = await readText(call.body.blob);
    const listed = [...text.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
      partNumber: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: unescapeXml(/<ETag>(.*?)<\/ETag>/.exec(part)?.[1] ?? ''),
      checksum: /<ChecksumCRC32>(.*?)</.exec(part)?.[1],
    }));
    const isSorted = this.behaviour.partOrder === 'sorted';
    const wanted = isSorted ? listed.sort((a, b) => a.partNumber - b.partNumber) : listed;
    if (wanted.length === 0) throw new S3Fault(400, 'MalformedXML', 'You must specify at least one part');
    const parts = wanted.map(({ partNumber, etag, checksum }, index) => {
      if (index > 0 && partNumber <= (wanted[index - 1]?.partNumber ?? 0)) {
        throw new S3Fault(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
      }
      const part = upload.parts.get(partNumber);
      if (!part || part.etag !== etag || (checksum !== undefined && checksum !== crc32Text(part.crc32))) {
        throw new S3Fault(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
      }
      if (index < wanted.length - 1 && part.blob.bytes < this.behaviour.minPartBytes) {
        throw new S3Fault(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum');
      }
      return part;
    });
    if (upload.checksumType && this.behaviour.checksums === 'refused-at-completion') {
      throw new S3Fault(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
    }
    this.#checkCondition(call, this.behaviour.conditionalComplete);
    const blob = joinBlobs(parts.map((part) => part.blob));
    const md5 = createHash('md5');
    for (const part of parts) md5.update(Buffer.from(part.etag.slice(1, -1), 'hex'));
    const etag = this.#etag(`${md5.digest('hex')}-${parts.length}`);
    const checksum = upload.checksumType && (await this.#objectChecksum(upload, blob, parts.length));
    bucket.objects.set(call.key, {
      key: call.key,
      blob,
      etag,
      modifiedAt: new Date(),
      ...(checksum && { checksum }),
    });
    bucket.uploads.delete(upload.uploadId);
    return xml('CompleteMultipartUploadResult', { Bucket: call.bucket, Key: call.key, ETag: etag });
  }

  async #objectChecksum(
    upload: StoredUpload,
    blob: Blob,
    count: number,
  ): Promise<NonNullable<StoredObject['checksum']>> {
    if (upload.checksumType === 'FULL_OBJECT') {
      let checksum = 0;
      for await (const chunk of blob.read(0, blob.bytes)) checksum = crc32(chunk, checksum);
      return { text: crc32Text(checksum), type: 'FULL_OBJECT' };
    }
    const ofParts = [...upload.parts.values()].map((part) => Buffer.from(crc32Text(part.crc32), 'base64'));
    return { text: `${crc32Text(crc32(Buffer.concat(ofParts)))}-${count}`, type: 'COMPOSITE' };
  }

  #listObjects(call: Call): Answer {
    const prefix = call.query.get('prefix') ?? '';
    const isOld = call.fault?.fault === 'old-list';
    const all = isOld ? [] : [...this.#bucket(call).objects.values()];
    const objects = all.filter(({ key }) => key.startsWith(prefix));
    const token = call.query.get('continuation-token');
    const after = token === null ? undefined : Buffer.from(token, 'base64url').toString();
    const { page, isTruncated, last } = pageOf(objects, ({ key }) => key, after, this.behaviour.pageSize);
    const encode = encoder(call);
    return xml('ListBucketResult', {
      Name: call.bucket,
      Prefix: encode(prefix),
      KeyCount: page.length,
      MaxKeys: this.behaviour.pageSize,
      EncodingType: call.query.get('encoding-type') ?? undefined,
      IsTruncated: isTruncated,
      NextContinuationToken: isTruncated ? Buffer.from(last ?? '').toString('base64url') : undefined,
      Contents: page.map((object) => ({
        Key: encode(object.key),
        LastModified: object.modifiedAt.toISOString(),
        ETag: object.etag,
        Size: object.blob.bytes,
        StorageClass: 'STANDARD',
      })),
    });
  }

  #listUploads(call: Call): Answer {
    const prefix = call.query.get('prefix') ?? '';
    const uploads = [...this.#bucket(call).uploads.values()].filter(({ key }) => key.startsWith(prefix));
    const [keyMarker, idMarker] = [call.query.get('key-marker'), call.query.get('upload-id-marker')];
    const after = keyMarker === null ? undefined : `${keyMarker}\0${idMarker ?? '\u{10FFFF}'}`;
    const nameOf = ({ key, uploadId }: StoredUpload): string => `${key}\0${uploadId}`;
    const { page, isTruncated } = pageOf(uploads, nameOf, after, this.behaviour.pageSize);
    const encode = encoder(call);
    const last = page.at(-1);
    return xml('ListMultipartUploadsResult', {
      Bucket: call.bucket,
      EncodingType: call.query.get('encoding-type') ?? undefined,
      IsTruncated: isTruncated,
      NextKeyMarker: isTruncated && last ? encode(last.key) : undefined,
      NextUploadIdMarker: isTruncated ? last?.uploadId : undefined,
      Upload: page.map(({ key, uploadId, startedAt }) => ({
        Key: encode(key),
        UploadId: uploadId,
        Initiated: startedAt.toISOString(),
      })),
    });
  }
}

function encoder(call: Call): (key: string) => string {
  if (call.query.get('encoding-type') !== 'url') return (key) => key;
  return (key) => encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+');
}

function xml(name: string, content: Parameters<typeof document>[1]): Answer {
  return { status: 200, headers: { 'Content-Type': 'application/xml' }, body: document(name, content) };
}

async function readText(blob: Blob): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of blob.read(0, blob.bytes)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
