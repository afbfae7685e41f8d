import { gapFromJson, type Gap } from '../../core/gap.js';
import { decodeManifest, type Manifest } from '../../core/manifest.js';
import { numberingKey } from '../../core/message.js';
import { openMcap } from '../../core/mcap/open-mcap.js';
import type { Store } from '../../core/store.js';
import { storeReadable } from '../../recordings/store-readable.js';
import { SequenceSet } from './sequence-set.js';

/** The content of the store for one numbered topic. */
export interface TopicCensus {
  readonly seen: SequenceSet;
  duplicates: number;
  /** Numbers whose publish time is wanted, and the times found. */
  readonly watched: Set<number>;
  readonly stamps: Map<number, bigint>;
}

/** Everything that a store really holds, counted from the objects themselves. */
export interface StoreCensus {
  readonly topics: ReadonlyMap<string, TopicCensus>;
  /** By gap id: the same gap in two objects counts once. */
  readonly gaps: readonly Gap[];
  readonly manifests: readonly Manifest[];
  readonly objects: number;
  readonly bytes: number;
  readonly messages: number;
}

/** Reads every manifest, then every message number of every object under a store's prefix. */
export async function takeCensus(
  store: Store,
  onObject?: (done: number, all: number) => void,
): Promise<StoreCensus> {
  const topics = new Map<string, TopicCensus>();
  const gaps = new Map<string, Gap>();
  const manifests: Manifest[] = [];
  for await (const { key } of store.list('')) {
    if (key.endsWith('.json')) manifests.push(await readManifest(store, key));
  }
  for (const manifest of manifests) {
    for (const gap of manifest.gaps) gaps.set(`${manifest.robot}\0${gap.id}`, gapFromJson(gap));
  }
  for (const { robot, topic, firstSourceSequence: first } of gaps.values()) {
    // The message before a gap shows when it began.
    if (topic !== undefined && first !== undefined) topicOf(topics, robot, topic).watched.add(first - 1);
  }
  const objects = manifests.filter((manifest) => !manifest.evicted);
  let messages = 0;
  for (const [index, manifest] of objects.entries()) {
    messages += await countObject(store, manifest, topics);
    onObject?.(index + 1, objects.length);
  }
  const bytes = objects.reduce((sum, { file }) => sum + file.bytes, 0);
  return { topics, gaps: [...gaps.values()], manifests, objects: objects.length, bytes, messages };
}

async function readManifest(store: Store, key: string): Promise<Manifest> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.read(key)) pieces.push(piece);
  return decodeManifest(Buffer.concat(pieces).toString('utf8'), key);
}

function topicOf(topics: Map<string, TopicCensus>, robot: string, topic: string): TopicCensus {
  const key = numberingKey(robot, topic);
  let census = topics.get(key);
  if (!census)
    topics.set(
      key,
      (census = { seen: new SequenceSet(), duplicates: 0, watched: new Set(), stamps: new Map() }),
    );
  return census;
}

async function countObject(
  store: Store,
  manifest: Manifest,
  topics: Map<string, TopicCensus>,
): Promise<number> {
  const reader = await openMcap(storeReadable(store, manifest.key, manifest.file.bytes), manifest.key);
  let messages = 0;
  const byChannel = new Map<number, TopicCensus>();
  for (const channel of reader.channels) {
    // Carried messages are repetitions by design.
    if (!channel.carried) byChannel.set(channel.id, topicOf(topics, manifest.robot, channel.topic));
  }
  for await (const { channel, sequence, publishTime } of reader.messages()) {
    const census = byChannel.get(channel.id);
    if (!census) continue;
    messages++;
    if (!census.seen.add(sequence)) census.duplicates++;
    if (census.watched.has(sequence)) census.stamps.set(sequence, publishTime);
  }
  return messages;
}
