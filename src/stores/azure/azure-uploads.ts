import { crc32 } from 'node:zlib';
import { NS_PER_MS, type Clock } from '../../core/clock.js';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { RandomBytes } from '../../core/identity.js';
import { present } from '../../core/present.js';
import type { CallOptions, ObjectInfo, Receipt, UnfinishedUpload, Upload } from '../../core/store.js';
import { RESERVED_SEGMENT } from '../object-key.js';
import { md5, requireAnswer, slices, type AzureCalls } from './azure-calls.js';
import { decodeBlockId, encodeBlockId, MAX_BLOCKS, UPLOAD_ID_BYTES, type BlockId } from './block-id.js';

/** More uploads than are ever open at a time. */
const MAX_REMEMBERED = 1_000;
const UPLOAD_ID = /^[0-9a-f]{20}$/;
/** Of the metadata of a marker: the key, percent-encoded. */
const KEY_NAME = 'holdfast_key';

/**
 * Uploads that a later process can continue. The parts are uncommitted blocks of the blob itself. A small blob
 * `.holdfast/uploads/<uploadId>` marks each upload from its start to its end, because Azure knows no uploads.
 */
export class AzureUploads {
  readonly #calls: AzureCalls;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #markers: string;
  /** Uploads whose marker this process has written or seen. */
  readonly #known = new Set<string>();
  #lastOrder = 0;

  constructor(calls: AzureCalls, clock: Clock, random: RandomBytes) {
    this.#calls = calls;
    this.#clock = clock;
    this.#random = random;
    this.#markers = `${calls.base}${RESERVED_SEGMENT}/uploads/`;
  }

