import { McapWriter } from '@mcap/core';
import type { MarkedEvent } from '../core/events.js';
import type { FileHandle } from '../core/file-system.js';
import { gapToJson, type Gap } from '../core/gap.js';
import type { ManifestChannel } from '../core/manifest.js';
import { CARRIED_KEY } from '../core/mcap/definitions.js';
import { SEQUENCE_HIGH_KEY } from '../core/mcap/full-sequence.js';
import { serializedMetadata, type BagContent, type BagTopic } from '../core/mcap/rosbag2-metadata.js';
import type { ObjectDigest } from '../core/store.js';
import type { SegmentChannel } from '../wal/segment-format.js';
import type { CompressChunk } from './compression.js';
import { DigestFile } from './digest-file.js';

interface OpenChannel {
  readonly channel: SegmentChannel;
  mcapId: number | undefined;
  /** Upper bits of the source numbers -> id, where numbers identify messages and pass 2^32. */
  readonly highMcapIds: Map<number, number>;
  carriedMcapId: number | undefined;
  count: number;
  bytes: number;
  carried: number;
  firstLogTime: bigint;
  lastLogTime: bigint;
  firstSourceSequence: number;
  lastSourceSequence: number;
}

/** One record on its way into an object. */
export interface SealRecord {
  readonly channelId: number;
  readonly logTime: bigint;
  readonly publishTime: bigint;
  /** -1: the source does not number. */
  readonly sourceSequence: number;
  readonly data: Uint8Array;
}

export interface ObjectWriterOptions {
  readonly softwareVersion: string;
  readonly chunkBytes: number;
  readonly compressChunk: CompressChunk | undefined;
  /** ROS distribution this was recorded under; empty: none, or not known. */
  readonly rosDistro?: string;
}

/** What an object turned out to hold. */
export interface ObjectContent {
  readonly digest: ObjectDigest;
  readonly channels: readonly ManifestChannel[];
  readonly messages: number;
  readonly payloadBytes: number;
  readonly firstLogTime: bigint | undefined;
  readonly lastLogTime: bigint | undefined;
}

/**
 * Writes one sealed object: an MCAP of profile `ros2` as rosbag2 writes it, chunked, with CRCs and indexes.
 */
export class ObjectWriter {
  private readonly file: DigestFile;
  private readonly writer: McapWriter;
  private readonly channels = new Map<number, OpenChannel>();
  private readonly schemas = new Map<string, number>();

  constructor(
    handle: FileHandle,
    private readonly options: ObjectWriterOptions,
  ) {
    this.file = new DigestFile(handle);
    this.writer = new McapWriter({
      writable: this.file,
      chunkSize: options.chunkBytes,
      ...(options.compressChunk ? { compressChunk: options.compressChunk } : {}),
    });
  }

  async start(identity: Readonly<Record<string, string>>): Promise<void> {
    await this.writer.start({ profile: 'ros2', library: `holdfast ${this.options.softwareVersion}` });
    await this.addMetadata('holdfast', identity);
  }

  hasChannel(id: number): boolean {
    return this.channels.has(id);
  }

  addChannel(id: number, channel: SegmentChannel): void {
    this.channels.set(id, {
      channel,
      mcapId: undefined,
      highMcapIds: new Map(),
      carriedMcapId: undefined,
      count: 0,
      bytes: 0,
      carried: 0,
      firstLogTime: 0n,
      lastLogTime: 0n,
      firstSourceSequence: -1,
      lastSourceSequence: -1,
    });
  }

  /** Adds a carried message at the given log time, on a channel of its own that says so. */
  async addCarried(record: SealRecord, logTime: bigint): Promise<void> {
    const open = this.channels.get(record.channelId) as OpenChannel;
    open.carriedMcapId ??= await this.register(open.channel, { [CARRIED_KEY]: 'true' });
    open.carried++;
    await this.writer.addMessage({
      channelId: open.carriedMcapId,
      sequence: 0,
      logTime,
      publishTime: record.publishTime,
      data: record.data,
    });
  }

  async add(record: SealRecord): Promise<void> {
    const open = this.channels.get(record.channelId) as OpenChannel;
    const { logTime, sourceSequence, data } = record;
    if (open.count === 0 || logTime < open.firstLogTime) open.firstLogTime = logTime;
    if (open.count === 0 || logTime > open.lastLogTime) open.lastLogTime = logTime;
    if (sourceSequence >= 0) {
      noteSourceSequence(open, sourceSequence);
    }
    open.count++;
    open.bytes += data.byteLength;
    await this.writer.addMessage({
      channelId: await this.mcapIdOf(open, sourceSequence),
      sequence: sourceSequence >= 0 ? sourceSequence % 2 ** 32 : open.count % 2 ** 32,
      logTime,
      publishTime: record.publishTime,
      data,
    });
  }

  async addGap(gap: Gap): Promise<void> {
    await this.addMetadata('holdfast_gap', { json: JSON.stringify(gapToJson(gap)) });
  }

  async addEvent(event: MarkedEvent): Promise<void> {
    await this.addMetadata('holdfast_event', { ...event });
  }

  async addMetadata(name: string, entries: Readonly<Record<string, string>>): Promise<void> {
    await this.writer.addMetadata({ name, metadata: new Map(Object.entries(entries)) });
  }

