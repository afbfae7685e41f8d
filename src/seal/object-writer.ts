import type { MarkedEvent } from '../core/marked-event.js';
import type { FileHandle, FileSystem } from '../core/file-system.js';
import { gapToJson, type Gap } from '../core/gap.js';
import type { ManifestChannel } from '../core/manifest.js';
import { CARRIED_KEY } from '../core/mcap/definitions.js';
import { SEQUENCE_HIGH_KEY } from '../core/full-sequence.js';
import { serializedMetadata, type BagContent, type BagTopic } from '../core/mcap/rosbag2-metadata.js';
import type { SinkPolicyRecord } from '../core/send-policy/policy-record.js';
import type { ObjectDigest } from '../core/store.js';
import { present } from '../core/present.js';
import type { ContentKey } from '../encryption/encrypted-content.js';
import type { Tags } from '../core/tags.js';
import { mcapSequence } from '../wal/batch-encoder.js';
import { OBJECT_PROFILE, schemaKey } from '../wal/object-file.js';
import type { SegmentChannel } from '../wal/segment-format.js';
import type { CompressChunk } from './compression.js';
import { DigestFile } from './digest-file.js';
import { McapFile, type Attachment } from './mcap-file.js';
import type { PlacedObject } from './placed-objects.js';

interface OpenChannel {
  readonly channel: SegmentChannel;
  mcapId: number | undefined;
  /** Upper bits of the source numbers -> id, if the numbers identify messages and exceed 2^32. */
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

/** One record for an object. */
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
  /** Path beside which the parts that do not fit in memory are kept as files. Absent: in memory. */
  readonly beside?: { readonly fs: FileSystem; readonly path: string };
  /** ROS distribution of the recording; empty: none, or unknown. */
  readonly rosDistro?: string;
  /** The existing start of the object's file; absent: it is empty. */
  readonly placed?: PlacedObject;
  /** Encrypts the file; absent: it is plain. Not with `placed`. */
  readonly contentKey?: ContentKey;
}

/** Facts of a finished object. */
export interface ObjectContent {
  /** Of the file; of the ciphertext, if it is encrypted. */
  readonly digest: ObjectDigest;
  /** Size of the MCAP. */
  readonly mcapBytes: number;
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
  readonly #file: DigestFile;
  readonly #writer: McapFile;
  readonly #channels = new Map<number, OpenChannel>();
  readonly #schemas = new Map<string, number>();

  readonly #options: ObjectWriterOptions;

  constructor(handle: FileHandle, options: ObjectWriterOptions) {
    this.#options = options;
    this.#file = new DigestFile(handle, options.placed, options.contentKey);
    const { chunkBytes, compressChunk, beside } = options;
    const encrypts = options.contentKey !== undefined;
    this.#writer = new McapFile(this.#file, { chunkBytes, compressChunk }, beside && { ...beside, encrypts });
  }

  async start(identity: Readonly<Record<string, string>>, tags?: Tags): Promise<void> {
    const { placed } = this.#options;
    if (placed) await this.#adopt(placed);
    else await this.#writer.start(OBJECT_PROFILE, `holdfast ${this.#options.softwareVersion}`);
    await this.addMetadata('holdfast', identity);
    if (tags && Object.keys(tags).length > 0) await this.addMetadata('holdfast_tags', tags);
  }

  hasChannel(id: number): boolean {
    return this.#channels.has(id);
  }

  addChannel(id: number, channel: SegmentChannel): void {
    this.#channels.set(id, {
      channel,
      mcapId: this.#options.placed?.file.channels.get(id),
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

  /** Adds a carried message at the given log time, on a channel marked as carried. */
  async addCarried(record: SealRecord, logTime: bigint): Promise<void> {
    const open = this.#channels.get(record.channelId) as OpenChannel;
    open.carriedMcapId ??= await this.#register(open.channel, { [CARRIED_KEY]: 'true' });
    open.carried++;
    await this.#writer.addMessage(open.carriedMcapId, 0, logTime, record.publishTime, record.data);
  }

  /** Adds a record. The caller waits for the promise, if there is one, before it adds another record. */
  add(record: SealRecord): Promise<void> | undefined {
    const open = this.#note(record, record.data.byteLength);
    const { sourceSequence } = record;
    if (open.mcapId === undefined || (open.channel.numberedIn !== undefined && sourceSequence >= 2 ** 32)) {
      return this.#addToOther(open, record);
    }
    return this.#write(open, open.mcapId, record);
  }

  /** Adds a record whose channel in the MCAP is perhaps not registered. */
  async #addToOther(open: OpenChannel, record: SealRecord): Promise<void> {
    await this.#write(open, await this.#mcapIdOf(open, record.sourceSequence), record);
  }

