import { createHash } from 'node:crypto';
import { McapWriter, type IWritable } from '@mcap/core';
import { HoldfastError } from '../core/errors.js';
import type { FileHandle } from '../core/file-system.js';
import { gapDocuments } from '../core/gap.js';
import type { McapMessage } from '../core/mcap/block.js';
import { originalMetadata } from '../core/mcap/carried.js';
import type { McapChannel } from '../core/mcap/definitions.js';
import type { AttachmentRecord, MetadataRecord } from '../core/mcap/records.js';
import { definitionKey } from '../core/message.js';
import type { CompressChunk } from '../seal/compression.js';
import { serializedMetadata, type BagContent, type BagTopic } from '../core/mcap/rosbag2-metadata.js';

const CHUNK_BYTES = 1024 * 1024;
/** Maximum channel and schema id: they are 16 bits wide, and 0 means none. */
const MAX_IDS = 65_535;

/** The members of a file handle that are used here: bytes are written at its position. */
export type WrittenFile = Pick<FileHandle, 'write' | 'sync'>;

interface OutChannel {
  readonly id: number;
  readonly channel: McapChannel;
  messages: number;
}

/** Writes merged messages as one MCAP of profile `ros2`, zstd-compressed, as rosbag2 does. */
export class ReplayWriter {
  readonly #writer: McapWriter;
  readonly #out: FileWritable;
  readonly #channels = new Map<string, OutChannel>();
  readonly #byChannel = new Map<string, WeakMap<McapChannel, OutChannel>>();
  readonly #schemas = new Map<string, number>();
  readonly #gaps = new Set<string>();
  /** Topic -> the first robot with it. */
  readonly #robots = new Map<string, string>();
  /** Digests of the copied metadata records and attachments. */
  readonly #taken = new Set<string>();
  #messages = 0;
  #first: bigint | undefined;
  #last: bigint | undefined;

