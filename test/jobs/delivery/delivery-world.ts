import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import type { Delivery } from '../../../src/core/delivery.js';
import { makeDirectoryDurably } from '../../../src/core/durable-files.js';
import { silentLogger, type Logger } from '../../../src/core/logger.js';
import type { ManifestChannel } from '../../../src/core/manifest.js';
import { CARRIED_KEY } from '../../../src/core/mcap/definitions.js';
import type { SegmentDeriver } from '../../../src/core/segment-deriver.js';
import { PointsDeriver } from '../../../src/jobs/delivery/points-deriver.js';
import { parseFieldRule, type FieldRule } from '../../../src/settings/field-rule.js';
import { present } from '../../../src/core/present.js';
import { DeliveryStore } from '../../../src/stores/delivery/delivery-store.js';
import { DirectoryStore } from '../../../src/stores/directory/directory-store.js';
import type { Sink } from '../../../src/sync/sync-group.js';
import type { SinkSpec } from '../../../src/sync/sync-sink.js';
import { storePorts } from '../../support/store-ports.js';
import { BufferWritable } from '../../support/test-mcap.js';
import type { Sealed, SyncWorld } from '../../sync/sync-world.js';

/** 2026-11-28T08:00:00.000000001Z: no float64 of seconds, milliseconds or nanoseconds holds it. */
export const FIRST_NS = 1_795_852_800_000_000_001n;

/** One message `float64 x, float64 v` on a topic. */
export interface TestState {
  readonly topic?: string;
  readonly timeNs: bigint;
  readonly x: number;
  readonly v: number;
  readonly carried?: boolean;
  /** Instead of the message. */
  readonly bytes?: Uint8Array;
}

export const STATE_TYPE = 'demo_msgs/msg/State';

export function statePayload(x: number, v: number): Uint8Array {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt8(1, 1);
  bytes.writeDoubleLE(x, 4);
  bytes.writeDoubleLE(v, 12);
  return bytes;
}

/** States 10 ms apart with values that do not repeat. */
export function statesOf(count: number, topic = '/r1/state', firstNs = FIRST_NS): TestState[] {
  return Array.from({ length: count }, (_, i) => {
    return { topic, timeNs: firstNs + BigInt(i) * 10_000_000n, x: i / 3, v: -i * 7 };
  });
}

export async function sealStates(
  world: SyncWorld,
  states: readonly TestState[],
  more: { readonly robot?: string; readonly vin?: string; readonly type?: string } = {},
): Promise<Sealed> {
  const { robot = 'r1', vin, type = STATE_TYPE } = more;
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out, chunkSize: 64 * 1024 });
  await writer.start({ profile: 'ros2', library: 'holdfast test' });
  await writer.addMetadata({ name: 'holdfast', metadata: new Map([['robot', robot]]) });
  const data = Buffer.from('float64 x\nfloat64 v\n');
  const schemaId = await writer.registerSchema({ name: type, encoding: 'ros2msg', data });
  const ids = new Map<string, number>();
  for (const [sequence, state] of states.entries()) {
    const { topic = '/r1/state', timeNs, x, v, carried = false, bytes } = state;
    const key = `${topic} ${carried}`;
    let channelId = ids.get(key);
    if (channelId === undefined) {
      const metadata = new Map(carried ? [[CARRIED_KEY, 'true']] : []);
      channelId = await writer.registerChannel({ schemaId, topic, messageEncoding: 'cdr', metadata });
      ids.set(key, channelId);
    }
    const times = { logTime: timeNs, publishTime: timeNs };
    await writer.addMessage({ channelId, sequence, ...times, data: bytes ?? statePayload(x, v) });
  }
  await writer.end();
  const topics = [...new Set(states.map(({ topic = '/r1/state' }) => topic))];
  const channels = topics.map((topic): ManifestChannel => ({
    ...{ topic, type, encoding: 'cdr', schemaEncoding: 'ros2msg', latched: false },
    ...{ count: 1, bytes: 1, carried: 0 },
  }));
  const manifest = { channels, ...(vin !== undefined && { vin }) };
  return world.seal(0, { robot, data: Buffer.from(out.bytes()), manifest });
}

/** Every value of `x` and `v`. */
export const everyValue: readonly FieldRule[] = [
  '*.x threshold=0 rate=1000 unit=m',
  '*.v threshold=0 rate=1000',
].map((text) => present(parseFieldRule(text)));

/** A sink of points or messages, with its records in the data folder as the command keeps them. */
export function deliverySink(
  world: SyncWorld,
  delivery: Delivery,
  deriver: SegmentDeriver & { readonly form: string } = pointsOf(),
  more: Partial<SinkSpec> = {},
): Sink {
  const records = new DirectoryStore(join(world.folder.sinks, 'delivered'), storePorts);
  const isNeeded = async (name: string): Promise<boolean> => {
    const files = await fs.readdir(world.folder.sealed);
    return files.includes(`${name}.json`);
  };
  return {
    spec: {
      ...{ name: 'points', kind: 'influx', form: deriver.form, required: true, selection: {}, deriver },
      ...{ partial: true, ...more },
    },
    store: new DeliveryStore({
      ...{ delivery, records, isNeeded },
      makeParent: () => makeDirectoryDurably(fs, world.folder.sinks),
    }),
  };
}

export function pointsOf(rules = everyValue, logger: Logger = silentLogger): PointsDeriver {
  return new PointsDeriver(fs, { rules }, logger);
}

/** Takes batches and remembers them; `refuse` may throw instead. */
export class MemoryDelivery implements Delivery {
  readonly uri = `influx:memory?db=${randomBytes(4).toString('hex')}`;
  readonly batches: Uint8Array[] = [];
  refuse: (batch: number) => Promise<void> | void = () => undefined;

  async probe(): Promise<void> {}

  async deliver(batch: Uint8Array): Promise<void> {
    await this.refuse(this.batches.length);
    this.batches.push(Buffer.from(batch));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