  #write(open: OpenChannel, mcapId: number, record: SealRecord): Promise<void> | undefined {
    const { logTime, publishTime, sourceSequence, data } = record;
    return this.#writer.addMessage(
      mcapId,
      mcapSequence(sourceSequence, open.count),
      logTime,
      publishTime,
      data,
    );
  }

  /** Adds a record whose payload is already in the file. */
  addPlaced(record: Omit<SealRecord, 'data'>, bytes: number): void {
    const open = this.#note(record, bytes);
    this.#writer.countAdopted(present(open.mcapId), record.logTime);
  }

  #note({ channelId, logTime, sourceSequence }: Omit<SealRecord, 'data'>, bytes: number): OpenChannel {
    const open = this.#channels.get(channelId) as OpenChannel;
    if (open.count === 0 || logTime < open.firstLogTime) open.firstLogTime = logTime;
    if (open.count === 0 || logTime > open.lastLogTime) open.lastLogTime = logTime;
    if (sourceSequence >= 0) {
      noteSourceSequence(open, sourceSequence);
    }
    open.count++;
    open.bytes += bytes;
    return open;
  }

  async #adopt({ file, chunks, crc32 }: PlacedObject): Promise<void> {
    const { schemaRecords, channelRecords } = file;
    for (const schema of schemaRecords) this.#schemas.set(present(schemaKey(schema)), schema.id);
    await this.#writer.adopt({ schemas: schemaRecords, channels: channelRecords, chunks }, crc32);
  }

  async addGap(gap: Gap): Promise<void> {
    await this.addMetadata('holdfast_gap', { json: JSON.stringify(gapToJson(gap)) });
  }

  async addEvent(event: MarkedEvent): Promise<void> {
    await this.addMetadata('holdfast_event', { ...event });
  }

  async addPolicy(policy: readonly SinkPolicyRecord[]): Promise<void> {
    await this.addMetadata('holdfast_send_policy', { json: JSON.stringify(policy) });
  }

  async addMetadata(name: string, entries: Readonly<Record<string, string>>): Promise<void> {
    await this.#writer.addMetadata(name, new Map(Object.entries(entries)));
  }

  async addAttachment(attachment: Attachment): Promise<void> {
    await this.#writer.addAttachment(attachment);
  }

  /** Ends the MCAP and makes the file durable. */
  async finish(): Promise<ObjectContent> {
    await this.addMetadata('rosbag2', this.#bagRecord());
    await this.#writer.end();
    const digest = await this.#file.finish();
    const open = [...this.#channels.values()].filter(({ count, carried }) => count + carried > 0);
    const live = open.filter(({ count }) => count > 0);
    return {
      digest,
      mcapBytes: Number(this.#file.position()),
      channels: open.map(describeChannel),
      messages: live.reduce((sum, { count }) => sum + count, 0),
      payloadBytes: live.reduce((sum, { bytes }) => sum + bytes, 0),
      firstLogTime: live.map((c) => c.firstLogTime).reduce(smaller, undefined),
      lastLogTime: live.map((c) => c.lastLogTime).reduce(larger, undefined),
    };
  }

  /** Removes the temporary files of an unfinished object. Never throws. */
  discard(): Promise<void> {
    return this.#writer.removeSpills();
  }

  /** The metadata that rosbag2 writes: offered QoS and type hashes for playing, and the counts. */
  #bagRecord(): Record<string, string> {
    const { rosDistro = '' } = this.#options;
    const live = [...this.#channels.values()];
    const serialized = serializedMetadata({
      topics: bagTopics(live),
      messages: live.reduce((sum, { count, carried }) => sum + count + carried, 0),
      rosDistro,
      ...timeRange(live),
    });
    return { ...(rosDistro === '' ? {} : { ROS_DISTRO: rosDistro }), serialized_metadata: serialized };
  }

  /** The upper bits of identifying numbers are in a channel's metadata: MCAP has 32 bits per message. */
  async #mcapIdOf(open: OpenChannel, sourceSequence: number): Promise<number> {
    const high = Math.floor(sourceSequence / 2 ** 32);
    if (open.channel.numberedIn === undefined || high <= 0) {
      return (open.mcapId ??= await this.#register(open.channel, {}));
    }
    let id = open.highMcapIds.get(high);
    if (id === undefined) {
      id = await this.#register(open.channel, { [SEQUENCE_HIGH_KEY]: String(high) });
      open.highMcapIds.set(high, id);
    }
    return id;
  }

  async #register(channel: SegmentChannel, extra: Record<string, string>): Promise<number> {
    return this.#writer.registerChannel({
      schemaId: await this.#schemaId(channel),
      topic: channel.topic,
      messageEncoding: channel.encoding,
      metadata: new Map(Object.entries({ ...channel.metadata, ...extra })),
    });
  }

  async #schemaId({ schema }: SegmentChannel): Promise<number> {
    const key = schemaKey(schema);
    if (key === undefined) return 0;
    let id = this.#schemas.get(key);
    if (id === undefined) {
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

/** The first and the last number; if they come in any order, the lowest and the highest. */
function noteSourceSequence(open: OpenChannel, sourceSequence: number): void {
  const isUnordered = open.channel.numberedIn !== undefined;
  if (open.firstSourceSequence < 0 || (isUnordered && sourceSequence < open.firstSourceSequence)) {
    open.firstSourceSequence = sourceSequence;
  }
  if (!isUnordered || sourceSequence > open.lastSourceSequence) open.lastSourceSequence = sourceSequence;
}

/** One line per topic and type, including carried messages: rosbag2 does not distinguish them. */
function bagTopics(channels: readonly OpenChannel[]): BagTopic[] {
  const topics = new Map<string, BagTopic>();
  for (const { channel, count, carried } of channels) {
    const { topic, encoding, schema, metadata } = channel;
    // rosbag2 refuses to play types that it cannot deserialize; this list has the ones that it can.
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
