import { fullSequence } from './mcap/full-sequence.js';

/** Channel metadata of what came from a JetStream stream: the stream's name, and when it was created (RFC 3339). */
export const NATS_STREAM_KEY = 'nats_stream';
export const NATS_STREAM_CREATED_KEY = 'nats_stream_created';

/**
 * What a message of a JetStream stream is, wherever and however often it was recorded. A stream that was
 * deleted and made again numbers from 1 once more: hence its creation time.
 */
export interface NatsIdentity {
  readonly stream: string;
  /** RFC 3339 with nanoseconds, exactly as the server says it. */
  readonly streamCreated: string;
  /** Of the stream, not of a consumer. */
  readonly sequence: bigint;
}

/**
 * The identity of a recorded message, from its MCAP channel and its MCAP sequence; undefined where it did not
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

/** The name of the numbering a stream's sequences belong to: `Channel.numberedIn`. */
export function natsNumbering(stream: string, streamCreated: string): string {
  return `nats:${stream}@${streamCreated}`;
}

/** Equal for two records exactly when they are the same message. */
export function natsIdentityKey({ stream, streamCreated, sequence }: NatsIdentity): string {
  return `${natsNumbering(stream, streamCreated)}#${sequence}`;
}
