/** Channel metadata of messages from Kafka: the topic, its id in the cluster (a UUID), and the partition (decimal). */
export const KAFKA_TOPIC_KEY = 'kafka_topic';
export const KAFKA_TOPIC_ID_KEY = 'kafka_topic_id';
export const KAFKA_PARTITION_KEY = 'kafka_partition';

/**
 * A partition of a topic of Kafka. Its offsets number its messages. The id is part of it, because a topic that is deleted
 * and created again numbers from 0.
 */
export interface KafkaPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** The name of the numbering that the offsets of a partition belong to: `Channel.numberedIn`. */
export function kafkaNumbering({ topic, topicId, partition }: KafkaPartition): string {
  return `kafka:${topic}@${topicId}/${partition}`;
}

/** The partition as metadata of a channel. */
export function kafkaMetadata({ topic, topicId, partition }: KafkaPartition): Record<string, string> {
  return {
    [KAFKA_TOPIC_KEY]: topic,
    [KAFKA_TOPIC_ID_KEY]: topicId,
    [KAFKA_PARTITION_KEY]: String(partition),
  };
}

/** The partition that a recorded message came from; undefined if it did not come from Kafka. */
export function kafkaPartition(metadata: Readonly<Record<string, string>>): KafkaPartition | undefined {
  const topic = metadata[KAFKA_TOPIC_KEY];
  const topicId = metadata[KAFKA_TOPIC_ID_KEY];
  const partition = Number(metadata[KAFKA_PARTITION_KEY] ?? NaN);
  if (topic === undefined || topicId === undefined || !Number.isSafeInteger(partition)) return undefined;
  return { topic, topicId, partition };
}
