import { HoldfastError } from '../../core/errors.js';
import { clusterOptionNames, isTopic, parseCluster, type KafkaCluster } from '../../kafka/cluster.js';
import type { SourceUri } from '../source-uri.js';
import {
  choiceOption,
  durationMsOption,
  integerOption,
  readUriOptions,
  textOption,
  type UriOption,
} from '../uri-options.js';

export interface KafkaSourceOptions extends KafkaCluster {
  readonly topics: readonly string[];
  /** The consumer group; recorders with the same group share the messages. */
  readonly group: string;
  /** Where the group starts in a partition without a committed offset. */
  readonly from: 'earliest' | 'latest';
  /** MCAP encoding of messages that are not in the form of docs/kafka.md. */
  readonly encoding: string;
  readonly robotFrom: 'topic' | 'key';
  /** After this time without a sign of life the cluster gives the partitions of a recorder to others. */
  readonly sessionMs: number;
  /** Largest answer of one broker before decompression. */
  readonly fetchBytes: number;
  readonly maxMessageBytes: number;
}

const MB = 1024 * 1024;
const MIN_SESSION_MS = 6_000;
const MAX_SESSION_MS = 300_000;
const DEFAULT_SESSION_MS = 10_000;

/** Required. */
const groupOption: UriOption<string> = {
  default: '',
  allowed: 'the name of a consumer group: up to 249 letters, digits, ".", "_" and "-"',
  read: (text) => (isTopic(text) ? text : undefined),
};

const encodingOption: UriOption<string> = {
  default: 'json',
  allowed: 'an encoding of MCAP messages such as json, protobuf, cbor or cdr',
  read: (text) => (/^[A-Za-z0-9][\w.+-]{0,63}$/.test(text) ? text : undefined),
};

const table = {
  group: groupOption,
  from: choiceOption('earliest', 'earliest', 'latest'),
  encoding: encodingOption,
  robot_from: choiceOption('topic', 'topic', 'key'),
  session: durationMsOption(DEFAULT_SESSION_MS),
  fetch_mb: integerOption(8, 1, 256),
  max_message_mb: integerOption(64, 1, 64),
  ...Object.fromEntries(clusterOptionNames.map((name) => [name, textOption('a text')])),
};

/**
 * Reads `kafka://host:port,host:port/topic,topic?group=holdfast`.
 *
 * @throws HoldfastError SOURCE_UNKNOWN if it is not an address, CONFIG_INVALID with all faults of the
 * options.
 */
export function readKafkaUri(uri: SourceUri): KafkaSourceOptions {
  const [, hosts = '', list = ''] = /^\/\/([^/]*)\/([^/]*)$/.exec(uri.path) ?? [];
  if (hosts === '' || list === '') {
    throw new HoldfastError(
      'SOURCE_UNKNOWN',
      `source ${uri.text}: Kafka is kafka://host:port/topic?group=holdfast, with commas between several brokers and between several topics`,
      { facts: { uri: uri.text } },
    );
  }
  const faults: string[] = [];
  const topics = [...new Set(list.split(','))];
  for (const topic of topics.filter((one) => !isTopic(one))) {
    faults.push(`topic "${topic}": allowed are up to 249 letters, digits, ".", "_" and "-"`);
  }
  if (!uri.query.has('group')) faults.push('group: has to be given');
  const session = durationMsOption(undefined).read(uri.query.get('session') ?? '10s');
  if (session !== undefined && (session < MIN_SESSION_MS || session > MAX_SESSION_MS)) {
    faults.push('session: has to be from 6s to 5m');
  }
  const cluster = parseCluster(hosts, new Map(uri.query), (value, allowed) => {
    faults.push(`${value}: allowed is ${allowed}`);
  });
  const options = readUriOptions(uri, table, faults);
  return {
    ...cluster,
    topics,
    group: options.group,
    from: options.from,
    encoding: options.encoding,
    robotFrom: options.robot_from,
    sessionMs: options.session ?? DEFAULT_SESSION_MS,
    fetchBytes: options.fetch_mb * MB,
    maxMessageBytes: options.max_message_mb * MB,
  };
}
