import { fullSequence } from './full-sequence.js';

/** Channel metadata of messages from a JetStream stream: the stream's name, and its creation time (RFC 3339). */
export const NATS_STREAM_KEY = 'nats_stream';
export const NATS_STREAM_CREATED_KEY = 'nats_stream_created';

/**
 * The identity of a JetStream message, independent of where and how often it was recorded. It includes the
 * creation time of the stream, because a stream that is deleted and created again numbers from 1.
 */
export interface NatsIdentity {
  readonly stream: string;
  /** RFC 3339 with nanoseconds, exactly as the server sends it. */
  readonly streamCreated: string;
  /** The sequence in the stream, not in a consumer. */
  readonly sequence: bigint;
}

/**
 * The identity of a recorded message, from its MCAP channel and its MCAP sequence; undefined if it did not
 * come from JetStream.
 */
export function natsIdentity(
  { metadata }: { readonly metadata: Readonly<Record<string, string>> },
  sequence: number,
): NatsIdentity | undefined {
  const stream = metadata[NATS_STREAM_KEY];
  const streamCreated = metadata[NATS_STREAM_CREATED_KEY];
  if (stream === undefined || streamCreated === undefined) return undefined;
  return { stream, streamCreated, sequence: fullSequence(metadata, sequence) };
}

/** The name of the numbering that a stream's sequences belong to: `Channel.numberedIn`. */
export function natsNumbering(stream: string, streamCreated: string): string {
  return `nats:${stream}@${streamCreated}`;
}

/** Equal for two records if and only if they are the same message. */
export function natsIdentityKey({ stream, streamCreated, sequence }: NatsIdentity): string {
  return `${natsNumbering(stream, streamCreated)}#${sequence}`;
}
