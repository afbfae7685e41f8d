import zstd from '@foxglove/wasm-zstd';
import { writeFile } from 'node:fs/promises';
import { McapWriter } from '@mcap/core';
import { BufferWritable, cdrString } from './test-mcap.js';

const MB = 1_000_000;

export interface HeavyMcapOptions {
  /** Default 4. */
  readonly chunks?: number;
  /** Of a chunk, uncompressed. Default 250 MB. */
  readonly chunkBytes?: number;
  /** Payload of a message. Default 1 MB. */
  readonly messageBytes?: number;
}

/**
 * A file of some 100 kB whose chunks decompress to 250 MB each, and all reach over the same time: the most work for a
 * reader that has to give the messages in order.
 */
export async function writeHeavyMcap(path: string, options: HeavyMcapOptions = {}): Promise<number> {
  const { chunks = 4, chunkBytes = 250 * MB, messageBytes = MB } = options;
  await zstd.isLoaded;
  const out = new BufferWritable();
  const writer = new McapWriter({
    writable: out,
    chunkSize: chunkBytes,
    compressChunk: (data) => ({ compression: 'zstd', compressedData: zstd.compress(data, 1) }),
  });
  await writer.start({ profile: 'ros2', library: 'test' });
  const data = cdrString('x'.repeat(messageBytes));
  const schemaId = await writer.registerSchema({
    name: 'std_msgs/msg/String',
    encoding: 'ros2msg',
    data: Buffer.from('string data'),
  });
  const channelId = await writer.registerChannel({
    schemaId,
    topic: '/heavy/data',
    messageEncoding: 'cdr',
    metadata: new Map(),
  });
  const perChunk = Math.ceil(chunkBytes / (data.byteLength + 31));
  for (let chunk = 0; chunk < chunks; chunk++) {
    for (let i = 0; i < perChunk; i++) {
      const logTime = 1_700_000_000_000_000_000n + BigInt(i * chunks + chunk) * MS;
      await writer.addMessage({ channelId, sequence: 0, logTime, publishTime: logTime, data });
    }
  }
  await writer.end();
  await writeFile(path, out.bytes());
  return chunks * perChunk;
}

const MS = 1_000_000n;