  async create(key: string, options: CallOptions): Promise<Upload> {
    this.#calls.fullKey(key);
    const upload = { key, uploadId: this.#newId() };
    const metadata = { [KEY_NAME]: encodeURIComponent(key) };
    await this.#calls.put(this.#markers + upload.uploadId, Buffer.alloc(0), true, options, { metadata });
    this.#remember(upload.uploadId);
    return upload;
  }

  async sendPart(upload: Upload, partNumber: number, data: Buffer, options: CallOptions): Promise<Receipt> {
    if (!Number.isSafeInteger(partNumber) || partNumber < 1 || partNumber > MAX_BLOCKS) {
      const fault = `part number ${partNumber}, allowed: 1 to ${MAX_BLOCKS}`;
      throw new HoldfastError('STORE_REJECTED', fault, { facts: { key: upload.key, partNumber } });
    }
    const fullKey = this.#calls.fullKey(upload.key);
    if (!this.#known.has(upload.uploadId)) await this.#requireMarker(upload, options);
    return this.#stage(fullKey, upload.uploadId, partNumber, data, options);
  }

  /** Sends a block; an empty one cannot be sent, and its receipt says that there is nothing. */
  async #stage(
    fullKey: string,
    uploadId: string,
    partNumber: number,
    data: Buffer,
    options: CallOptions,
  ): Promise<Receipt> {
    const checksum = crc32(data);
    const etag = encodeBlockId({ uploadId, partNumber, order: this.#nextOrder(), crc32: checksum });
    if (data.byteLength > 0) {
      await this.#calls.run('Put Block', options, async (watch) => {
        const { requestId } = await this.#calls
          .blob(fullKey)
          .stageBlock(etag, () => slices(data), data.byteLength, {
            abortSignal: watch.signal,
            onProgress: () => watch.moved(),
            transactionalContentMD5: md5(data),
          });
        requireAnswer(requestId, 'Put Block');
      });
    }
    return { partNumber, bytes: data.byteLength, etag, crc32: checksum };
  }

  async listParts(upload: Upload, options: CallOptions): Promise<Receipt[]> {
    const fullKey = this.#calls.fullKey(upload.key);
    await this.#requireMarker(upload, options);
    const parts = new Map<number, { readonly id: BlockId; readonly receipt: Receipt }>();
    for (const { name, size } of await this.#uncommitted(fullKey, options)) {
      const id = decodeBlockId(name);
      if (id?.uploadId !== upload.uploadId) continue;
      const { partNumber, order } = id;
      if (order < (parts.get(partNumber)?.id.order ?? 0)) continue;
      parts.set(partNumber, { id, receipt: { partNumber, bytes: size, etag: name, crc32: id.crc32 } });
    }
    return [...parts.values()]
      .map(({ receipt }) => receipt)
      .sort((one, other) => one.partNumber - other.partNumber);
  }

  async #uncommitted(
    fullKey: string,
    options: CallOptions,
  ): Promise<readonly { readonly name: string; readonly size: number }[]> {
    try {
      return await this.#calls.run('Get Block List', options, async ({ signal }) => {
        const list = await this.#calls.blob(fullKey).getBlockList('uncommitted', { abortSignal: signal });
        requireAnswer(list.requestId, 'Get Block List');
        return list.uncommittedBlocks ?? [];
      });
    } catch (error) {
      // A blob without any block.
      if (isHoldfastError(error, 'OBJECT_MISSING')) return [];
      throw error;
    }
  }

  async complete(
    upload: Upload,
    parts: readonly Receipt[],
    options: CallOptions & { readonly overwrite?: boolean },
  ): Promise<ObjectInfo> {
    const fullKey = this.#calls.fullKey(upload.key);
    options.signal?.throwIfAborted();
    await this.#requireMarker(upload, options);
    requireParts(upload, parts);
    let etag: string;
    try {
      etag = await this.#commit(fullKey, parts, options.overwrite !== true, options);
    } catch (error) {
      // Another process that completed the blob has discarded the blocks of all other uploads.
      const isGone = isHoldfastError(error, 'UPLOAD_MISMATCH') && options.overwrite !== true;
      if (!isGone || !(await this.#calls.head(fullKey, options))) throw error;
      throw new HoldfastError('OBJECT_EXISTS', `${this.#calls.uri} already has ${fullKey}`, {
        facts: { key: upload.key },
      });
    }
    // The object is complete. A marker that stays is one of an upload to abort.
    await this.abort(upload, {}).catch(() => undefined);
    return { key: upload.key, bytes: parts.reduce((sum, part) => sum + part.bytes, 0), etag };
  }

  #commit(
    fullKey: string,
    parts: readonly Receipt[],
    ifAbsent: boolean,
    options: CallOptions,
  ): Promise<string> {
    const names = parts.filter(({ bytes }) => bytes > 0).map(({ etag }) => etag);
    return this.#calls.run('Put Block List', options, async ({ signal }) => {
      const { requestId, etag = '' } = await this.#calls.blob(fullKey).commitBlockList(names, {
        abortSignal: signal,
        ...(ifAbsent && { conditions: { ifNoneMatch: '*' } }),
        ...this.#calls.tier,
      });
      requireAnswer(requestId, 'Put Block List');
      return etag;
    });
  }

  /** Sends pieces one after the other and makes the blob out of them, in place of an older one. */
  async sendWhole(fullKey: string, pieces: AsyncIterable<Buffer>, options: CallOptions): Promise<string> {
    const uploadId = this.#newId();
    const receipts: Receipt[] = [];
    for await (const piece of pieces) {
      receipts.push(await this.#stage(fullKey, uploadId, receipts.length + 1, piece, options));
    }
    return this.#commit(fullKey, receipts, false, options);
  }

  /** Azure discards the blocks themselves a week after the last one. */
  async abort({ uploadId }: Upload, options: CallOptions): Promise<void> {
    options.signal?.throwIfAborted();
    this.#known.delete(uploadId);
    if (UPLOAD_ID.test(uploadId)) await this.#calls.delete(this.#markers + uploadId, options);
  }

  async *list(options: CallOptions): AsyncGenerator<UnfinishedUpload> {
    const markers = this.#calls.each('List Blobs', options, ({ signal }) =>
      this.#calls.container.listBlobsFlat({
        prefix: this.#markers,
        includeMetadata: true,
        abortSignal: signal,
      }),
    );
    for await (const { name, metadata, properties } of markers) {
      const key = metadata?.[KEY_NAME];
      if (key === undefined) continue;
      const started = properties.createdOn ?? properties.lastModified;
      const startedAt = BigInt(started.getTime()) * NS_PER_MS;
      yield { key: decodeURIComponent(key), uploadId: name.slice(this.#markers.length), startedAt };
    }
  }

  async #requireMarker({ key, uploadId }: Upload, options: CallOptions): Promise<void> {
    const marked = UPLOAD_ID.test(uploadId) ? await this.#markedKey(uploadId, options) : undefined;
    options.signal?.throwIfAborted();
    if (marked === encodeURIComponent(key)) {
      this.#remember(uploadId);
      return;
    }
    this.#known.delete(uploadId);
    throw new HoldfastError('UPLOAD_UNKNOWN', `${this.#calls.uri} knows no upload ${uploadId} of ${key}`, {
      facts: { key, uploadId },
    });
  }

  async #markedKey(uploadId: string, options: CallOptions): Promise<string | undefined> {
    try {
      return await this.#calls.run('Get Blob Properties', options, async ({ signal }) => {
        const marker = this.#calls.blob(this.#markers + uploadId);
        const { requestId, metadata } = await marker.getProperties({ abortSignal: signal });
        requireAnswer(requestId, 'Get Blob Properties');
        return metadata?.[KEY_NAME];
      });
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  #newId(): string {
    return Buffer.from(this.#random(UPLOAD_ID_BYTES)).toString('hex');
  }

  /** Also after the clock was set back. */
  #nextOrder(): number {
    this.#lastOrder = Math.max(this.#lastOrder + 1, Number(this.#clock.now() / NS_PER_MS));
    return this.#lastOrder;
  }

  #remember(uploadId: string): void {
    this.#known.add(uploadId);
    if (this.#known.size > MAX_REMEMBERED) this.#known.delete(present(this.#known.values().next().value));
  }
}

/** The receipts must be those of this upload, in order: the service knows only the names of blocks. */
function requireParts({ key, uploadId }: Upload, parts: readonly Receipt[]): void {
  const isOwn = ({ partNumber, etag }: Receipt, index: number): boolean => {
    const id = decodeBlockId(etag);
    const before = parts[index - 1]?.partNumber ?? 0;
    return id?.uploadId === uploadId && id.partNumber === partNumber && partNumber > before;
  };
  if (parts.length > 0 && parts.every(isOwn)) return;
  const fault = parts.length === 0 ? 'no parts to assemble' : 'the receipts are not those of its parts';
  throw new HoldfastError('UPLOAD_MISMATCH', `upload of ${key}: ${fault}`, { facts: { key, uploadId } });
}
