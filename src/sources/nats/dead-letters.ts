import { createHash } from 'node:crypto';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { jetstream, type JetStreamClient } from '@nats-io/jetstream';
import { describeError } from '../../core/errors.js';
import type { Delivery } from './delivery.js';

const CONFIRM_TIMEOUT_MS = 5_000;
/** Headers, subject and protocol of a dead letter. */
const OVERHEAD_BYTES = 4 * 1024;
const REASON_MAX_CHARACTERS = 200;

export interface DeadLetterOptions {
  readonly subject: string;
  /** The numbering that the delivery's sequence belongs to. */
  readonly numbering: string;
  readonly stream: string;
}

/**
 * Publishes messages that cannot be recorded for inspection, with the reason in the headers. The same message
 * sent twice is stored once, within the duplicate window of the stream that keeps it.
 */
export class DeadLetters {
  readonly #client: JetStreamClient;

  readonly #connection: NatsConnection;
  readonly #options: DeadLetterOptions;

  constructor(connection: NatsConnection, options: DeadLetterOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#client = jetstream(connection, { timeout: CONFIRM_TIMEOUT_MS });
  }

  /** Undefined once a stream has confirmed it; otherwise the reason. */
  async publish(delivery: Delivery, reason: string): Promise<string | undefined> {
    const { subject, numbering, stream } = this.#options;
    const { data, streamSequence, deliveryCount } = delivery;
    const roomBytes = Math.max(0, (this.#connection.info?.max_payload ?? 1024 * 1024) - OVERHEAD_BYTES);
    const body = data.subarray(0, roomBytes);
    const header = headers();
    header.set('Holdfast-Reason', reason.replace(/[\r\n]+/g, ' ').slice(0, REASON_MAX_CHARACTERS));
    header.set('Holdfast-Subject', delivery.subject);
    header.set('Holdfast-Stream', stream);
    header.set('Holdfast-Sequence', String(streamSequence));
    header.set('Holdfast-Deliveries', String(deliveryCount));
    if (body.byteLength < data.byteLength) {
      header.set('Holdfast-Bytes', String(data.byteLength));
      header.set('Holdfast-Sha256', createHash('sha256').update(data).digest('hex'));
    }
    try {
      await this.#client.publish(subject, body, { headers: header, msgID: `${numbering}#${streamSequence}` });
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }
}
