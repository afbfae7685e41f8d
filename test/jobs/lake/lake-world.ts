import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { present } from '../../../src/core/present.js';
import { EncodePool } from '../../../src/jobs/export/encode-pool.js';
import { parseLakeLayout, type LakeLayout } from '../../../src/settings/lake-layout.js';
import { ParquetDeriver } from '../../../src/jobs/lake/parquet-deriver.js';
import type { FileSystem } from '../../../src/core/file-system.js';
import {
  encodeGenericEvent,
  genericEventSchema,
  type GenericEvent,
} from '../../../src/core/generic-event.js';
import type { ManifestChannel } from '../../../src/core/manifest.js';
import { CARRIED_KEY } from '../../../src/core/mcap/definitions.js';
import type { Store } from '../../../src/core/store.js';
import type { Sink } from '../../../src/sync/sync-group.js';
import type { SinkSpec } from '../../../src/sync/sync-sink.js';
import type { Sealed, SyncWorld } from '../../sync/sync-world.js';
import { BufferWritable, cdrString } from '../../support/test-mcap.js';

/** 2026-11-28T08:00:00Z. */
export const EIGHT = 1_795_852_800_000_000_000n;
export const HOUR = 3_600_000_000_000n;

/** One encoding thread for all tests of a file; the last of them closes it. */
export const sharedPool = new EncodePool(1);

export interface TestEvent extends Partial<GenericEvent> {
  readonly logTime: bigint;
  /** In the stream. */
  readonly sequence: number;
  /** Instead of an envelope. */
  readonly bytes?: Uint8Array;
}

export interface TestText {
  readonly topic?: string;
  readonly logTime: bigint;
  readonly text: string;
  readonly carried?: boolean;
}

export function event(index: number, more: Partial<TestEvent> = {}): TestEvent {
  const timestampNs = EIGHT + BigInt(index) * 1_000_000n;
  return {
    timestampNs,
    logTime: timestampNs + 5n,
    eventTypeKey: index % 2 === 0 ? 'spawn' : 'collision',
    workerId: `w${index % 3}`,
    simulationId: 'sim-a',
    payloadFormatHint: 'application/json',
    eventPayload: Buffer.from(`{"n":${index}}`),
    sequence: index + 1,
    ...more,
  };
}

export const NATS = { nats_stream: 'events', nats_stream_created: '2026-11-01T00:00:00.000000001Z' };

/**
 * Seals a segment with events of a JetStream stream, texts on ordinary topics, a metadata record and
 * attachments of these names.
 */
export async function sealLake(
  world: SyncWorld,
  events: readonly TestEvent[],
  texts: readonly TestText[] = [],
  robot = 'r1',
  attachments: readonly string[] = [],
): Promise<Sealed> {
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out, chunkSize: 64 * 1024 });
  await writer.start({ profile: 'ros2', library: 'holdfast test' });
  await writer.addMetadata({ name: 'holdfast', metadata: new Map([['robot', robot]]) });
  await writer.addMetadata({ name: 'vehicle', metadata: new Map([['id', '7']]) });
  for (const name of attachments) {
    const data = Buffer.from(name);
    await writer.addAttachment({ name, mediaType: 'text/plain', logTime: EIGHT, createTime: EIGHT, data });
  }
  const eventSchema = await writer.registerSchema({ ...genericEventSchema });
  const textSchema = await writer.registerSchema({
    name: 'std_msgs/msg/String',
    encoding: 'ros2msg',
    data: Buffer.from('string data'),
  });
  const ids = new Map<string, number>();
  const idOf = async (topic: string, carried: boolean, isEvent: boolean): Promise<number> => {
    const key = `${topic} ${carried}`;
    let id = ids.get(key);
    if (id === undefined) {
      id = await writer.registerChannel({
        schemaId: isEvent ? eventSchema : textSchema,
        topic,
        messageEncoding: isEvent ? 'protobuf' : 'cdr',
        metadata: new Map(Object.entries(isEvent ? NATS : carried ? { [CARRIED_KEY]: 'true' } : {})),
      });
      ids.set(key, id);
    }
    return id;
  };
  for (const { logTime, sequence, bytes, ...fields } of events) {
    const blank = {
      timestampNs: 0n,
      eventTypeKey: '',
      workerId: '',
      simulationId: '',
      payloadFormatHint: '',
    };
    const data = bytes ?? encodeGenericEvent({ ...blank, eventPayload: new Uint8Array(0), ...fields });
    const channelId = await idOf('logging.events.raw', false, true);
    await writer.addMessage({ channelId, sequence, logTime, publishTime: logTime, data });
  }
  for (const { topic = '/r1/text', logTime, text, carried = false } of texts) {
    const channelId = await idOf(topic, carried, false);
    await writer.addMessage({ channelId, sequence: 0, logTime, publishTime: logTime, data: cdrString(text) });
  }
  await writer.end();
  const topics = [...new Set([...ids.keys()].map((key) => key.split(' ')[0]!))];
  const channels = topics.map(
    (topic) =>
      ({
        topic,
        type: '',
        encoding: 'cdr',
        schemaEncoding: 'ros2msg',
        latched: false,
        count: 1,
        bytes: 1,
        carried: 0,
      }) satisfies ManifestChannel,
  );
  return world.seal(0, { robot, data: Buffer.from(out.bytes()), manifest: { channels } });
}

export function layoutOf(topics?: string, events?: string): LakeLayout {
  const layout = parseLakeLayout(topics, events, (option, _text, allowed) => {
    throw new Error(`${option}: ${allowed}`);
  });
  return present(layout);
}

export function lakeSink(store: Store, more: Partial<SinkSpec> = {}, fileSystem: FileSystem = fs): Sink {
  const deriver = new ParquetDeriver(fileSystem, { layout: layoutOf(), pool: sharedPool });
  const spec: SinkSpec = {
    name: 'lake',
    kind: 'parquet',
    form: deriver.form,
    required: true,
    selection: {},
    deriver,
    ...more,
  };
  return { store, spec };
}

/** Paths below a folder that end so, sorted. */
export async function filesBelow(folder: string, end: string): Promise<string[]> {
  const names = await fs.readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith(end)).sort();
}

/** SHA-256 of every table file, by key. */
export async function digestsOf(folder: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const name of await filesBelow(folder, '.parquet')) {
    digests[name] = createHash('sha256')
      .update(await fs.readFile(join(folder, name)))
      .digest('hex');
  }
  return digests;
}
