import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { defined } from '../../core/defined.js';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { decodeManifest, encodeManifest, manifestKey, type Manifest } from '../../core/manifest.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { openMcap, type McapReader } from '../../core/mcap/open-mcap.js';
import { takeOverRecords } from '../../core/mcap/other-records.js';
import type { AttachmentRecord, MetadataRecord } from '../../core/mcap/records.js';
import { serializedMetadata, type BagTopic } from '../../core/mcap/rosbag2-metadata.js';
import { matches } from '../../core/name-pattern.js';
import { present } from '../../core/present.js';
import type {
  Derived,
  DerivedMarker,
  ListedObject,
  MarkerVerdict,
  SegmentDeriver,
} from '../../core/segment-deriver.js';
import { chunkCompressor } from '../../seal/compression.js';
import { DigestFile } from '../../seal/digest-file.js';
import { FilePool } from '../../recordings/file-readable.js';
import { mergeRuns } from '../../recordings/merged-messages.js';

const CHUNK_BYTES = 1024 * 1024;
const ZSTD_LEVEL = 1;
/** In addition to what {@link takeOverRecords} copies. */
const KEPT_METADATA = ['holdfast', 'holdfast_gap'];

/**
 * A sealed file with some topics only: a complete segment under the key and id of the original, which every
 * reader of recordings understands.
 */
export class TopicsDeriver implements SegmentDeriver {
  readonly form: string;

  readonly #fs: FileSystem;
  readonly #topics: readonly string[];

  constructor(fs: FileSystem, topics: readonly string[]) {
    this.#fs = fs;
    this.#topics = topics;
    const digest = createHash('sha256')
      .update(JSON.stringify([1, topics]))
      .digest('hex');
    this.form = `mcap-${digest.slice(0, 12)}`;
  }

  markerKey(manifest: Manifest): string {
    return manifestKey(manifest.key);
  }

  judge(marker: Buffer, manifest: Manifest): MarkerVerdict {
    let found: Manifest;
    try {
      found = decodeManifest(marker.toString('utf8'), this.markerKey(manifest));
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      return 'torn';
    }
    if (found.segment.id !== manifest.segment.id || found.robot !== manifest.robot) return 'other';
    return found.evicted ? 'evicted' : 'complete';
  }

  files(marker: Buffer): readonly ListedObject[] {
    const { key, file } = decodeManifest(marker.toString('utf8'), 'the marker of a file of topics');
    return [{ key, bytes: file.bytes, crc32: file.crc32, ...defined({ sha256: file.sha256 }) }];
  }

  /** Sealed files are never put together. */
  replacements(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  tombstone(manifest: Manifest): DerivedMarker {
    return { key: this.markerKey(manifest), text: encodeManifest(manifest) };
  }

  async derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived> {
    await using files = new FilePool(this.#fs);
    const readable = files.readable(path);
    const reader = await openMcap(readable, path);
    const target = join(scratch, manifest.file.name);
    await using handle = await this.#fs.open(target, 'w');
    const out = new TopicsWriter(new DigestFile(handle), await chunkCompressor('zstd', ZSTD_LEVEL));
    await out.start(reader);
    const runs = mergeRuns([{ name: path, bytes: manifest.file.bytes, readable: () => readable }], {
      filter: { topics: this.#topics },
      onProblem: ({ reason }) => {
        throw new HoldfastError('SEGMENT_CORRUPT', `${path}: ${reason}`, { facts: { name: path } });
      },
      signal,
    });
    for await (const { messages } of runs) for (const message of messages) await out.add(message);
    const digest = await out.finish();
    const kept = keep(manifest, this.#topics);
    const text = encodeManifest({ ...kept, file: { ...manifest.file, ...digest, compression: 'zstd' } });
    return {
      files: [{ key: manifest.key, path: target, ...digest }],
      marker: { key: this.markerKey(manifest), text },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The manifest of the rest; gaps of all topics stay. */
function keep(manifest: Manifest, topics: readonly string[]): Manifest {
  const { firstLogTime: _first, lastLogTime: _last, ...rest } = manifest;
  const channels = manifest.channels.filter(({ topic }) => matches(topics, topic));
  const times = channels.flatMap(({ firstLogTime, lastLogTime }) =>
    firstLogTime === undefined || lastLogTime === undefined
      ? []
      : [BigInt(firstLogTime), BigInt(lastLogTime)],
  );
  const first = times.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
  const last = times.reduce<bigint | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined);
  return {
    ...rest,
    channels,
    messages: channels.reduce((sum, { count }) => sum + count, 0),
    payloadBytes: channels.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(first === undefined ? {} : { firstLogTime: String(first) }),
    ...(last === undefined ? {} : { lastLogTime: String(last) }),
  };
}

/** Copies messages with their channels unchanged, including the carried mark. */
class TopicsWriter {
  readonly #writer: McapWriter;
  readonly #channels = new Map<McapChannel, { readonly id: number; messages: number }>();
  readonly #schemas = new Map<string, number>();
  #first: bigint | undefined;
  #last: bigint | undefined;

  constructor(
    readonly file: DigestFile,
    compressChunk: Awaited<ReturnType<typeof chunkCompressor>>,
  ) {
    this.#writer = new McapWriter({
      writable: file,
      chunkSize: CHUNK_BYTES,
      ...(compressChunk ? { compressChunk } : {}),
    });
  }

  async start(reader: McapReader): Promise<void> {
    await this.#writer.start({ profile: 'ros2', library: reader.library });
    for (const name of KEPT_METADATA) {
      for (const { metadata } of await reader.metadata(name)) {
        await this.#writer.addMetadata({ name, metadata: new Map(Object.entries(metadata)) });
      }
    }
    const taker = {
      addMetadata: ({ name, metadata }: MetadataRecord) =>
        this.#writer.addMetadata({ name, metadata: new Map(Object.entries(metadata)) }),
      addAttachment: (attachment: AttachmentRecord) => this.#writer.addAttachment(attachment),
    };
    await takeOverRecords(reader, taker, (reason) => {
      throw new HoldfastError('SEGMENT_CORRUPT', `${reader.name}: ${reason}`, {
        facts: { name: reader.name },
      });
    });
  }

  async add({ channel, sequence, logTime, publishTime, data }: McapMessage): Promise<void> {
    let out = this.#channels.get(channel);
    if (!out) this.#channels.set(channel, (out = { id: await this.#register(channel), messages: 0 }));
    out.messages++;
    if (this.#first === undefined || logTime < this.#first) this.#first = logTime;
    if (this.#last === undefined || logTime > this.#last) this.#last = logTime;
    await this.#writer.addMessage({ channelId: out.id, sequence, logTime, publishTime, data });
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