  /**
   * @param compressChunk none: chunks are not compressed
   * @param chunkBytes a chunk ends with the message that reaches this size, which is held in memory
   */
  constructor(handle: WrittenFile, compressChunk?: CompressChunk, chunkBytes = CHUNK_BYTES) {
    this.#out = new FileWritable(handle, chunkBytes);
    this.#writer = new McapWriter({
      writable: this.#out,
      chunkSize: chunkBytes,
      ...(compressChunk ? { compressChunk } : {}),
    });
  }

  async start(version: string): Promise<void> {
    await this.#writer.start({ profile: 'ros2', library: `holdfast ${version}` });
  }

  /** A gap of one of the segments; the same gap is written once. */
  async addGap(json: string): Promise<void> {
    const id = gapDocuments.parseIfValid(json)?.id ?? json;
    if (this.#gaps.has(id)) return;
    this.#gaps.add(id);
    await this.#writer.addMetadata({ name: 'holdfast_gap', metadata: new Map([['json', json]]) });
  }

  /** A record that is not a message; equal ones of several segments are written once. */
  async addMetadata({ name, metadata }: MetadataRecord): Promise<void> {
    const key = digestOf(
      JSON.stringify([name, Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))]),
    );
    if (this.#taken.has(key)) return;
    this.#taken.add(key);
    await this.#writer.addMetadata({ name, metadata: new Map(Object.entries(metadata)) });
  }

  async addAttachment(attachment: AttachmentRecord): Promise<void> {
    const { data, logTime, createTime, ...names } = attachment;
    const key = digestOf(JSON.stringify([names, String(logTime), String(createTime), digestOf(data)]));
    if (this.#taken.has(key)) return;
    this.#taken.add(key);
    await this.#writer.addAttachment(attachment);
  }

  /** @param logTime replaces the message's own */
  async add(message: McapMessage, robot: string | undefined, logTime: bigint): Promise<void> {
    const channel = await this.#channelOf(message.channel, robot ?? '');
    channel.messages++;
    this.#messages++;
    if (this.#first === undefined || logTime < this.#first) this.#first = logTime;
    if (this.#last === undefined || logTime > this.#last) this.#last = logTime;
    await this.#writer.addMessage({
      channelId: channel.id,
      sequence: message.sequence,
      logTime,
      publishTime: message.publishTime,
      data: message.data,
    });
  }

  /** Ends the MCAP and makes it durable. */
  async finish(): Promise<BagContent & { readonly bytes: number; readonly gaps: number }> {
    const content = this.#content();
    await this.#writer.addMetadata({
      name: 'rosbag2',
      metadata: new Map([['serialized_metadata', serializedMetadata(content)]]),
    });
    await this.#writer.end();
    await this.#out.finish();
    return { ...content, bytes: Number(this.#out.position()), gaps: this.#gaps.size };
  }

  #content(): BagContent {
    // One line per topic and type: several robots may share a topic, and a bag lists it once.
    const topics = new Map<string, BagTopic>();
    for (const { channel, messages } of this.#channels.values()) {
      const { topic, encoding, schema, metadata } = channel;
      const key = JSON.stringify([topic, schema.name, encoding]);
      topics.set(key, {
        topic,
        type: schema.name,
        encoding,
        offeredQos: topics.get(key)?.offeredQos ?? metadata['offered_qos_profiles'],
        typeHash: topics.get(key)?.typeHash ?? metadata['topic_type_hash'],
        messages: messages + (topics.get(key)?.messages ?? 0),
      });
    }
    return {
      topics: [...topics.values()],
      messages: this.#messages,
      ...(this.#first === undefined || this.#last === undefined
        ? {}
        : { firstLogTime: this.#first, lastLogTime: this.#last }),
    };
  }

  async #channelOf(channel: McapChannel, robot: string): Promise<OutChannel> {
    let ofRobot = this.#byChannel.get(robot);
    if (ofRobot === undefined) this.#byChannel.set(robot, (ofRobot = new WeakMap()));
    let out = ofRobot.get(channel);
    if (out !== undefined) return out;
    const { topic, encoding, schema } = channel;
    // A topic whose definition changed is another channel: the old definition would decode its messages
    // wrongly.
    const key = JSON.stringify([robot, topic, encoding, definitionKey(schema)]);
    out = this.#channels.get(key);
    if (out === undefined) {
      out = { id: await this.#register(channel, robot), channel, messages: 0 };
      this.#channels.set(key, out);
    }
    ofRobot.set(channel, out);
    return out;
  }

  async #register(channel: McapChannel, robot: string): Promise<number> {
    if (this.#channels.size >= MAX_IDS) throw tooMany('channels');
    const metadata = new Map(Object.entries(originalMetadata(channel)));
    // Two robots may use one topic name; otherwise their messages could not be distinguished.
    const isShared = (this.#robots.get(channel.topic) ?? robot) !== robot;
    if (!this.#robots.has(channel.topic)) this.#robots.set(channel.topic, robot);
    if (isShared && robot !== '') metadata.set('holdfast_robot', robot);
    return this.#writer.registerChannel({
      schemaId: await this.#schemaId(channel),
      topic: channel.topic,
      messageEncoding: channel.encoding,
      metadata,
    });
  }

  async #schemaId({ schema }: McapChannel): Promise<number> {
    if (schema.name === '' && schema.data.byteLength === 0) return 0;
    const key = definitionKey(schema);
    let id = this.#schemas.get(key);
    if (id === undefined) {
      if (this.#schemas.size >= MAX_IDS) throw tooMany('schemas');
      id = await this.#writer.registerSchema({
        name: schema.name,
        encoding: schema.encoding,
        data: schema.data,
      });
      this.#schemas.set(key, id);
    }
    return id;
  }
}

function digestOf(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('base64');
}

function tooMany(what: string): HoldfastError {
  return new HoldfastError('OUTPUT_UNUSABLE', `more than ${MAX_IDS} ${what}, the most one MCAP can have`, {
    facts: { allowed: MAX_IDS },
  });
}

/** Collects small writes; an MCAP writer makes many. */
class FileWritable implements IWritable {
  #position = 0n;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  /** @param holdBytes number of bytes collected per write */
  constructor(
    readonly handle: WrittenFile,
    readonly holdBytes: number,
  ) {}

  position(): bigint {
    return this.#position;
  }

  async write(buffer: Uint8Array): Promise<void> {
    // A copy: the writer reuses its buffer.
    this.#pending.push(Uint8Array.from(buffer));
    this.#pendingBytes += buffer.byteLength;
    this.#position += BigInt(buffer.byteLength);
    if (this.#pendingBytes >= this.holdBytes) await this.#flush();
  }

  async finish(): Promise<void> {
    await this.#flush();
    await this.handle.sync();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    for (let at = 0; at < bytes.byteLength;) {
      at += (await this.handle.write(bytes, at, bytes.byteLength - at)).bytesWritten;
    }
  }
}
