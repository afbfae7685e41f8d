import {
  choose,
  clusterOptionNames,
  isTopic,
  parseCluster,
  type KafkaCluster,
  type KafkaFault,
} from '../../kafka/cluster.js';

/** Whose name is the key of a message, and so chooses its partition. */
export const kafkaKeys = ['robot', 'vin'] as const;
export const kafkaCompressions = ['gzip', 'lz4', 'snappy', 'none'] as const;

export interface KafkaSinkOptions extends KafkaCluster {
  readonly topic: string;
  readonly key: (typeof kafkaKeys)[number];
  readonly compression: (typeof kafkaCompressions)[number];
  /** Largest message, and largest batch before compression, bytes. */
  readonly maxBytes: number;
}

/** Names of the options, as in the query of a sink. */
export const kafkaOptionNames: readonly string[] = ['key', 'compression', 'max_bytes', ...clusterOptionNames];

export const KAFKA_FORM = '//host:port/topic, several brokers with commas between them';

/** A little less than the 1 MiB that a broker takes by default. */
const MAX_BYTES = 1_000_000;
const MIN_MAX_BYTES = 10_000;
const MAX_MAX_BYTES = 64 * 1024 * 1024;

/** Parses `//host:port,host:port/topic` and the given options and reports every fault. */
export function parseKafkaSink(
  address: string,
  given: ReadonlyMap<string, string>,
  fault: KafkaFault,
): KafkaSinkOptions {
  const [, hosts = '', topic = ''] = /^\/\/([^/]*)\/([^/]*)$/.exec(address) ?? [];
  if (hosts === '' || topic === '') fault('kafka:', `followed by ${KAFKA_FORM}`);
  else if (!isTopic(topic)) fault(topic, 'a topic of up to 249 letters, digits, ".", "_" and "-"');
  const maxText = given.get('max_bytes');
  const maxBytes = Number(maxText ?? MAX_BYTES);
  if (!Number.isSafeInteger(maxBytes) || maxBytes < MIN_MAX_BYTES || maxBytes > MAX_MAX_BYTES) {
    fault(`max_bytes=${maxText}`, `a whole number from ${MIN_MAX_BYTES} to ${MAX_MAX_BYTES}`);
  }
  return {
    ...parseCluster(hosts, given, fault),
    topic,
    key: choose('key', kafkaKeys, given, fault) ?? 'robot',
    compression: choose('compression', kafkaCompressions, given, fault) ?? 'gzip',
    maxBytes,
  };
}

/** The sink as status and errors show it: it identifies where messages go. */
export function describeKafka({ brokers, topic }: KafkaSinkOptions): string {
  return `kafka://${brokers.join(',')}/${topic}`;
}
