import { createHash } from 'node:crypto';

/** How a queue behaves when a message does not fit. `block` needs a source that can wait. */
export type QueuePolicy = 'drop-oldest' | 'drop-newest' | 'block';

/** Under memory pressure the lowest class is dropped first; a class may have segments of its own. */
export type Priority = 'high' | 'normal' | 'low';

/** What a reader needs to decode the payloads of a channel. */
export interface Schema {
  /** ROS form `pkg/msg/Type` for `ros2msg`. */
  readonly name: string;
  /** `ros2msg`, `ros2idl`, `jsonschema`, `protobuf`, or empty where the payload is self-describing. */
  readonly encoding: string;
  readonly data: Uint8Array;
}

/**
 * Topic + type + encoding + robot (MCAP's sense). A source creates one frozen object per channel and
 * refers to it from every message; two objects with the same {@link channelKey} are the same channel.
 */
export interface Channel {
  readonly robot: string;
  readonly topic: string;
  /** Payload encoding: `cdr`, `json`, `protobuf`, ... */
  readonly encoding: string;
  readonly schema: Schema;
  /** Goes into the MCAP channel: `offered_qos_profiles` (YAML), `topic_type_hash`, ... */
  readonly metadata: Readonly<Record<string, string>>;
  /** Transient-local: the latest messages are carried into every segment. */
  readonly latched: boolean;
  /**
   * Set where `sourceSequence` says which message it is instead of counting the channel's: the name of the
   * numbering it belongs to. The same number of the same numbering is the same message, and is recorded once;
   * a number that is skipped means nothing, and they come in any order.
   */
  readonly numberedIn?: string;
}

/** One message as received. The recorder owns `data` from here on: a source never touches it again. */
export interface Message {
  readonly kind: 'message';
  readonly channel: Channel;
  readonly data: Uint8Array;
  /** Nanoseconds since the Unix epoch; becomes MCAP `log_time`. */
  readonly receivedAt: bigint;
  /** Nanoseconds since the Unix epoch; equals `receivedAt` where the source does not know it. */
  readonly publishedAt: bigint;
  /**
   * The source's own number of this message within its channel (up to 2^53 - 1), where it numbers them; with
   * `numberedIn`, within that numbering. Becomes MCAP `sequence` (modulo 2^32).
   */
  readonly sourceSequence?: number;
  /** Who published it, where the middleware says; distinguishes latched messages of several publishers. */
  readonly publisher?: string;
  /**
   * Called after the commit that holds the message was fsynced; at once where it is in the recording already or
   * is not wanted. A message that never came to a commit, because of a kill or a pause, is not acknowledged.
   */
  readonly ack?: () => void;
}

/** Under this key a source numbers its messages: the topic of a robot. */
export function numberingKey(robot: string, topic: string): string {
  return JSON.stringify([robot, topic]);
}

const schemaDigests = new WeakMap<Schema, string>();

function schemaDigest(schema: Schema): string {
  let digest = schemaDigests.get(schema);
  if (digest === undefined) {
    digest = createHash('sha256').update(schema.data).digest('base64').slice(0, 16);
    schemaDigests.set(schema, digest);
  }
  return digest;
}

/**
 * The identity of a channel; equal keys are one channel of the recording. A topic whose definition changed is
 * another channel: its payloads must never be decoded by the old one. So is one with another numbering: its
 * numbers are other messages.
 */
export function channelKey(channel: Channel): string {
  const { robot, topic, encoding, schema, numberedIn } = channel;
  const key = [robot, topic, encoding, schema.name, schema.encoding, schemaDigest(schema)];
  return JSON.stringify(numberedIn === undefined ? key : [...key, numberedIn]);
}
