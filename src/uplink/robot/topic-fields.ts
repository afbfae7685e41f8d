import { describeError } from '../../core/errors.js';
import type { Channel } from '../../core/message.js';
import { matches } from '../../core/name-pattern.js';
import { MessageFields } from '../../recordings/quality/message-fields.js';
import type { FieldRule } from '../../settings/field-rule.js';
import { quantumOf, type FieldSpec } from '../protocol/field-spec.js';

/** Reads one number of the message that was decoded last. */
export type NumberReader = () => number;

/** A field of a channel: how the ground knows it, and how to read it. */
export interface TopicField {
  readonly spec: FieldSpec;
  readonly read: NumberReader;
}

/** What the rules choose in one channel. */
export interface TopicFields {
  readonly fields: readonly TopicField[];
  /** Makes the readers read this message. Throws an Error with what does not fit. */
  decode(payload: Uint8Array): void;
}

/**
 * Finds the fields of a channel that rules choose; for each path the first matching rule counts. Undefined: none.
 * Throws an Error that says why a channel that rules choose cannot be decoded.
 */
export function fieldsOf(
  channel: Channel,
  rules: readonly FieldRule[],
  tickNs: number,
): TopicFields | undefined {
  const type = fullTypeName(channel.schema.name);
  const chosen = rules.filter((rule) => matches([rule.topic], channel.topic) && (rule.type ?? type) === type);
  if (chosen.length === 0) return undefined;
  if (channel.encoding !== 'cdr' || channel.schema.encoding !== 'ros2msg')
    throw new Error(`only CDR described by ros2msg is decoded, not "${channel.encoding}"`);
  const message = openFields(channel);
  const fields: TopicField[] = [];
  for (const rule of chosen) {
    if (fields.some(({ spec }) => spec.path === rule.path)) continue;
    const read = readerOf(message, rule.path);
    if (read === undefined) {
      if (rule.type === undefined) throw new Error(`${channel.schema.name} has no number ${rule.path}`);
      continue;
    }
    const { scale } = rule;
    fields.push({ spec: specOf(channel.topic, rule, tickNs), read: () => read() * scale });
  }
  return { fields, decode: (payload) => void message.decode(payload) };
}

/** `pkg/Type` and `pkg/msg/Type` are the same type: the second form. */
export function fullTypeName(name: string): string {
  const parts = name.split('/');
  return parts.length === 2 ? parts.join('/msg/') : name;
}

function openFields(channel: Channel): MessageFields {
  try {
    return new MessageFields(channel.schema);
  } catch (error) {
    throw new Error(`the definition of ${channel.schema.name} cannot be used: ${describeError(error)}`, {
      cause: error,
    });
  }
}

function readerOf(message: MessageFields, path: string): NumberReader | undefined {
  const indexOf = (name: string): number =>
    message.fields.findIndex((one) => one.name === name && !one.listed);
  const index = indexOf(path);
  if (index >= 0) return () => message.value(index);
  if (!path.endsWith('.yaw')) return undefined;
  const quaternion = ['x', 'y', 'z', 'w'].map((part) => indexOf(`${path.slice(0, -'yaw'.length)}${part}`));
  if (quaternion.some((part) => part < 0)) return undefined;
  return () => yawOf(quaternion.map((part) => message.value(part)));
}

/** Rotation about the vertical axis, radians counter-clockwise; NaN for a quaternion that is not set. */
function yawOf(quaternion: readonly number[]): number {
  const [x, y, z, w] = quaternion as [number, number, number, number];
  if (x === 0 && y === 0 && z === 0 && w === 0) return NaN;
  return Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
}

function specOf(topic: string, rule: FieldRule, tickNs: number): FieldSpec {
  const { path, unit, threshold, predictor, period, scale } = rule;
  const everyTicks = Math.max(1, Math.round(1e9 / tickNs / rule.rateHz));
  const scaled = scale === 1 ? {} : { scale };
  const sent = { threshold, quantum: quantumOf(threshold), everyTicks, predictor, ...scaled };
  const spec = { topic, path, unit, ...sent };
  return period === undefined ? spec : { ...spec, circle: { period, lowest: -period / 2 } };
}
