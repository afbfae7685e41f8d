import { createHash } from 'node:crypto';
import type { Schema } from '../core/message.js';

/*
 * Form 1 of messages in Kafka (docs/kafka.md). Every header is UTF-8 text.
 */

/** Names of the headers. */
export const kafkaHeaders = {
  /** `message` or `schema`, and the version of this form: `message/1`. */
  kind: 'holdfast-kind',
  robot: 'holdfast-robot',
  vin: 'holdfast-vin',
  topic: 'holdfast-topic',
  type: 'holdfast-type',
  encoding: 'holdfast-encoding',
  schemaId: 'holdfast-schema-id',
  schemaEncoding: 'holdfast-schema-encoding',
  /** Decimal nanoseconds since the Unix epoch. */
  logTime: 'holdfast-log-time',
  publishTime: 'holdfast-publish-time',
  segment: 'holdfast-segment',
  /** From 1 within the segment: a batch has the definitions of all its messages. */
  batch: 'holdfast-batch',
  /** From 0 within the segment: with the segment it identifies the message. */
  number: 'holdfast-number',
} as const;

export const MESSAGE_KIND = 'message/1';
export const SCHEMA_KIND = 'schema/1';

/** Id of a definition: 16 hex digits of the SHA-256 of its encoding and name (as JSON) and its bytes. */
export function schemaIdOf({ name, encoding, data }: Schema): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([encoding, name]))
    .update(data);
  return hash.digest('hex').slice(0, 16);
}
