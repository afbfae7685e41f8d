import { kafkaNumbering, kafkaPartition } from './kafka-identity.js';
import { NATS_STREAM_CREATED_KEY, NATS_STREAM_KEY, natsNumbering } from './nats-identity.js';

/**
 * The numbering that the sequences of a recorded channel belong to (`Channel.numberedIn`), from the metadata of the MCAP
 * channel; undefined if they identify no messages. Two records with the same numbering and the same full sequence are the
 * same message.
 */
export function messageNumbering(metadata: Readonly<Record<string, string>>): string | undefined {
  const stream = metadata[NATS_STREAM_KEY];
  const created = metadata[NATS_STREAM_CREATED_KEY];
  if (stream !== undefined && created !== undefined) return natsNumbering(stream, created);
  const partition = kafkaPartition(metadata);
  return partition && kafkaNumbering(partition);
}
