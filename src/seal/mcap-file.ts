import { crc32 } from '@node-rs/crc32';
import { McapRecordBuilder, type McapTypes } from '@mcap/core';
import { HoldfastError } from '../core/errors.js';
import { MAGIC, Op } from '../core/mcap/records.js';
import { ChunkBuilder } from './chunk-builder.js';
import type { CompressChunk } from './compression.js';
import type { DigestFile } from './digest-file.js';
import { chunkHead, footer } from './mcap-frame.js';
import { Spill, type SpillPlace } from './spill.js';

/** Maximum messages per chunk: the index takes about 50 bytes of memory per message, and messages may be empty. */
export const CHUNK_MAX_MESSAGES = 16_384;
/** Channel and schema ids have 16 bits: a larger one would be written as another id. */
const MAX_ID = 0xffff;

export interface McapFileOptions {
  readonly chunkBytes: number;
  readonly compressChunk: CompressChunk | undefined;
}

/** Definitions and content of a file that is continued. Ids count from 0 (channels) and 1 (schemas). */
export interface BegunMcap {
  readonly schemas: readonly McapTypes.Schema[];
  readonly channels: readonly McapTypes.Channel[];
  readonly chunks: readonly Omit<McapTypes.ChunkIndex, 'type'>[];
}

/** Sections of the summary that are gathered while the data section is written. */
type Section = 'schemas' | 'channels' | 'metadata' | 'attachments' | 'chunks';

/** Times are nanoseconds since the Unix epoch. */
export type Attachment = Pick<McapTypes.Attachment, 'name' | 'mediaType' | 'logTime' | 'createTime' | 'data'>;

/**
 * Writes one MCAP like `McapWriter` of `@mcap/core`, record for record, in bounded memory. The records of the
 * summary (a chunk index has one entry per channel in its chunk) wait in a {@link Spill}. Memory: one chunk
 * with its index, 1 MiB per section, and one count per channel.
 */
export class McapFile {
  readonly #file: DigestFile;
  readonly #options: McapFileOptions;
  readonly #records = new McapRecordBuilder();
  readonly #chunk = new ChunkBuilder();
  readonly #summary: Readonly<Record<Section, Spill>>;
  readonly #statistics = { attachmentCount: 0, metadataCount: 0, chunkCount: 0 };
  /** Channels with an id that are not yet written before their first message. */
  readonly #newSchemas = new Map<number, McapTypes.Schema>();
  readonly #newChannels = new Map<number, McapTypes.Channel>();
  /** Messages per channel id. */
  readonly #counts: number[] = [];
  #messageCount = 0;
  #startTime = 0n;
  #endTime = 0n;
  #schemaCount = 0;
  #channelCount = 0;
  #dataCrc = 0;

