// Makes the recordings the export benchmark reads: export-recording KIND PAYLOAD_BYTES PATH; prints one JSON line.
import { closeSync, openSync, writeSync } from 'node:fs';
import { McapWriter } from '@mcap/core';
import zstd from '@foxglove/wasm-zstd';
import { Fleet } from '../src/simulation/fleet.js';
import { topicKinds } from '../src/simulation/robot-topics.js';

const [kind = '', bytesText = '', path = ''] = process.argv.slice(2);
const CHUNK_BYTES = 1024 * 1024;

await zstd.isLoaded;
const fleet = new Fleet({
  robots: 4,
  seed: 1,
  startNs: 1_795_222_800_000_000_000n,
  scale: 1,
  imuHz: 200,
  cameraKb: 60,
  topics: kind === 'imu' ? ['imu'] : topicKinds,
});
const file = openSync(path, 'w');
let position = 0n;
const writer = new McapWriter({
  writable: {
    position: () => position,
    write: (buffer) => {
      writeSync(file, buffer);
      position += BigInt(buffer.byteLength);
      return Promise.resolve();
    },
  },
  chunkSize: CHUNK_BYTES,
  compressChunk: (data) => ({ compression: 'zstd', compressedData: zstd.compress(data, 1) }),
});
await writer.start({ profile: 'ros2', library: 'bench' });
const schemas = new Map<string, number>();
const channels: number[] = [];
for (const { topic, encoding, schema, metadata } of fleet.channels) {
  let schemaId = schemas.get(schema.name);
  if (schemaId === undefined) schemas.set(schema.name, (schemaId = await writer.registerSchema(schema)));
  const entries = new Map(Object.entries(metadata));
  channels.push(
    await writer.registerChannel({ schemaId, topic, messageEncoding: encoding, metadata: entries }),
  );
}
let payload = 0;
let messages = 0;
while (payload < Number(bytesText)) {
  for (const { channel, sequence, stamp, data } of fleet.step()) {
    const channelId = channels[channel]!;
    await writer.addMessage({ channelId, sequence, logTime: stamp, publishTime: stamp, data });
    payload += data.byteLength;
    messages++;
  }
}
await writer.end();
closeSync(file);
console.log(JSON.stringify({ messages, payload, bytes: Number(position) }));
