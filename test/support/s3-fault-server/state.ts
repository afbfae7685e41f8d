import type { Blob } from './blobs.js';

/** What the server knows; all of it in memory, the bytes behind {@link Blob}. */
export interface StoredObject {
  readonly key: string;
  readonly blob: Blob;
  readonly etag: string;
  readonly modifiedAt: Date;
  readonly checksum?: { readonly text: string; readonly type: 'FULL_OBJECT' | 'COMPOSITE' };
}

export interface StoredPart {
  readonly partNumber: number;
  readonly blob: Blob;
  readonly etag: string;
  readonly crc32: number;
  readonly modifiedAt: Date;
}

export interface StoredUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedAt: Date;
  /** Parts must carry a CRC-32, and the object gets one of this type. */
  readonly checksumType?: 'FULL_OBJECT' | 'COMPOSITE';
  readonly parts: Map<number, StoredPart>;
}

export interface Bucket {
  readonly name: string;
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, StoredUpload>;
}

export function newBucket(name: string): Bucket {
  return { name, objects: new Map(), uploads: new Map() };
}

/** One page of a sorted list after a marker. */
export function pageOf<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  after: string | undefined,
  size: number,
): { page: readonly T[]; isTruncated: boolean; last: string | undefined } {
  const by = (name: string): Buffer => Buffer.from(name);
  const sorted = [...items].sort((a, b) => Buffer.compare(by(nameOf(a)), by(nameOf(b))));
  const rest =
    after === undefined ? sorted : sorted.filter((item) => Buffer.compare(by(nameOf(item)), by(after)) > 0);
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return {
    page,
    isTruncated: rest.length > size,
    last: last === undefined ? undefined : nameOf(last),
  };
}
