import { Document } from 'yaml';
import { jazzyProfiles } from './qos-profiles.js';

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

/** One file of a bag. */
export interface BagFile {
  /** As `relative_file_paths` names it. */
  readonly path: string;
  readonly messages: number;
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
}

export interface BagContent {
  readonly topics: readonly BagTopic[];
  readonly messages: number;
  /** Nanoseconds since the Unix epoch; absent where there are no messages. */
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  /** ROS distribution of the recorder; empty where it is not known. Default `jazzy`. */
  readonly rosDistro?: string;
  /** Facts of our own; rosbag2 keeps them and shows them to nobody. */
  readonly custom?: Readonly<Record<string, string>>;
}

/** What rosbag2 writes where there are no messages: the latest time there is. */
const NO_TIME = 9223372036854775807n;

/**
 * The fields of `rosbag2_bagfile_information`, version 9 (Jazzy). `files` is empty inside of the MCAP, which
 * does not know its own name.
 */
export function bagInformation(content: BagContent, files: readonly BagFile[]): Record<string, unknown> {
  const { topics, messages, rosDistro = 'jazzy', custom = {} } = content;
  return {
    version: 9,
    storage_identifier: 'mcap',
    ...reordered(timesOf(content)),
    message_count: messages,
    topics_with_message_count: topics.map((topic) => ({
      topic_metadata: {
        name: topic.topic,
        type: topic.type,
        serialization_format: topic.encoding,
        offered_qos_profiles: jazzyProfiles(topic.offeredQos),
        type_description_hash: topic.typeHash ?? '',
      },
      message_count: topic.messages,
    })),
    // These speak of rosbag2's own compression around a file; what MCAP compresses inside is MCAP's matter.
    compression_format: '',
    compression_mode: '',
    relative_file_paths: files.map(({ path }) => path),
    files: files.map((file) => ({ path: file.path, ...timesOf(file), message_count: file.messages })),
    // An empty map is written as nothing by yaml-cpp.
    custom_data: Object.keys(custom).length === 0 ? null : custom,
    ros_distro: rosDistro,
  };
}

interface Times {
  readonly starting_time: { readonly nanoseconds_since_epoch: bigint };
  readonly duration: { readonly nanoseconds: bigint };
}

function timesOf({ firstLogTime = NO_TIME, lastLogTime = firstLogTime }: Partial<BagContent>): Times {
  return {
    starting_time: { nanoseconds_since_epoch: firstLogTime },
    duration: { nanoseconds: lastLogTime - firstLogTime },
  };
}

/** rosbag2 writes the two the other way round at the top. */
function reordered({ starting_time, duration }: Times): Record<string, unknown> {
  return { duration, starting_time };
}

/** The text of metadata.yaml. */
export function bagMetadataYaml(content: BagContent, files: readonly BagFile[]): string {
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
