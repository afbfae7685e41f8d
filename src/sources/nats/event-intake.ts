import { parseGenericEvent } from '../../core/generic-event.js';
import type { GapReason } from '../../core/gap.js';
import { NumberSet } from '../../core/number-set.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import type { GapCollector } from '../gap-collector.js';
import type { DeadLetters } from './dead-letters.js';
import type { Deliveries } from './deliveries.js';
import type { Delivery } from './delivery.js';
import type { EventChannels } from './event-channels.js';
import type { NatsAlerts } from './nats-alerts.js';
import type { NatsOptions } from './nats-options.js';
import type { NatsStats } from './nats-stats.js';

/** Dead letters whose confirmation is awaited at a time. */
const MAX_LETTERS = 64;
/** What could not be put aside is delivered again after so long. */
const RETRY = '-NAK {"delay":5000000000}';

export interface IntakeParts {
  readonly options: NatsOptions;
  readonly context: SourceContext;
  readonly emit: (event: SourceEvent) => void;
  readonly channels: EventChannels;
  readonly deliveries: Deliveries;
  readonly gaps: GapCollector;
  readonly alerts: NatsAlerts;
  readonly stats: NatsStats;
}

/** Turns the deliveries of one creation of a stream into messages, or into dead letters and gaps. */
export class EventIntake {
  /** Of the connection there is. */
  deadLetters: DeadLetters | undefined;
  private readonly letters = new Set<Promise<void>>();
  private readonly buried = new NumberSet();

  constructor(private readonly parts: IntakeParts) {}

  /** A promise where too many dead letters are under way: to be awaited before the next delivery. */
  take(delivery: Delivery): Promise<void> | undefined {
    const { options, deliveries, stats, channels, context, emit } = this.parts;
    const { subject, data, streamSequence } = delivery;
    if (delivery.deliveryCount > 1) stats.redelivered++;
    // In a stream that takes everything, its own dead letters would go round for ever.
    if (subject === options.deadLetter || subject === options.alert || this.buried.has(streamSequence)) {
      deliveries.ack(streamSequence);
      return undefined;
    }
    if (data.byteLength > options.maxMessageBytes) {
      return this.refuse(delivery, 'message_too_large', `it has ${data.byteLength} bytes`);
    }
    const event = parseGenericEvent(data);
    if (typeof event === 'string') return this.refuse(delivery, 'invalid_message', event);
    const channel = channels.channelOf(subject, event);
    if (channel === undefined) {
      deliveries.ack(streamSequence);
      return undefined;
    }
    emit({
      kind: 'message',
      channel,
      data,
      receivedAt: context.clock.now(),
      publishedAt: event.timestampNs > 0n ? event.timestampNs : delivery.storedAt,
      sourceSequence: streamSequence,
      ack: () => deliveries.ack(streamSequence),
    });
    return undefined;
  }

  /** Resolves when no dead letter is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.letters);
  }

  private refuse(delivery: Delivery, reason: GapReason, detail: string): Promise<void> | undefined {
    if (this.parts.options.deadLetter === undefined) {
      this.bury(delivery, reason, detail);
      return undefined;
    }
    const letter = this.send(delivery, reason, detail).finally(() => this.letters.delete(letter));
    this.letters.add(letter);
    return this.letters.size < MAX_LETTERS ? undefined : Promise.race(this.letters);
  }

  private async send(delivery: Delivery, reason: GapReason, detail: string): Promise<void> {
    const { alerts, stats, deliveries } = this.parts;
    const problem = await (this.deadLetters?.publish(delivery, `${reason}: ${detail}`) ?? 'no connection');
    if (problem === undefined) {
      stats.deadLetters++;
      alerts.raise('dead_letter', `sequence ${delivery.streamSequence} of ${delivery.subject}: ${detail}`);
      this.bury(delivery, reason, detail);
      return;
    }
    stats.deadLetterFailures++;
    alerts.raise(
      'dead_letter_failed',
      `sequence ${delivery.streamSequence} of ${delivery.subject}: ${problem}`,
    );
    deliveries.answer(delivery.streamSequence, RETRY);
  }

  private bury({ subject, streamSequence, data }: Delivery, reason: GapReason, detail: string): void {
    const { gaps, context, deliveries } = this.parts;
    this.buried.add(streamSequence);
    gaps.add(reason, context.robotOf(subject), subject, data.byteLength, detail);
    deliveries.ack(streamSequence);
  }
}