  /**
   * @param beside - Path beside which large sections of the summary are kept temporarily; absent: in memory.
   */
  constructor(file: DigestFile, options: McapFileOptions, beside?: SpillPlace) {
    this.#file = file;
    this.#options = options;
    const spill = (section: Section): Spill =>
      new Spill(beside && { ...beside, path: `${beside.path}.${section}.tmp` });
    this.#summary = {
      schemas: spill('schemas'),
      channels: spill('channels'),
      metadata: spill('metadata'),
      attachments: spill('attachments'),
      chunks: spill('chunks'),
    };
  }

  async start(profile: string, library: string): Promise<void> {
    this.#records.writeMagic();
    this.#records.writeHeader({ profile, library });
    await this.#writeData();
  }

  /**
   * Continues a file instead of {@link start}, with the content of its data section.
   *
   * @param dataCrc - CRC-32 of the file so far.
   */
  async adopt(begun: BegunMcap, dataCrc: number): Promise<void> {
    const summary = this.#summary;
    for (const schema of begun.schemas) {
      await summary.schemas.add(recordOf((record) => record.writeSchema(schema)));
    }
    for (const channel of begun.channels) {
      await summary.channels.add(recordOf((record) => record.writeChannel(channel)));
    }
    for (const index of begun.chunks) {
      await summary.chunks.add(recordOf((record) => record.writeChunkIndex(index)));
    }
    this.#schemaCount = begun.schemas.length;
    this.#channelCount = begun.channels.length;
    this.#statistics.chunkCount = begun.chunks.length;
    this.#dataCrc = dataCrc;
  }

  /** Counts a message that the file holds already. */
  countAdopted(channelId: number, logTime: bigint): void {
    this.#count(channelId, logTime);
  }

  async registerSchema(info: Omit<McapTypes.Schema, 'id'>): Promise<number> {
    if (this.#schemaCount >= MAX_ID) throw noIdLeft('schemas');
    const schema = { ...info, id: ++this.#schemaCount };
    this.#newSchemas.set(schema.id, schema);
    await this.#summary.schemas.add(recordOf((record) => record.writeSchema(schema)));
    return schema.id;
  }

  async registerChannel(info: Omit<McapTypes.Channel, 'id'>): Promise<number> {
    if (this.#channelCount > MAX_ID) throw noIdLeft('channels');
    const channel = { ...info, id: this.#channelCount++ };
    this.#newChannels.set(channel.id, channel);
    await this.#summary.channels.add(recordOf((record) => record.writeChannel(channel)));
    return channel.id;
  }

  /**
   * Adds a message of a registered channel; times are nanoseconds since the Unix epoch. A promise means that a chunk is
   * full: the caller waits for it before it adds another one.
   */
  addMessage(
    channelId: number,
    sequence: number,
    logTime: bigint,
    publishTime: bigint,
    data: Uint8Array,
  ): Promise<void> | undefined {
    this.#count(channelId, logTime);
    if (this.#newChannels.size > 0) this.#define(channelId);
    const chunk = this.#chunk;
    chunk.addMessage(channelId, sequence, logTime, publishTime, data);
    const isFull = chunk.byteLength > this.#options.chunkBytes || chunk.messages >= CHUNK_MAX_MESSAGES;
    return isFull ? this.#endChunk() : undefined;
  }

  async addMetadata(name: string, metadata: ReadonlyMap<string, string>): Promise<void> {
    const offset = this.#file.position();
    const length = this.#records.writeMetadata({ name, metadata: new Map(metadata) });
    this.#statistics.metadataCount++;
    await this.#writeData();
    const record = new McapRecordBuilder();
    record.writeMetadataIndex({ name, offset, length });
    await this.#summary.metadata.add(record.buffer);
  }

  /** Copies the attachment in memory while it is written. */
  async addAttachment({ name, mediaType, logTime, createTime, data }: Attachment): Promise<void> {
    const offset = this.#file.position();
    const length = this.#records.writeAttachment({ name, mediaType, logTime, createTime, data });
    this.#statistics.attachmentCount++;
    await this.#writeData();
    const record = new McapRecordBuilder();
    const dataSize = BigInt(data.byteLength);
    record.writeAttachmentIndex({ name, mediaType, logTime, createTime, dataSize, offset, length });
    await this.#summary.attachments.add(record.buffer);
  }

  /** Writes the summary and the footer. The file is not durable yet. */
  async end(): Promise<void> {
    await this.#endChunk();
    this.#records.writeDataEnd({ dataSectionCrc: this.#dataCrc });
    await this.#file.write(this.#takeRecords());
    const start = this.#file.position();
    const sections: readonly (readonly [number, Spill | undefined])[] = [
      [Op.schema, this.#summary.schemas],
      [Op.channel, this.#summary.channels],
      [Op.statistics, undefined],
      [Op.metadataIndex, this.#summary.metadata],
      [Op.attachmentIndex, this.#summary.attachments],
      [Op.chunkIndex, this.#summary.chunks],
    ];
    const offsets = new McapRecordBuilder();
    let crc = 0;
    for (const [groupOpcode, spill] of sections) {
      const groupStart = this.#file.position();
      for await (const bytes of spill?.read() ?? [this.#statisticsRecord()]) {
        crc = crc32(bytes, crc);
        await this.#file.write(bytes);
      }
      const groupLength = this.#file.position() - groupStart;
      if (groupLength > 0n) offsets.writeSummaryOffset({ groupOpcode, groupStart, groupLength });
    }
    const offsetStart = this.#file.position();
    const offsetRecords = offsets.buffer;
    await this.#file.write(offsetRecords);
    await this.#file.write(footer(start, offsetStart, crc32(offsetRecords, crc)));
    await this.#file.write(MAGIC);
    await this.removeSpills();
  }

  /** Frees memory and files of the sections of the summary. Never throws. */
  async removeSpills(): Promise<void> {
    for (const spill of Object.values(this.#summary)) await spill.remove();
  }

  #count(channelId: number, logTime: bigint): void {
    if (this.#messageCount === 0 || logTime < this.#startTime) this.#startTime = logTime;
    if (this.#messageCount === 0 || logTime > this.#endTime) this.#endTime = logTime;
    this.#counts[channelId] = (this.#counts[channelId] ?? 0) + 1;
    this.#messageCount++;
  }

  /** Writes a channel and its schema before its first message. */
  #define(channelId: number): void {
    const channel = this.#newChannels.get(channelId);
    if (!channel) return;
    this.#newChannels.delete(channelId);
    const schema = this.#newSchemas.get(channel.schemaId);
    if (schema) this.#chunk.addSchema(schema);
    this.#newSchemas.delete(channel.schemaId);
    this.#chunk.addChannel(channel);
  }

  async #endChunk(): Promise<void> {
    const chunk = this.#chunk;
    if (chunk.messages === 0) return;
    this.#statistics.chunkCount++;
    const data = chunk.records;
    const { compression, compressedData } = this.#options.compressChunk?.(data) ?? {
      compression: '',
      compressedData: data,
    };
    const { startTime: messageStartTime, endTime: messageEndTime } = chunk;
    const uncompressedSize = BigInt(data.byteLength);
    const chunkStartOffset = this.#file.position();
    await this.#writeBytes(
      chunkHead({
        messageStartTime,
        messageEndTime,
        uncompressedSize,
        uncompressedCrc: crc32(data),
        compression,
        recordsBytes: compressedData.byteLength,
      }),
    );
    await this.#writeBytes(compressedData);
    const messageIndexStart = this.#file.position();
    const { bytes, offsets } = chunk.indexes();
    await this.#writeBytes(bytes);
    chunk.reset();
    const record = new McapRecordBuilder();
    record.writeChunkIndex({
      messageStartTime,
      messageEndTime,
      chunkStartOffset,
      chunkLength: messageIndexStart - chunkStartOffset,
      messageIndexOffsets: new Map(
        [...offsets].map(([channelId, offset]) => [channelId, messageIndexStart + BigInt(offset)]),
      ),
      messageIndexLength: BigInt(bytes.byteLength),
      compression,
      compressedSize: BigInt(compressedData.byteLength),
      uncompressedSize,
    });
    await this.#summary.chunks.add(record.buffer);
  }

  #statisticsRecord(): Uint8Array {
    const counted = this.#counts.flatMap((count, id) => [[id, BigInt(count)] as const]);
    this.#records.writeStatistics({
      ...this.#statistics,
      messageCount: BigInt(this.#messageCount),
      schemaCount: this.#schemaCount,
      channelCount: this.#channelCount,
      messageStartTime: this.#startTime,
      messageEndTime: this.#endTime,
      channelMessageCounts: new Map(counted),
    });
    return this.#takeRecords();
  }

  async #writeData(): Promise<void> {
    await this.#writeBytes(this.#takeRecords());
  }

  async #writeBytes(bytes: Uint8Array): Promise<void> {
    this.#dataCrc = crc32(bytes, this.#dataCrc);
    await this.#file.write(bytes);
  }

  #takeRecords(): Uint8Array {
    const bytes = this.#records.buffer;
    this.#records.reset();
    return bytes;
  }
}

function recordOf(write: (record: McapRecordBuilder) => void): Uint8Array {
  const record = new McapRecordBuilder();
  write(record);
  return record.buffer;
}

function noIdLeft(what: string): HoldfastError {
  return new HoldfastError(
    'SEAL_FAILED',
    `more than ${MAX_ID} ${what} for one MCAP, the most its ids allow`,
    {
      facts: { allowed: MAX_ID },
    },
  );
}
