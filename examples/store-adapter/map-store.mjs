// A store adapter outside Holdfast: objects in a Map. It shows what the port `Store` asks of every adapter.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { HoldfastError } from 'holdfast/testing';

const KEY_MAX_BYTES = 1024;

/** Keys come from outside: refuse what could leave the store, before anything is written. */
function checkKey(key) {
  const parts = key.split('/');
  const isSafe =
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    parts[0] !== '.holdfast' &&
    key.isWellFormed() &&
    !/[\\\p{Cc}]/u.test(key);
  if (!isSafe || Buffer.byteLength(key) > KEY_MAX_BYTES) {
    throw new HoldfastError(
      'STORE_REJECTED',
      `the key ${JSON.stringify(key.slice(0, 100))} is not allowed in a store`,
    );
  }
}

const receiptOf = (partNumber, data) => ({
  partNumber,
  bytes: data.length,
  etag: createHash('md5').update(data).digest('hex'),
  crc32: crc32(data),
});

export class MapStore {
  uri = 'map:example';
  supports = {
    parallelParts: true,
    conditionalComplete: true,
    conditionalPut: true,
    fullObjectChecksum: true,
  };
  limits = { minPartBytes: 1, maxParts: 10_000, maxObjectBytes: 2 ** 40 };

  /** `backing` outlives the adapter, as a disk outlives a process. */
  constructor(backing = { id: undefined, marks: new Map(), objects: new Map(), uploads: new Map() }) {
    this.backing = backing;
  }

  async readId({ signal } = {}) {
    signal?.throwIfAborted();
    return this.backing.id;
  }

  async createId(id, { signal } = {}) {
    signal?.throwIfAborted();
    return (this.backing.id ??= id);
  }

  async readMark(name, { signal } = {}) {
    signal?.throwIfAborted();
    return this.backing.marks.get(name);
  }

  async writeMark(name, text, { signal } = {}) {
    signal?.throwIfAborted();
    this.backing.marks.set(name, text);
  }

  async head(key, { signal } = {}) {
    signal?.throwIfAborted();
    checkKey(key);
    const data = this.backing.objects.get(key);
    return data && { key, bytes: data.length };
  }

  async *read(key, range, { signal } = {}) {
    signal?.throwIfAborted();
    checkKey(key);
    const isRange =
      range === undefined || (Number.isInteger(range.start) && range.start >= 0 && range.end >= range.start);
    if (!isRange) {
      throw new HoldfastError(
        'STORE_REJECTED',
        `range ${range.start} to ${range.end} of ${key} is not a range`,
      );
    }
    const data = this.#object(key).subarray(range?.start ?? 0, range?.end);
    for (let at = 0; at < data.length; at += 65_536) {
      signal?.throwIfAborted();
      yield data.subarray(at, at + 65_536);
    }
  }

  async *list(prefix, { signal } = {}) {
    signal?.throwIfAborted();
    const keys = [...this.backing.objects.keys()].filter((key) => key.startsWith(prefix));
    for (const key of keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
      yield { key, bytes: this.backing.objects.get(key).length };
    }
  }

  async put(key, data, { signal, ifAbsent } = {}) {
    signal?.throwIfAborted();
    checkKey(key);
    if (ifAbsent && this.backing.objects.has(key)) throw exists(key);
    this.backing.objects.set(key, Buffer.from(data));
    return { key, bytes: data.byteLength };
  }

  async delete(key, { signal } = {}) {
    signal?.throwIfAborted();
    checkKey(key);
    this.backing.objects.delete(key);
  }

  async createUpload(key, { signal } = {}) {
    signal?.throwIfAborted();
    checkKey(key);
    const uploadId = `upload-${this.backing.uploads.size + 1}-${Math.random()}`;
    this.backing.uploads.set(uploadId, { key, startedAt: BigInt(Date.now()) * 1_000_000n, parts: new Map() });
    return { key, uploadId };
  }

  async uploadPart(upload, partNumber, data, { signal } = {}) {
    signal?.throwIfAborted();
    this.#upload(upload).parts.set(partNumber, Buffer.from(data));
    return receiptOf(partNumber, data);
  }

  async listParts(upload, { signal } = {}) {
    signal?.throwIfAborted();
    const parts = [...this.#upload(upload).parts].sort(([a], [b]) => a - b);
    return parts.map(([number, data]) => receiptOf(number, data));
  }

  async completeUpload(upload, receipts, { signal, overwrite } = {}) {
    signal?.throwIfAborted();
    const { parts } = this.#upload(upload);
    if (receipts.length !== parts.size) {
      throw new HoldfastError(
        'UPLOAD_MISMATCH',
        `${upload.key} has ${parts.size} parts, not ${receipts.length}`,
      );
    }
    const pieces = receipts.map(({ partNumber, etag }, index) => {
      const data = parts.get(partNumber);
      if (data && partNumber === index + 1 && receiptOf(partNumber, data).etag === etag) return data;
      throw new HoldfastError('UPLOAD_MISMATCH', `part ${partNumber} of ${upload.key} has other bytes`);
    });
    if (!overwrite && this.backing.objects.has(upload.key)) throw exists(upload.key);
    const data = Buffer.concat(pieces);
    this.backing.objects.set(upload.key, data);
    this.backing.uploads.delete(upload.uploadId);
    return { key: upload.key, bytes: data.length };
  }

  async abortUpload({ uploadId }, { signal } = {}) {
    signal?.throwIfAborted();
    this.backing.uploads.delete(uploadId);
  }

  async *listUploads({ signal } = {}) {
    signal?.throwIfAborted();
    for (const [uploadId, { key, startedAt }] of this.backing.uploads) yield { uploadId, key, startedAt };
  }

  async verify(key, digest, { signal } = {}) {
    signal?.throwIfAborted();
    checkKey(key);
    const data = this.#object(key);
    if (data.length === digest.bytes && crc32(data) === digest.crc32) return 'store-checksum';
    throw new HoldfastError('OBJECT_CORRUPT', `${key} has other bytes than its manifest says`);
  }

  async close() {}

  async [Symbol.asyncDispose]() {}

  #object(key) {
    const data = this.backing.objects.get(key);
    if (data) return data;
    throw new HoldfastError('OBJECT_MISSING', `the store has no object ${key}`);
  }

  #upload({ key, uploadId }) {
    const upload = this.backing.uploads.get(uploadId);
    if (upload?.key === key) return upload;
    throw new HoldfastError('UPLOAD_UNKNOWN', `the store has no upload ${uploadId} of ${key}`);
  }
}

function exists(key) {
  return new HoldfastError('OBJECT_EXISTS', `the store already has an object ${key}`);
}
