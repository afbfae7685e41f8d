import { describeError, HoldfastError, isHoldfastError } from '../core/errors.js';
import type { Gap } from '../core/gap.js';
import { randomHex, type RandomBytes } from '../core/identity.js';
import type { Channel, Message } from '../core/message.js';
import { plainText } from '../core/plain-text.js';
import type { Batch } from '../ingest/batch.js';
import { chainStart } from './batch-codec.js';
import { encodeMessages } from './batch-encoder.js';
import { pack, packGap } from './segment-format.js';

/** The error for a value that cannot be encoded for the WAL. */
export function encodeFailed(cause: unknown): HoldfastError {
  if (isHoldfastError(cause)) return cause;
  return new HoldfastError('WAL_ENCODE_FAILED', 'a commit cannot be encoded', { cause });
}

/**
 * A batch without the parts that cannot be encoded, which gaps account for; undefined if all of it can be
 * encoded.
 */
export interface Encodable {
  readonly batch: Batch;
  readonly left: readonly Message[];
  /** The error of the first part that cannot be encoded. */
  readonly reason: string;
}

/** Tries each message and gap separately: one that cannot be encoded must not stop the others. */
export function encodablePart(batch: Batch, random: RandomBytes): Encodable | undefined {
  const reasons: string[] = [];
  const failed = (try_: () => unknown): boolean => {
    try {
      try_();
      return false;
    } catch (error) {
      reasons.push(describeError(error));
      return true;
    }
  };
  const left = batch.messages.filter((message) => failed(() => encodeAlone(message)));
  const lost = new Set(left);
  const gaps = batch.gaps.map((gap) => (failed(() => packGap(gap)) ? plainGap(gap) : gap));
  const [reason] = reasons;
  if (reason === undefined) return undefined;
  const messages = batch.messages.filter((message) => !lost.has(message));
  const bytes = messages.reduce((sum, { data }) => sum + data.byteLength, 0);
  const told = left.map((message) => invalidGap(message, randomHex(random, 16), reason));
  return { batch: { ...batch, messages, bytes, gaps: [...gaps, ...told] }, left, reason };
}

function encodeAlone(message: Message): void {
  encodeMessages([message], () => 1, 1, chainStart);
  const { schema, ...channel } = message.channel;
  pack(channel);
  pack(schema);
}

/** A source may pass a value that its type forbids; that is why it cannot be encoded. */
type Untrusted<T> = { readonly [Key in keyof T]: unknown };

/** The fields that every gap has; the part that cannot be encoded is among the others. */
function plainGap(gap: Gap): Gap {
  const { id, robot, topic, count } = gap as Untrusted<Gap>;
  return {
    id: String(id),
    reason: gap.reason,
    robot: String(robot),
    ...(topic === undefined ? {} : { topic: plainText(topic) }),
    ...(Number.isSafeInteger(count) ? { count: count as number } : {}),
    detail: 'the rest of this gap could not be encoded',
  };
}

function invalidGap(message: Message, id: string, reason: string): Gap {
  const channel = message.channel as Untrusted<Channel>;
  const bytes = Number((message.data as Uint8Array | undefined)?.byteLength);
  return {
    id,
    reason: 'invalid_message',
    robot: String(channel.robot),
    topic: String(channel.topic),
    count: 1,
    ...(Number.isSafeInteger(bytes) ? { bytes } : {}),
    detail: `it cannot be encoded: ${reason}`.slice(0, 500),
  };
}
