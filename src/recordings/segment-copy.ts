import { McapWriter } from '@mcap/core';
import { HoldfastError } from '../core/errors.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { McapMessage } from '../core/mcap/block.js';
import type { McapChannel } from '../core/mcap/definitions.js';
import type { McapReader } from '../core/mcap/open-mcap.js';
import { takeOverRecords } from '../core/mcap/other-records.js';
import type { AttachmentRecord, MetadataRecord } from '../core/mcap/records.js';
import { serializedMetadata, type BagTopic } from '../core/mcap/rosbag2-metadata.js';
import { present } from '../core/present.js';
import { chunkCompressor } from '../seal/compression.js';
import type { DigestFile } from '../seal/digest-file.js';

const CHUNK_BYTES = 1024 * 1024;
const ZSTD_LEVEL = 1;
/** In addition to what {@link takeOverRecords} copies. */
const KEPT_METADATA = ['holdfast', 'holdfast_gap'];

/** What becomes of the records that are not messages. Default: all are copied. */
export interface CopiedRecords {
  /** The record to write; undefined: none. */
  readonly metadata?: (record: MetadataRecord) => MetadataRecord | undefined;
  /** False: the attachment is left out. */
  readonly attachment?: (attachment: AttachmentRecord) => boolean;
}

/** Writes a sealed file again: records and channels unchanged, including the carried mark, and the messages that it is given. */
export class SegmentCopy {
  readonly #writer: McapWriter;
  readonly #channels = new Map<McapChannel, { readonly id: number; messages: number }>();
  readonly #schemas = new Map<string, number>();
  #first: bigint | undefined;
  #last: bigint | undefined;

  private constructor(
    readonly file: DigestFile,
    readonly records: CopiedRecords,
    compressChunk: Awaited<ReturnType<typeof chunkCompressor>>,
  ) {
    this.#writer = new McapWriter({
      writable: file,
      chunkSize: CHUNK_BYTES,
      ...(compressChunk ? { compressChunk } : {}),
    });
  }

  /** Begins a file with the records of `reader` that are not messages. Its chunks are compressed with zstd. */
  static async begin(
    file: DigestFile,
    reader: McapReader,
    records: CopiedRecords = {},
  ): Promise<SegmentCopy> {
    const copy = new SegmentCopy(file, records, await chunkCompressor('zstd', ZSTD_LEVEL));
    await copy.#start(reader);
    return copy;
  }

  async #start(reader: McapReader): Promise<void> {
    await this.#writer.start({ profile: 'ros2', library: reader.library });
    for (const name of KEPT_METADATA) {
      for (const record of await reader.metadata(name)) await this.#copyMetadata(record);
    }
    const { attachment: isWanted } = this.records;
    const taker = {
      addMetadata: (record: MetadataRecord) => this.#copyMetadata(record),
      addAttachment: async (attachment: AttachmentRecord) => {
        if (isWanted?.(attachment) !== false) await this.#writer.addAttachment(attachment);
      },
    };
    await takeOverRecords(reader, taker, (reason) => {
      throw new HoldfastError('SEGMENT_CORRUPT', `${reader.name}: ${reason}`, {
        facts: { name: reader.name },
      });
    });
  }

  async #copyMetadata(record: MetadataRecord): Promise<void> {
    const { metadata = (one: MetadataRecord) => one } = this.records;
    const copied = metadata(record);
    if (copied) await this.addMetadata(copied);
  }

  async addMetadata({ name, metadata }: MetadataRecord): Promise<void> {
    await this.#writer.addMetadata({ name, metadata: new Map(Object.entries(metadata)) });
  }

  async add({ channel, sequence, logTime, publishTime, data }: McapMessage): Promise<void> {
    let out = this.#channels.get(channel);
    if (!out) this.#channels.set(channel, (out = { id: await this.#register(channel), messages: 0 }));
    out.messages++;
    if (this.#first === undefined || logTime < this.#first) this.#first = logTime;
    if (this.#last === undefined || logTime > this.#last) this.#last = logTime;
    await this.#writer.addMessage({ channelId: out.id, sequence, logTime, publishTime, data });
  }

  /** Adds a mark that the reader's file does not have. */
  async addEvent(event: MarkedEvent): Promise<void> {
    const metadata = new Map(Object.entries({ ...event }));
    await this.#writer.addMetadata({ name: 'holdfast_event', metadata });
  }

  async finish(): Promise<{ bytes: number; sha256: string; crc32: number }> {
    const topics: BagTopic[] = [];
    let all = 0;
    for (const [{ topic, encoding, schema, metadata }, { messages }] of this.#channels) {
      all += messages;
      // rosbag2 refuses to play types that it cannot deserialize; its list has the ones that it can.
      if (encoding !== 'cdr') continue;
      const offeredQos = metadata['offered_qos_profiles'];
      const typeHash = metadata['topic_type_hash'];
      const known = topics.find((one) => one.topic === topic && one.type === schema.name);
      if (known) Object.assign(known, { messages: known.messages + messages });
      else topics.push({ topic, type: schema.name, encoding, offeredQos, typeHash, messages });
    }
    const range =
      this.#first === undefined || this.#last === undefined
        ? {}
        : { firstLogTime: this.#first, lastLogTime: this.#last };
    const bag = serializedMetadata({ topics, messages: all, ...range });
    await this.#writer.addMetadata({ name: 'rosbag2', metadata: new Map([['serialized_metadata', bag]]) });
    await this.#writer.end();
    const { bytes, sha256, crc32 } = await this.file.finish();
    return { bytes, sha256: present(sha256), crc32 };
  }

  /** The channel of the file for one of the reader. */
  async #register({ topic, encoding, schema, metadata, schemaMissing }: McapChannel): Promise<number> {
    let schemaId = 0;
    if (schemaMissing === undefined) {
      const key = JSON.stringify([schema.name, schema.encoding, Buffer.from(schema.data).toString('latin1')]);
      schemaId = this.#schemas.get(key) ?? (await this.#writer.registerSchema({ ...schema }));
      this.#schemas.set(key, schemaId);
    }
    return this.#writer.registerChannel({
      schemaId,
      topic,
      messageEncoding: encoding,
      metadata: new Map(Object.entries(metadata)),
    });
  }
}
