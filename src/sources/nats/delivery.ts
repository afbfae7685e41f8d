import type { Msg } from '@nats-io/transport-node';

/** One message of a stream as a consumer delivered it. */
export interface Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Where acknowledgements go. */
  readonly reply: string;
  readonly streamSequence: number;
  /** 1: for the first time. */
  readonly deliveryCount: number;
  /** When the server stored it, nanoseconds since the Unix epoch. */
  readonly storedAt: bigint;
  /** Messages behind it that no recorder was given yet. */
  readonly pending: number;
  /** As the server counts against the bytes that were asked for. */
  readonly wireBytes: number;
}

/**
 * Reads what the server says of a message in the subject for its acknowledgement:
 * `$JS.ACK.<stream>.<consumer>.<count>.<stream seq>.<consumer seq>.<stored at>.<pending>`, or the later form
 * with `<domain>.<account hash>` before the stream. Undefined: it is no delivery.
 */
export function readDelivery({ subject, data, reply, headers }: Msg): Delivery | undefined {
  const tokens = reply?.split('.');
  if (tokens === undefined || tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  const at = tokens.length === 9 ? 2 : tokens.length >= 11 ? 4 : undefined;
  if (at === undefined) return undefined;
  const deliveryCount = Number(tokens[at + 2]);
  const streamSequence = Number(tokens[at + 3]);
  const pending = Number(tokens[at + 6]);
  const storedAt = tokens[at + 5]!;
  if (!Number.isSafeInteger(streamSequence) || streamSequence < 1 || !/^\d{1,19}$/.test(storedAt))
    return undefined;
  return {
    subject,
    data,
    reply: reply!,
    streamSequence,
    deliveryCount,
    storedAt: BigInt(storedAt),
    pending,
    wireBytes: subject.length + reply!.length + data.byteLength + (headers ? HEADER_GUESS_BYTES : 0),
  };
}

/** Headers are not kept; what they weigh need not be exact. */
const HEADER_GUESS_BYTES = 128;