  /** Ends the MCAP and makes the file durable. */
  async finish(): Promise<ObjectContent> {
    await this.addMetadata('rosbag2', this.bagRecord());
    await this.writer.end();
    const digest = await this.file.finish();
    const open = [...this.channels.values()].filter(({ count, carried }) => count + carried > 0);
    const live = open.filter(({ count }) => count > 0);
    return {
      digest,
      channels: open.map(describeChannel),
      messages: live.reduce((sum, { count }) => sum + count, 0),
      payloadBytes: live.reduce((sum, { bytes }) => sum + bytes, 0),
      firstLogTime: live.map((c) => c.firstLogTime).reduce(smaller, undefined),
      lastLogTime: live.map((c) => c.lastLogTime).reduce(larger, undefined),
    };
  }

  /** What rosbag2 writes into a file of its own: offered QoS and type hashes to play it with, and the counts. */
  private bagRecord(): Record<string, string> {
    const { rosDistro = '' } = this.options;
    const live = [...this.channels.values()];
    const serialized = serializedMetadata({
      topics: bagTopics(live),
      messages: live.reduce((sum, { count, carried }) => sum + count + carried, 0),
      rosDistro,
      ...timeRange(live),
    });
    return { ...(rosDistro === '' ? {} : { ROS_DISTRO: rosDistro }), serialized_metadata: serialized };
  }

  /** The upper bits of numbers that identify messages are in a channel's metadata: MCAP has 32 per message. */
  private async mcapIdOf(open: OpenChannel, sourceSequence: number): Promise<number> {
    const high = Math.floor(sourceSequence / 2 ** 32);
    if (open.channel.numberedIn === undefined || high <= 0) {
      return (open.mcapId ??= await this.register(open.channel, {}));
    }
    let id = open.highMcapIds.get(high);
    if (id === undefined) {
      id = await this.register(open.channel, { [SEQUENCE_HIGH_KEY]: String(high) });
      open.highMcapIds.set(high, id);
    }
    return id;
  }

  private async register(channel: SegmentChannel, extra: Record<string, string>): Promise<number> {
    return this.writer.registerChannel({
      schemaId: await this.schemaId(channel),
      topic: channel.topic,
      messageEncoding: channel.encoding,
      metadata: new Map(Object.entries({ ...channel.metadata, ...extra })),
    });
  }

  private async schemaId({ schema }: SegmentChannel): Promise<number> {
    // MCAP's schema 0 means none; a schema with a name and no text is still worth its name.
    if (schema.name === '' && schema.data.byteLength === 0) return 0;
    const key = `${schema.name}\0${schema.encoding}\0${Buffer.from(schema.data).toString('latin1')}`;
    let id = this.schemas.get(key);
    if (id === undefined) {
      id = await this.writer.registerSchema({
        name: schema.name,
        encoding: schema.encoding,
        data: schema.data,
      });
      this.schemas.set(key, id);
    }
    return id;
  }
}

/** The first and the last; where they come in any order, the lowest and the highest. */
function noteSourceSequence(open: OpenChannel, sourceSequence: number): void {
  const isUnordered = open.channel.numberedIn !== undefined;
  if (open.firstSourceSequence < 0 || (isUnordered && sourceSequence < open.firstSourceSequence)) {
    open.firstSourceSequence = sourceSequence;
  }
  if (!isUnordered || sourceSequence > open.lastSourceSequence) open.lastSourceSequence = sourceSequence;
}

/** One line per topic and type, the carried messages counted too: rosbag2 knows no difference. */
function bagTopics(channels: readonly OpenChannel[]): BagTopic[] {
  const topics = new Map<string, BagTopic>();
  for (const { channel, count, carried } of channels) {
    const { topic, encoding, schema, metadata } = channel;
    // rosbag2 refuses to play what it cannot deserialize; its list is of what it can.
    if (count + carried === 0 || encoding !== 'cdr') continue;
    const key = JSON.stringify([topic, schema.name]);
    const known = topics.get(key);
    topics.set(key, {
      topic,
      type: schema.name,
      encoding,
      offeredQos: metadata['offered_qos_profiles'] ?? known?.offeredQos,
      typeHash: metadata['topic_type_hash'] ?? known?.typeHash,
      messages: count + carried + (known?.messages ?? 0),
    });
  }
  return [...topics.values()];
}

function timeRange(channels: readonly OpenChannel[]): Pick<BagContent, 'firstLogTime' | 'lastLogTime'> {
  const live = channels.filter(({ count }) => count > 0);
  const firstLogTime = live.map((c) => c.firstLogTime).reduce(smaller, undefined);
  const lastLogTime = live.map((c) => c.lastLogTime).reduce(larger, undefined);
  return firstLogTime === undefined || lastLogTime === undefined ? {} : { firstLogTime, lastLogTime };
}

const smaller = (a: bigint | undefined, b: bigint): bigint => (a === undefined || b < a ? b : a);
const larger = (a: bigint | undefined, b: bigint): bigint => (a === undefined || b > a ? b : a);

function describeChannel(open: OpenChannel): ManifestChannel {
  const { channel, count, bytes, carried } = open;
  return {
    topic: channel.topic,
    type: channel.schema.name,
    encoding: channel.encoding,
    schemaEncoding: channel.schema.encoding,
    latched: channel.latched,
    count,
    bytes,
    carried,
    ...(count > 0 ? { firstLogTime: String(open.firstLogTime), lastLogTime: String(open.lastLogTime) } : {}),
    ...(open.firstSourceSequence >= 0
      ? { firstSourceSequence: open.firstSourceSequence, lastSourceSequence: open.lastSourceSequence }
      : {}),
  };
}
