import type { Clock } from '../../core/clock.js';
import { crc32Combine } from '../../core/crc32-combine.js';
import { defined } from '../../core/defined.js';
import type { RandomBytes } from '../../core/identity.js';
import type {
  CallOptions,
  ObjectDigest,
  ObjectInfo,
  Receipt,
  Store,
  StoreSupport,
  UnfinishedUpload,
  Upload,
  Verification,
  WholeFile,
} from '../../core/store.js';
import { checkRange, type ByteRange } from '../byte-range.js';
import { RESERVED_SEGMENT } from '../object-key.js';
import { OwnObjects } from '../own-objects.js';
import { corrupt, verifyByReading } from '../read-back.js';
import { AzureCalls, requireAnswer, type AzureSetup } from './azure-calls.js';
import { AzureUploads } from './azure-uploads.js';
import { decodeBlockId, MAX_BLOCKS } from './block-id.js';
import { cutPieces } from '../cut-pieces.js';

const MIB = 1024 * 1024;
/** Of one block: Azure's limit. */
const BLOCK_MAX_BYTES = 4_000 * MIB;
/** Smaller files are one Put Blob. */
const PIECE_BYTES = 8 * MIB;

/** A container of Azure Blob Storage, or a prefix in one, as a store. */
export class AzureStore implements Store {
  readonly uri: string;
  readonly supports: StoreSupport = {
    parallelParts: true,
    conditionalComplete: true,
    conditionalPut: true,
    fullObjectChecksum: true,
  };
  readonly limits = { minPartBytes: 1, maxParts: MAX_BLOCKS, maxObjectBytes: MAX_BLOCKS * BLOCK_MAX_BYTES };
  readonly #calls: AzureCalls;
  readonly #uploads: AzureUploads;
  readonly #own: OwnObjects;

  constructor(setup: AzureSetup & { readonly clock: Clock; readonly random: RandomBytes }) {
    this.uri = setup.uri;
    this.#calls = new AzureCalls(setup, setup.clock);
    this.#uploads = new AzureUploads(this.#calls, setup.clock, setup.random);
    this.#own = new OwnObjects(setup.uri, this.#calls.base, this.#calls);
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
    const found = await this.#calls.head(this.#calls.fullKey(key), options);
    return found && { key, ...found };
  }

  async *read(key: string, range?: ByteRange, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    checkRange(key, range);
    yield* this.#calls.get(this.#calls.fullKey(key), range, options);
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    const { base, container } = this.#calls;
    const own = `${base}${RESERVED_SEGMENT}/`;
    const found = this.#calls.each('List Blobs', options, ({ signal }) =>
      container.listBlobsFlat({ prefix: base + prefix, abortSignal: signal }),
    );
    for await (const { name, properties } of found) {
      if (name.startsWith(own)) continue;
      const { contentLength = 0, etag } = properties;
      yield { key: name.slice(base.length), bytes: contentLength, ...defined({ etag }) };
    }
  }

  async put(
    key: string,
    data: Uint8Array,
    options: CallOptions & { readonly ifAbsent?: boolean } = {},
  ): Promise<ObjectInfo> {
    const { fullKey, ifAbsent } = { fullKey: this.#calls.fullKey(key), ifAbsent: options.ifAbsent === true };
    const etag = await this.#calls.put(fullKey, data, ifAbsent, options, this.#calls.tier);
    return { key, bytes: data.byteLength, etag };
  }

  async sendWhole(file: WholeFile, options: CallOptions = {}): Promise<ObjectInfo> {
    const fullKey = this.#calls.fullKey(file.key);
    const pieces = cutPieces(file.content(), Math.max(PIECE_BYTES, Math.ceil(file.bytes / MAX_BLOCKS)));
    const etag = await this.#uploads.sendWhole(fullKey, pieces, options);
    return { key: file.key, bytes: file.bytes, etag };
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    await this.#calls.delete(this.#calls.fullKey(key), options);
  }

  createUpload(key: string, options: CallOptions = {}): Promise<Upload> {
    return this.#uploads.create(key, options);
  }

  uploadPart(upload: Upload, partNumber: number, data: Buffer, options: CallOptions = {}): Promise<Receipt> {
    return this.#uploads.sendPart(upload, partNumber, data, options);
  }

  listParts(upload: Upload, options: CallOptions = {}): Promise<Receipt[]> {
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

  listUploads(options: CallOptions = {}): AsyncGenerator<UnfinishedUpload> {
    return this.#uploads.list(options);
  }

  /** By the names of the blob's blocks, which hold the CRC-32 of what the service checked on arrival. */
  async verify(key: string, digest: ObjectDigest, options: CallOptions = {}): Promise<Verification> {
    const blocks = await this.#calls.run('Get Block List', options, async ({ signal }) => {
      const blob = this.#calls.blob(this.#calls.fullKey(key));
      const list = await blob.getBlockList('committed', { abortSignal: signal });
      requireAnswer(list.requestId, 'Get Block List');
      return list.committedBlocks ?? [];
    });
    const stored = blocks.length === 0 ? undefined : wholeCrc32(blocks);
    if (stored !== undefined) {
      const bytes = blocks.reduce((sum, { size }) => sum + size, 0);
      if (bytes !== digest.bytes) throw corrupt(key, 'size', digest.bytes, bytes);
      if (stored !== digest.crc32) throw corrupt(key, 'CRC-32 in the store', digest.crc32, stored);
      return 'store-checksum';
    }
    await verifyByReading(key, digest, this.read(key, undefined, options));
    return 'read-back';
  }

  close(): Promise<void> {
    this.#calls.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The CRC-32 of all blocks in sequence; undefined if another program named one of them. */
function wholeCrc32(blocks: readonly { readonly name: string; readonly size: number }[]): number | undefined {
  let whole = 0;
  for (const { name, size } of blocks) {
    const id = decodeBlockId(name);
    if (id === undefined) return undefined;
    whole = crc32Combine(whole, id.crc32, size);
  }
  return whole;
}
