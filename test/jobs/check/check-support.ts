import { parse } from '@foxglove/rosmsg';
import { MessageWriter } from '@foxglove/rosmsg2-serialization';
import { McapWriter } from '@mcap/core';
import { present } from '../../../src/core/present.js';
import { defined } from '../../../src/core/defined.js';
import type { CheckRule } from '../../../src/jobs/check/check-rule.js';
import type { CheckFinding } from '../../../src/jobs/check/finding-ledger.js';
import { loadRules } from '../../../src/jobs/check/load-rules.js';
import { parseRules } from '../../../src/jobs/check/parse-rules.js';
import { runCheck, type CheckReport } from '../../../src/jobs/check/run-check.js';
import type { MessageFilter } from '../../../src/recordings/message-filter.js';
import type { Segment } from '../../../src/recordings/segments.js';
import { gapToJson, type Gap } from '../../../src/core/gap.js';
import { bytesReadable } from '../../../src/core/mcap/readable.js';
import { BufferWritable } from '../../support/test-mcap.js';

export const MS = 1_000_000n;
export const S = 1_000_000_000n;
export const START = 1_800_000_000n * S;

const header = `${'='.repeat(80)}\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n${'='.repeat(80)}
MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec`;
const vector = `${'='.repeat(80)}\nMSG: geometry_msgs/Vector3\nfloat64 x\nfloat64 y\nfloat64 z`;
export const definitions = {
  'sensor_msgs/msg/Imu': `std_msgs/Header header\ngeometry_msgs/Vector3 angular_velocity
geometry_msgs/Vector3 linear_acceleration\n${header}\n${vector}`,
  'sensor_msgs/msg/CompressedImage': `std_msgs/Header header\nstring format\nuint8[] data\n${header}`,
  'sensor_msgs/msg/LaserScan': `std_msgs/Header header\nfloat32[] ranges\n${header}`,
} as const;
type Type = keyof typeof definitions;

const writers = new Map(
  Object.entries(definitions).map(([type, text]) => [type, new MessageWriter(parse(text, { ros2: true }))]),
);

/** One message of a made-up recording; tests change or take out what they like. */
export interface MadeMessage {
  topic: string;
  type: Type;
  logTime: bigint;
  stamp: bigint;
  sequence?: number;
  value: Record<string, unknown>;
  /** Instead of what `value` would give. */
  payload?: Uint8Array;
}

export function payloadOf({ type, stamp, value, payload }: MadeMessage): Uint8Array {
  if (payload !== undefined) return payload;
  const time = { sec: Number(stamp / S), nanosec: Number(stamp % S) };
  return present(writers.get(type)).writeMessage({ header: { stamp: time, frame_id: 'base' }, ...value });
}

/** Values that never repeat and never stand out. */
export function wobble(index: number, salt: number): number {
  return Math.sin(index * 0.7 + salt) + Math.sin(index * 0.31 + 2 * salt) / 3 + index * 1e-9;
}

/** Two robots for 12 s: an IMU at 50 Hz, a camera at 10 Hz and a scan at 5 Hz each, received 2 ms after their stamps. */
export function cleanDrive(): MadeMessage[] {
  const messages: MadeMessage[] = [];
  const add = (
    topic: string,
    type: Type,
    hz: number,
    value: (index: number) => Record<string, unknown>,
  ): void => {
    for (let index = 0; index < 12 * hz; index++) {
      const stamp = START + (BigInt(index) * S) / BigInt(hz);
      messages.push({ topic, type, stamp, logTime: stamp + 2n * MS, value: value(index) });
    }
  };
  for (const [salt, robot] of ['r1', 'r2'].entries()) {
    add(`/${robot}/imu`, 'sensor_msgs/msg/Imu', 50, (i) => ({
      angular_velocity: { x: wobble(i, salt), y: wobble(i, salt + 3), z: wobble(i, salt + 5) },
      linear_acceleration: { x: wobble(i, salt + 7), y: wobble(i, salt + 9), z: 9.81 + wobble(i, salt + 11) },
    }));
    add(`/${robot}/camera`, 'sensor_msgs/msg/CompressedImage', 10, (i) => ({
      format: 'jpeg',
      data: Uint8Array.from({ length: 100 }, (_, at) => (i * 31 + at * 7 + salt) % 251),
    }));
    add(`/${robot}/scan`, 'sensor_msgs/msg/LaserScan', 5, (i) => ({
      ranges: [1 + wobble(i, salt), Infinity],
    }));
  }
  return messages;
}

export interface MadeRecording {
  readonly messages: readonly MadeMessage[];
  readonly gaps?: readonly Gap[];
  readonly robot?: string;
  readonly clockSteps?: Segment['clockSteps'];
  /** Cut off, as by a kill: without an end. */
  readonly cutBytes?: number;
}

export async function madeSegment(made: MadeRecording, name = 'made.mcap'): Promise<Segment> {
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out, chunkSize: 20_000 });
  await writer.start({ profile: 'ros2', library: 'test' });
  for (const gap of made.gaps ?? []) {
    await writer.addMetadata({
      name: 'holdfast_gap',
      metadata: new Map([['json', JSON.stringify(gapToJson(gap))]]),
    });
  }
  const channels = new Map<string, number>();
  const messages = [...made.messages].sort((a, b) =>
    a.logTime < b.logTime ? -1 : a.logTime > b.logTime ? 1 : 0,
  );
  for (const message of messages) {
    const { topic, type, logTime, stamp, sequence = 0 } = message;
    let channelId = channels.get(topic);
    if (channelId === undefined) {
      const schema = { name: type, encoding: 'ros2msg', data: Buffer.from(definitions[type]) };
      const schemaId = await writer.registerSchema(schema);
      channelId = await writer.registerChannel({
        schemaId,
        topic,
        messageEncoding: 'cdr',
        metadata: new Map(),
      });
      channels.set(topic, channelId);
    }
    await writer.addMessage({ channelId, sequence, logTime, publishTime: stamp, data: payloadOf(message) });
  }
  await writer.end();
  const bytes = out.bytes().subarray(0, made.cutBytes === undefined ? undefined : -made.cutBytes);
  return {
    name,
    bytes: bytes.byteLength,
    ...defined({ robot: made.robot, clockSteps: made.clockSteps }),
    readable: () => bytesReadable(bytes),
  };
}

/** Rules written as YAML, without those that come with it. */
export function rulesOf(text: string): readonly CheckRule[] {
  const { rules, faults } = parseRules(`version: 1\nrules:\n${text}`, 'rules.yaml');
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  return rules;
}

export async function check(
  made: MadeRecording,
  { rules, filter = {} }: { rules?: readonly CheckRule[]; filter?: MessageFilter } = {},
): Promise<CheckReport> {
  return runCheck({ segments: [await madeSegment(made)], rules: rules ?? (await loadRules()), filter });
}

/** What a finding says, without its words: time in milliseconds since the start. */
export function brief({
  rule,
  robot,
  topic,
  field,
  from,
  to,
  count,
  value,
}: CheckFinding): Record<string, unknown> {
  const ms = (time: string): number => Number(BigInt(time) - START) / 1e6;
  return {
    rule,
    ...(robot === '' ? {} : { robot }),
    ...defined({ topic, field }),
    ...(from === undefined ? {} : { fromMs: ms(from) }),
    ...(to === undefined ? {} : { toMs: ms(to) }),
    ...defined({ count }),
    ...(value === undefined ? {} : { value: Number(value.toPrecision(9)) }),
  };
}
