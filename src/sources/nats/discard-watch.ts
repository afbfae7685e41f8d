import type { ConsumerInfo } from '@nats-io/jetstream';
import type { SourceContext, SourceGap } from '../../core/source.js';
import type { Delivery } from './delivery.js';

export interface DiscardWatchParts {
  readonly stream: string;
  /** The numbering that the stream's sequences belong to. */
  readonly numbering: string;
  readonly context: Pick<SourceContext, 'clock' | 'robotOf'>;
  readonly emit: (gap: SourceGap) => void;
  /** Messages of this range that are on their way into the recording. */
  readonly held: (first: number, last: number) => number;
}

/** What the server reports when a consumer is bound. */
export interface BoundConsumer {
  readonly info: ConsumerInfo;
  /** First sequence that the stream still has. */
  readonly streamFirst: number;
  /** A consumer that was just created again begins after this sequence; undefined: it continues. */
  readonly beganBehind: number | undefined;
}

/**
 * Finds the messages that a stream discarded (by count, size or age) before one consumer had read them. When
 * it is bound, these are the messages between the last acknowledged sequence and the first one in the stream.
 * Between two deliveries, it is a jump of the stream's sequence while the consumer's own continues by one; if
 * both jump, the message may have gone to another recorder.
 */
export class DiscardWatch {
  readonly #parts: DiscardWatchParts;
  /** Reported, or delivered, up to this sequence of the stream. */
  #knownThrough = 0;
  #consumerSequence = 0;
  #isFiltered = false;

  constructor(parts: DiscardWatchParts) {
    this.#parts = parts;
  }

  bound({ info, streamFirst, beganBehind }: BoundConsumer): void {
    const { ack_floor: acknowledged, delivered, num_ack_pending: unacknowledged, config } = info;
    this.#isFiltered = Boolean(config.filter_subject) || (config.filter_subjects?.length ?? 0) > 0;
    // Without unacknowledged deliveries the floor may lag behind messages that a filter skipped.
    const settled = Math.max(acknowledged.stream_seq, unacknowledged === 0 ? delivered.stream_seq : 0);
    const behind = Math.max(beganBehind ?? settled, this.#knownThrough);
    if (streamFirst - 1 > behind) {
      const since = lastActive(info) ?? this.#parts.context.clock.now();
      this.#tell(behind + 1, streamFirst - 1, since, config.filter_subject ?? '');
    }
    this.#knownThrough = Math.max(behind, delivered.stream_seq, streamFirst - 1);
    this.#consumerSequence = delivered.consumer_seq;
  }

  delivered({ streamSequence, consumerSequence, deliveryCount, storedAt }: Delivery): void {
    const goesOn = consumerSequence === this.#consumerSequence + 1;
    this.#consumerSequence = consumerSequence;
    if (deliveryCount > 1) return;
    const first = this.#knownThrough + 1;
    if (goesOn && !this.#isFiltered && streamSequence > first) {
      this.#tell(first, streamSequence - 1, storedAt, '');
    }
    this.#knownThrough = Math.max(this.#knownThrough, streamSequence);
  }

  #tell(first: number, last: number, firstTime: bigint, filter: string): void {
    const { stream, numbering, context, emit, held } = this.#parts;
    const count = last - first + 1 - held(first, last);
    if (count <= 0) return;
    const now = context.clock.now();
    const range = `sequences ${first} to ${last} of stream ${stream}`;
    const detail = this.#isFiltered
      ? `the server discarded ${range} before they were read; unknown is how many of them are of ${filter}`
      : `the server discarded ${range} before they were read`;
    emit({
      kind: 'gap',
      ...(this.#isFiltered ? {} : { numberedIn: numbering }),
      gap: {
        reason: 'missed_while_down',
        robot: context.robotOf(''),
        ...(this.#isFiltered ? {} : { count }),
        firstTime: firstTime < now ? firstTime : now,
        lastTime: now,
        firstSourceSequence: first,
        lastSourceSequence: last,
        detail,
      },
    });
  }
}

/** When the consumer last delivered a message, nanoseconds since the Unix epoch. */
function lastActive({ delivered }: ConsumerInfo): bigint | undefined {
  // The server writes RFC 3339, although the client's types differ.
  const ms = Date.parse(String(delivered.last_active));
  return Number.isNaN(ms) || ms <= 0 ? undefined : BigInt(ms) * 1_000_000n;
}
