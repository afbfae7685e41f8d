import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { McapWriter } from '@mcap/core';
import { silentLogger } from '../../../src/core/logger.js';
import type { Manifest, ManifestChannel } from '../../../src/core/manifest.js';
import type { McapMessage } from '../../../src/core/mcap/block.js';
import { ros2Schema } from '../../../src/core/ros/schemas.js';
import { present } from '../../../src/core/present.js';
import type { Recipient } from '../../../src/encryption/wrapped-key.js';
import { MarkKeeper } from '../../../src/jobs/transform/mark-keeper.js';
import { SegmentTransformer } from '../../../src/jobs/transform/segment-transformer.js';
import { TransformCache } from '../../../src/jobs/transform/transform-cache.js';
import { TransformDeriver } from '../../../src/jobs/transform/transform-deriver.js';
import { mergeRuns } from '../../../src/recordings/merged-messages.js';
import { storeReadable } from '../../../src/recordings/store-readable.js';
import { soleSink, type SinkSpec } from '../../../src/sync/sync-sink.js';
import type { MemoryStore } from '../../support/memory-store.js';
import { BufferWritable, cdrString, testMcap } from '../../support/test-mcap.js';
import type { Sealed, SyncWorld } from '../../sync/sync-world.js';

/** Every other text of {@link sealTexts}. */
export const SECRET = 'Ann Example, 12 Private Road';
const EIGHT = 1_795_852_800_000_000_000n;
/** Larger than what a test makes. */
export const CACHE_BYTES = 1024 * 1024;

/** The rules of `sync.transform`, with a cache. */
export function transformer(
  rules: readonly string[],
  cacheBytes = CACHE_BYTES,
  recipients: readonly Recipient[] = [],
): SegmentTransformer {
  const settings = { rules, hashKey: Buffer.from('a key of a fleet'), recipients };
  return new SegmentTransformer(settings, new TransformCache(fs, silentLogger, settings, cacheBytes));
}

/** The same for rules with this model. What it marks goes into `events/`. */
export async function inferring(
  rules: readonly string[],
  model: string,
  cacheBytes = CACHE_BYTES,
): Promise<SegmentTransformer> {
  const sha256 = createHash('sha256')
    .update(await fs.readFile(model))
    .digest('hex');
  const settings = { rules, hashKey: Buffer.alloc(0), recipients: [], models: { [model]: sha256 } };
  const cache = new TransformCache(fs, silentLogger, settings, cacheBytes);
  return new SegmentTransformer(settings, cache, new MarkKeeper(fs, silentLogger));
}

/** A sink that gets what they make. */
export function sinkOf(work: SegmentTransformer, more: Partial<SinkSpec> = {}): SinkSpec {
  const deriver = new TransformDeriver(work);
  return { ...soleSink, form: deriver.form, deriver, transform: () => [], partial: true, ...more };
}

/**
 * Texts on these topics in turn; every other one is the secret.
 *
 * @param isDated - The manifest has the times of the messages. Default: those of {@link SyncWorld.seal}.
 */
export async function sealTexts(
  world: SyncWorld,
  topics: readonly string[] = ['/driver', '/speed'],
  isDated = false,
): Promise<Sealed> {
  const payloads = Array.from({ length: 40 }, (_, index) =>
    cdrString(index % 2 === 0 ? SECRET : `${index} km/h`),
  );
  const data = await testMcap({
    topics: topics.map((topic) => ({ topic, payload: (index) => present(payloads[index]) })),
    ...{ messages: payloads.length, firstTime: EIGHT, stepNs: 1n },
  });
  const channels = topics.map((topic, at): ManifestChannel => {
    const own = payloads.filter((_, index) => index % topics.length === at);
    return {
      ...{ topic, type: 'std_msgs/msg/String', encoding: 'cdr', schemaEncoding: 'ros2msg', latched: false },
      ...{ count: own.length, bytes: own.reduce((sum, one) => sum + one.byteLength, 0), carried: 0 },
    };
  });
  const payloadBytes = channels.reduce((sum, { bytes }) => sum + bytes, 0);
  const times = { firstLogTime: String(EIGHT), lastLogTime: String(EIGHT + BigInt(payloads.length - 1)) };
  const manifest = { channels, messages: payloads.length, payloadBytes, ...(isDated ? times : {}) };
  return world.seal(0, { data: Buffer.from(data), manifest });
}

/** The messages of a segment in a store. */
export async function messagesIn(store: MemoryStore, { key, file }: Manifest): Promise<McapMessage[]> {
  const readable = (): ReturnType<typeof storeReadable> => storeReadable(store, key, file.bytes);
  const messages: McapMessage[] = [];
  const onProblem = ({ reason }: { readonly reason: string }): never => {
    throw new Error(reason);
  };
  for await (const run of mergeRuns([{ name: key, bytes: file.bytes, readable }], {
    filter: {},
    onProblem,
  })) {
    messages.push(...run.messages);
  }
  return messages;
}

/** The messages of a topic, 1 ms after each other. */
export interface TypedTopic {
  readonly topic: string;
  /** `pkg/Type` of the common definitions. */
  readonly type: string;
  readonly payloads: readonly Uint8Array[];
}

/** A segment with messages of these types. */
export async function sealTyped(world: SyncWorld, topics: readonly TypedTopic[]): Promise<Sealed> {
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out });
  await writer.start({ profile: 'ros2', library: 'test' });
  const channels: ManifestChannel[] = [];
  for (const { topic, type, payloads } of topics) {
    const schema = ros2Schema(type);
    const schemaId = await writer.registerSchema({ ...schema });
    const channelId = await writer.registerChannel({
      ...{ schemaId, topic, messageEncoding: 'cdr', metadata: new Map() },
    });
    for (const [sequence, data] of payloads.entries()) {
      const logTime = EIGHT + BigInt(sequence) * 1_000_000n;
      await writer.addMessage({ channelId, sequence, logTime, publishTime: logTime, data });
    }
    channels.push({
      ...{ topic, type: schema.name, encoding: 'cdr', schemaEncoding: 'ros2msg', latched: false, carried: 0 },
      ...{ count: payloads.length, bytes: payloads.reduce((sum, one) => sum + one.byteLength, 0) },
    });
  }
  await writer.end();
  const [messages, payloadBytes] = (['count', 'bytes'] as const).map((name) =>
    channels.reduce((sum, channel) => sum + channel[name], 0),
  ) as [number, number];
  return world.seal(0, { data: Buffer.from(out.bytes()), manifest: { channels, messages, payloadBytes } });
}
