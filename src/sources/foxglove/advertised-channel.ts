import { ros1, ros2jazzy } from '@foxglove/rosmsg-msgs-common';
import type { Channel as ProtocolChannel } from '@foxglove/ws-protocol';
import type { Channel, Schema } from '../../core/message.js';

/** As in the protocol, except for servers that leave the schema out. */
export type Advertised = Omit<ProtocolChannel, 'schema'> & { readonly schema?: string };

/** A channel as advertised, or its fault. */
export type AdvertisedChannel =
  { readonly value: Advertised } | { readonly fault: string; readonly topic?: string };

/** Checks one entry of an `advertise` message, which many kinds of servers write. */
export function readAdvertised(entry: unknown): AdvertisedChannel {
  if (typeof entry !== 'object' || entry === null) return { fault: 'a channel that is no object' };
  const { id, topic, encoding, schemaName, schema, schemaEncoding } = entry as Record<string, unknown>;
  const named = typeof topic === 'string' && topic !== '' ? { topic } : {};
  if (!Number.isInteger(id) || (id as number) < 0)
    return { fault: `channel id ${JSON.stringify(id)}`, ...named };
  if (named.topic === undefined) return { fault: `channel ${String(id)} has no topic` };
  for (const [name, value] of Object.entries({ encoding, schemaName })) {
    if (typeof value !== 'string') return { fault: `channel ${named.topic} has no ${name}`, ...named };
  }
  if (schema !== undefined && typeof schema !== 'string') {
    return { fault: `channel ${named.topic} has a schema that is no text`, ...named };
  }
  return { value: { ...(entry as Advertised), ...textOrNothing({ schemaEncoding }) } };
}

function textOrNothing(fields: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** The schema encoding that servers without `schemaEncoding` mean, by the encoding of the messages. */
const impliedSchemaEncodings: Readonly<Record<string, string>> = {
  cdr: 'ros2msg',
  ros1: 'ros1msg',
  json: 'jsonschema',
  protobuf: 'protobuf',
  flatbuffer: 'flatbuffer',
};
const BINARY_SCHEMAS: readonly string[] = ['protobuf', 'flatbuffer'];
/** In these encodings, a type without fields has an empty definition, such as std_msgs/msg/Empty. */
const MAY_BE_EMPTY: readonly string[] = ['ros2msg', 'ros1msg'];
/** Encodings whose messages cannot be decoded without a schema. */
const NEEDS_SCHEMA: readonly string[] = ['cdr', 'ros1', 'protobuf', 'flatbuffer'];

export interface SchemaReading {
  readonly schema: Schema;
  /** Why messages of this channel cannot be decoded later. */
  readonly problem?: string;
}

/** The schema as MCAP stores it: text for text formats, decoded bytes for binary ones. */
export function readSchema(channel: Advertised): SchemaReading {
  const { encoding, schemaName: name, schema: text } = channel;
  const declared = channel.schemaEncoding ?? '';
  const schemaEncoding = declared !== '' ? declared : (impliedSchemaEncodings[encoding] ?? '');
  const empty = Object.freeze({ name, encoding: '', data: new Uint8Array(0) });
  // Empty and declared is the definition of a type without fields; empty and undeclared may just be missing.
  const isMissing = text === '' && (!MAY_BE_EMPTY.includes(declared) || hasFields(name));
  if (text === undefined || isMissing) {
    return NEEDS_SCHEMA.includes(encoding)
      ? { schema: empty, problem: `the server sends no schema for ${encoding}` }
      : { schema: empty };
  }
  if (!BINARY_SCHEMAS.includes(schemaEncoding)) {
    return {
      schema: Object.freeze({ name, encoding: schemaEncoding, data: new TextEncoder().encode(text) }),
    };
  }
  const compact = text.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) {
    return { schema: empty, problem: `its ${schemaEncoding} schema is not base64` };
  }
  const data = Uint8Array.from(Buffer.from(compact, 'base64'));
  return { schema: Object.freeze({ name, encoding: schemaEncoding, data }) };
}

/** A common type that is known to have fields, so an empty text cannot be its definition. */
function hasFields(name: string): boolean {
  const short = name.replace('/msg/', '/');
  const common: readonly Readonly<Record<string, { readonly definitions: readonly unknown[] }>>[] = [
    ros2jazzy,
    ros1,
  ];
  return common.some((types) => (types[short]?.definitions.length ?? 0) > 0);
}

/**
 * The protocol does not report the durability of a topic. In ROS 2 these names are always transient-local,
 * and the recording is useless without them.
 */
const LATCHED_TOPIC = /(^|\/)(tf_static|robot_description)$/;

export function toRecorderChannel(advertised: Advertised, schema: Schema, robot: string): Channel {
  const { topic, encoding } = advertised;
  const metadata = metadataOf(advertised);
  const qos = metadata['offered_qos_profiles'] ?? '';
  const latched = LATCHED_TOPIC.test(topic) || /durability: *(transient_local|1)\b/.test(qos);
  return Object.freeze({ robot, topic, encoding, schema, metadata, latched });
}

/** Some servers send metadata with a channel, although version 1 of the protocol has none. */
function metadataOf(advertised: object): Readonly<Record<string, string>> {
  const { metadata } = advertised as { metadata?: unknown };
  if (typeof metadata !== 'object' || metadata === null) return Object.freeze({});
  return Object.freeze(textOrNothing(metadata as Record<string, unknown>));
}

/** Equal in everything that the recording keeps. */
export function sameChannel(a: Channel, b: Channel): boolean {
  return (
    a.robot === b.robot &&
    a.topic === b.topic &&
    a.encoding === b.encoding &&
    a.latched === b.latched &&
    a.schema.name === b.schema.name &&
    a.schema.encoding === b.schema.encoding &&
    Buffer.compare(a.schema.data, b.schema.data) === 0 &&
    JSON.stringify(a.metadata) === JSON.stringify(b.metadata)
  );
}
