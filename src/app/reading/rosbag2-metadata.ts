import { Document, parse } from 'yaml';

/** One topic of a bag, as metadata.yaml lists it. */
export interface BagTopic {
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  /** `offered_qos_profiles` of the channel: a YAML sequence. */
  readonly offeredQos: string | undefined;
  readonly typeHash: string | undefined;
  readonly messages: number;
}

export interface BagContent {
  readonly topics: readonly BagTopic[];
  readonly messages: number;
  /** Nanoseconds since the Unix epoch; absent where there are no messages. */
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
}

/** What rosbag2 writes where there are no messages: the latest time there is. */
const NO_TIME = 9223372036854775807n;

/**
 * The fields of `rosbag2_bagfile_information`, version 9 (Jazzy). `files` is empty inside of the MCAP, which
 * does not know its own name.
 */
export function bagInformation(content: BagContent, files: readonly string[]): Record<string, unknown> {
  const { topics, messages, firstLogTime = NO_TIME, lastLogTime = firstLogTime } = content;
  const times = {
    starting_time: { nanoseconds_since_epoch: firstLogTime },
    duration: { nanoseconds: lastLogTime - firstLogTime },
  };
  return {
    version: 9,
    storage_identifier: 'mcap',
    duration: times.duration,
    starting_time: times.starting_time,
    message_count: messages,
    topics_with_message_count: topics.map((topic) => ({
      topic_metadata: {
        name: topic.topic,
        type: topic.type,
        serialization_format: topic.encoding,
        offered_qos_profiles: qosOf(topic.offeredQos),
        type_description_hash: topic.typeHash ?? '',
      },
      message_count: topic.messages,
    })),
    compression_format: '',
    compression_mode: '',
    relative_file_paths: [...files],
    files: files.map((path) => ({ path, ...times, message_count: messages })),
    custom_data: null,
    ros_distro: 'jazzy',
  };
}

/** The text of metadata.yaml. */
export function bagMetadataYaml(content: BagContent, files: readonly string[]): string {
  return yaml({ rosbag2_bagfile_information: bagInformation(content, files) });
}

/** The text of the `serialized_metadata` in the MCAP's own `rosbag2` record. */
export function serializedMetadata(content: BagContent): string {
  return yaml(bagInformation(content, []));
}

function yaml(value: unknown): string {
  // No aliases: equal times are one object here, and yaml-cpp's users do not expect anchors.
  return new Document(value, { aliasDuplicateObjects: false }).toString({ lineWidth: 0, nullStr: '~' });
}

function qosOf(text: string | undefined): unknown {
  if (text === undefined || text === '') return [];
  try {
    const parsed: unknown = parse(text, { logLevel: 'silent', intAsBigInt: true });
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}
