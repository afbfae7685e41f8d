import { McapWriter, type IWritable } from '@mcap/core';
import zstd from '@foxglove/wasm-zstd';

/** An MCAP writer's output, in memory. */
export class BufferWritable implements IWritable {
  readonly #parts: Uint8Array[] = [];
  #position = 0n;

  write(buffer: Uint8Array): Promise<void> {
    this.#parts.push(Uint8Array.from(buffer));
    this.#position += BigInt(buffer.byteLength);
    return Promise.resolve();
  }
  position(): bigint {
    return this.#position;
  }
  bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

export interface TestTopic {
  readonly topic: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly payload?: (index: number) => Uint8Array;
}

export interface TestMcapOptions {
  readonly topics?: readonly TestTopic[];
  /** All topics together, in turn. Default 60. */
  readonly messages?: number;
  /** Default 10^9. */
  readonly firstTime?: bigint;
  /** Between messages. Default 1 ms. */
  readonly stepNs?: bigint;
  readonly logTime?: (index: number) => bigint;
  /** Default 2000; 0: no chunks. */
  readonly chunkBytes?: number;
  readonly zstd?: boolean;
  readonly summary?: boolean;
  readonly metadata?: readonly {
    readonly name: string;
    readonly metadata: Readonly<Record<string, string>>;
  }[];
}

/** A small MCAP with numbered messages. */
export async function testMcap(options: TestMcapOptions = {}): Promise<Uint8Array> {
  await zstd.isLoaded;
  const { topics = [{ topic: '/robot1/a' }, { topic: '/robot1/b' }], messages = 60 } = options;
  const { firstTime = 1_000_000_000n, stepNs = 1_000_000n, chunkBytes = 2000, summary = true } = options;
  const out = new BufferWritable();
  const writer = new McapWriter({
    writable: out,
    chunkSize: chunkBytes,
    useChunks: chunkBytes > 0,
    useStatistics: summary,
    useSummaryOffsets: summary,
    useChunkIndex: summary,
    useMetadataIndex: summary,
    useAttachmentIndex: summary,
    repeatSchemas: summary,
    repeatChannels: summary,
    ...(options.zstd === true
      ? {
          compressChunk: (data: Uint8Array) => ({
            compression: 'zstd',
            compressedData: zstd.compress(data, 1),
          }),
        }
      : {}),
  });
  await writer.start({ profile: 'ros2', library: 'test' });
  for (const { name, metadata } of options.metadata ?? []) {
    await writer.addMetadata({ name, metadata: new Map(Object.entries(metadata)) });
  }
  const schemaId = await writer.registerSchema({
    name: 'std_msgs/msg/String',
    encoding: 'ros2msg',
    data: Buffer.from('string data'),
  });
  const ids: number[] = [];
  for (const { topic, metadata } of topics) {
    const entries = Object.entries(metadata ?? {});
    ids.push(
      await writer.registerChannel({ schemaId, topic, messageEncoding: 'cdr', metadata: new Map(entries) }),
    );
  }
  for (let index = 0; index < messages; index++) {
    const which = index % topics.length;
    const logTime = options.logTime?.(index) ?? firstTime + BigInt(index) * stepNs;
    await writer.addMessage({
      channelId: ids[which]!,
      sequence: 0,
      logTime,
      publishTime: logTime - 1n,
      data: topics[which]!.payload?.(index) ?? cdrString(`message ${index} ${'x'.repeat(index % 50)}`),
    });
  }
  await writer.end();
  return out.bytes();
}

/** std_msgs/msg/String as little-endian CDR. */
export function cdrString(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  const data = Buffer.alloc(4 + 4 + bytes.byteLength + 1);
  data[1] = 1;
  data.writeUInt32LE(bytes.byteLength + 1, 4);
  bytes.copy(data, 8);
  return data;
}

/** JSON messages on one topic, in this order. */
export async function jsonMcap(payloads: readonly Uint8Array[]): Promise<Uint8Array> {
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out });
  await writer.start({ profile: '', library: 'test' });
  const channelId = await writer.registerChannel({
    schemaId: 0,
    topic: '/json',
    messageEncoding: 'json',
    metadata: new Map(),
  });
  for (const [index, data] of payloads.entries()) {
    const time = BigInt(index + 1);
    await writer.addMessage({ channelId, sequence: 0, logTime: time, publishTime: time, data });
  }
  await writer.end();
  return out.bytes();
}
