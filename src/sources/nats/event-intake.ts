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

/** Maximum number of dead letters that wait for confirmation. */
const MAX_LETTERS = 64;
/** Delay before a message that could not be set aside is delivered again. */
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
  /** Of the present connection. */
  deadLetters: DeadLetters | undefined;
  readonly #letters = new Set<Promise<void>>();
  readonly #buried = new NumberSet();

  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** A promise if too many dead letters are pending: await it before the next delivery. */
  take(delivery: Delivery): Promise<void> | undefined {
    const { options, deliveries, stats, channels, context, emit } = this.#parts;
    const { subject, data, streamSequence } = delivery;
    if (delivery.deliveryCount > 1) stats.redelivered++;
    // In a stream that takes all subjects, its own dead letters would circulate for ever.
    if (subject === options.deadLetter || subject === options.alert || this.#buried.has(streamSequence)) {
      deliveries.ack(streamSequence);
      return undefined;
    }
    if (data.byteLength > options.maxMessageBytes) {
      return this.#refuse(delivery, 'message_too_large', `it has ${data.byteLength} bytes`);
    }
    const event = parseGenericEvent(data);
    if (typeof event === 'string') return this.#refuse(delivery, 'invalid_message', event);
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

  /** Resolves when no dead letter is pending. */
  async settled(): Promise<void> {
    await Promise.all(this.#letters);
  }

  #refuse(delivery: Delivery, reason: GapReason, detail: string): Promise<void> | undefined {
    if (this.#parts.options.deadLetter === undefined) {
      this.#bury(delivery, reason, detail);
      return undefined;
    }
    const letter = this.#send(delivery, reason, detail).finally(() => this.#letters.delete(letter));
    this.#letters.add(letter);
    return this.#letters.size < MAX_LETTERS ? undefined : Promise.race(this.#letters);
  }

  async #send(delivery: Delivery, reason: GapReason, detail: string): Promise<void> {
    const { alerts, stats, deliveries } = this.#parts;
    const problem = await (this.deadLetters?.publish(delivery, `${reason}: ${detail}`) ?? 'no connection');
    if (problem === undefined) {
      stats.deadLetters++;
      alerts.raise('dead_letter', `sequence ${delivery.streamSequence} of ${delivery.subject}: ${detail}`);
      this.#bury(delivery, reason, detail);
      return;
    }
    stats.deadLetterFailures++;
    alerts.raise(
      'dead_letter_failed',
      `sequence ${delivery.streamSequence} of ${delivery.subject}: ${problem}`,
    );
    deliveries.answer(delivery.streamSequence, RETRY);
  }

  #bury({ subject, streamSequence, data }: Delivery, reason: GapReason, detail: string): void {
    const { gaps, context, deliveries } = this.#parts;
    this.#buried.add(streamSequence);
    gaps.add(reason, context.robotOf(subject), subject, data.byteLength, detail);
    deliveries.ack(streamSequence);
  }
}
