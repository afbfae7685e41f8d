import type { Msg } from '@nats-io/transport-node';
import { present } from '../../core/present.js';

/** One message of a stream as a consumer delivered it. */
export interface Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Where acknowledgements go. */
  readonly reply: string;
  readonly streamSequence: number;
  /** Counts the deliveries of this consumer to all recorders; 0: the server does not report it. */
  readonly consumerSequence: number;
  /** 1: the first delivery. */
  readonly deliveryCount: number;
  /** When the server stored it, nanoseconds since the Unix epoch. */
  readonly storedAt: bigint;
  /** Number of later messages that were not delivered to any recorder yet. */
  readonly pending: number;
  /** Size that the server counts against the requested bytes. */
  readonly wireBytes: number;
}

/**
 * Reads the facts of a message from its acknowledgement subject: `$JS.ACK.<stream>.<consumer>.<count>.<stream
 * seq>.<consumer seq>.<stored at>.<pending>`, or the later form with `<domain>.<account hash>` before the
 * stream. Undefined: it is not a delivery.
 */
export function readDelivery({ subject, data, reply, headers }: Msg): Delivery | undefined {
  const tokens = reply?.split('.');
  if (tokens === undefined || tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  const at = tokens.length === 9 ? 2 : tokens.length >= 11 ? 4 : undefined;
  if (at === undefined) return undefined;
  const deliveryCount = Number(tokens[at + 2]);
  const streamSequence = Number(tokens[at + 3]);
  const consumerSequence = Number(tokens[at + 4]);
  const pending = Number(tokens[at + 6]);
  const storedAt = tokens[at + 5]!;
  if (!Number.isSafeInteger(streamSequence) || streamSequence < 1 || !/^\d{1,19}$/.test(storedAt))
    return undefined;
  return {
    subject,
    data,
    reply: present(reply),
    streamSequence,
    consumerSequence: Number.isSafeInteger(consumerSequence) ? consumerSequence : 0,
    deliveryCount,
    storedAt: BigInt(storedAt),
    pending,
    wireBytes: subject.length + present(reply).length + data.byteLength + (headers ? HEADER_GUESS_BYTES : 0),
  };
}

/** Headers are not kept; their size need not be exact. */
const HEADER_GUESS_BYTES = 128;
