import { createHash } from 'node:crypto';

/** What a queue does with a message that does not fit. `block` needs a source that supports backpressure. */
export type QueuePolicy = 'drop-oldest' | 'drop-newest' | 'block';

/** Under memory pressure, the lowest class is dropped first. A class may have segments of its own. */
export type Priority = 'high' | 'normal' | 'low';

/** How one channel is queued. */
export interface QueueRule {
  /** Under memory pressure the lowest gives way first. */
  readonly priority: Priority;
  /** What gives way if a message does not fit. */
  readonly policy: QueuePolicy;
  /** Payload bytes that may wait before `policy` acts. */
  readonly queueMaxBytes: number;
}

/** What a reader needs to decode the payloads of a channel. */
export interface Schema {
  /** ROS form `pkg/msg/Type` for `ros2msg`. */
  readonly name: string;
  /** `ros2msg`, `ros2idl`, `jsonschema`, `protobuf`, or empty if the payload describes itself. */
  readonly encoding: string;
  /** The definition, as bytes of the encoding. */
  readonly data: Uint8Array;
}

/**
 * Topic + type + encoding + robot (MCAP's sense). A source creates one frozen object per channel and
 * refers to it from every message; two objects with the same `channelKey` are the same channel.
 */
export interface Channel {
  /** The robot it belongs to. */
  readonly robot: string;
  /** Name of the topic. */
  readonly topic: string;
  /** Payload encoding: `cdr`, `json`, `protobuf`, ... */
  readonly encoding: string;
  /** The definition of its messages. */
  readonly schema: Schema;
  /** Becomes metadata of the MCAP channel: `offered_qos_profiles` (YAML), `topic_type_hash`, ... */
  readonly metadata: Readonly<Record<string, string>>;
  /** Transient-local: the latest messages are carried into every segment. */
  readonly latched: boolean;
  /**
   * Set if `sourceSequence` identifies a message instead of counting those of the channel: the name of the
   * numbering. The same number of the same numbering is the same message, and is recorded once. A skipped
   * number has no meaning, and numbers come in any order.
   */
  readonly numberedIn?: string;
}

/** Memory of a source that holds the payload of one message. */
export interface PayloadLease {
  /** Nobody reads the payload any more: the source may use its memory again. Idempotent. */
  release(): void;
}

/**
 * One message as received. The recorder owns `data` from here on: a source never writes to it again, unless it lent
 * the memory by `lease` and has it back.
 */
export interface Message {
  /** Distinguishes it from the other events of a source. */
  readonly kind: 'message';
  /** The channel it was received on. */
  readonly channel: Channel;
  /** The payload, in the encoding of the channel. */
  readonly data: Uint8Array;
  /**
   * Set if the source wants the memory of `data` back. The recorder releases it once, after the commit or when it
   * drops the message. A part that keeps the payload for longer copies it. A lease that is never released
   * costs the source a new piece of memory, and nothing else.
   */
  readonly lease?: PayloadLease | undefined;
  /** Nanoseconds since the Unix epoch; becomes MCAP `log_time`. */
  readonly receivedAt: bigint;
  /** Nanoseconds since the Unix epoch; equals `receivedAt` if the source does not know it. */
  readonly publishedAt: bigint;
  /**
   * The source's own number of this message within its channel (up to 2^53 - 1), if the source numbers
   * messages; with `numberedIn`, within that numbering. Becomes MCAP `sequence` (modulo 2^32).
   */
  readonly sourceSequence?: number;
  /** The publisher, if the middleware reports it; distinguishes latched messages of several publishers. */
  readonly publisher?: string;
  /**
   * Called after the commit with this message is durable. Called at once if the message is already in the
   * recording or is not wanted. A message that never reaches a commit, because of a kill or a pause, is not
   * acknowledged.
   */
  readonly ack?: () => void;
}

/** The same message, valid for good: with a copy of its payload, if that memory is lent. */
export function withOwnData(message: Message): Message {
  if (message.lease === undefined) return message;
  const { lease: _, ...kept } = message;
  return { ...kept, data: Buffer.from(message.data) };
}

/** The key under which a source numbers its messages: the topic of a robot. */
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

/** The identity of a definition; one type name may have several. */
export function definitionKey(schema: Schema): string {
  return JSON.stringify([schema.name, schema.encoding, schemaDigest(schema)]);
}

/**
 * The identity of a channel; equal keys are one channel of the recording. A topic with a changed definition
 * is another channel, because the old definition must never decode its payloads. A topic with another
 * numbering is another channel too, because its numbers are other messages.
 */
export function channelKey(channel: Channel): string {
  const { robot, topic, encoding, schema, numberedIn } = channel;
  const key = [robot, topic, encoding, schema.name, schema.encoding, schemaDigest(schema)];
  return JSON.stringify(numberedIn === undefined ? key : [...key, numberedIn]);
}
