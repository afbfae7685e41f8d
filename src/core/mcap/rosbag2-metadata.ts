import { Document } from 'yaml';
import { humbleProfiles, jazzyProfiles } from './qos-profiles.js';

/** Whose `ros2 bag` reads the metadata: later distributions read both. */
export const bagForms = ['humble', 'jazzy'] as const;
export type BagForm = (typeof bagForms)[number];

/** One topic of a bag in metadata.yaml. */
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
  /** The name in `relative_file_paths`. */
  readonly path: string;
  readonly messages: number;
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
}

export interface BagContent {
  readonly topics: readonly BagTopic[];
  readonly messages: number;
  /** Nanoseconds since the Unix epoch; absent if there are no messages. */
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  /** ROS distribution of the recorder; empty if it is unknown. Default `jazzy`. */
  readonly rosDistro?: string;
  /** Holdfast's own facts; rosbag2 keeps them and does not show them. */
  readonly custom?: Readonly<Record<string, string>>;
}

/** rosbag2 writes this time, the latest possible one, if there are no messages. */
const NO_TIME = 9223372036854775807n;

/**
 * The fields of `rosbag2_bagfile_information`: version 9 of Jazzy, or version 5 of Humble, which refuses the list of
 * profiles and passes over what it does not know. `files` is empty inside the MCAP, which does not know its own name.
 */
export function bagInformation(
  content: BagContent,
  files: readonly BagFile[],
  form: BagForm = 'jazzy',
): Record<string, unknown> {
  const { topics, messages, rosDistro = 'jazzy', custom = {} } = content;
  return {
    version: form === 'humble' ? 5 : 9,
    storage_identifier: 'mcap',
    ...reordered(timesOf(content)),
    message_count: messages,
    topics_with_message_count: topics.map((topic) => topicInformation(topic, form)),
    // These fields are about rosbag2's own compression of the file, not about compression inside the MCAP.
    compression_format: '',
    compression_mode: '',
    relative_file_paths: files.map(({ path }) => path),
    files: files.map((file) => ({ path: file.path, ...timesOf(file), message_count: file.messages })),
    // yaml-cpp writes an empty map as nothing.
    custom_data: Object.keys(custom).length === 0 ? null : custom,
    ros_distro: rosDistro,
  };
}

function topicInformation(topic: BagTopic, form: BagForm): Record<string, unknown> {
  return {
    topic_metadata: {
      name: topic.topic,
      type: topic.type,
      serialization_format: topic.encoding,
      offered_qos_profiles:
        form === 'humble' ? humbleProfiles(topic.offeredQos) : jazzyProfiles(topic.offeredQos),
      ...(form === 'humble' ? {} : { type_description_hash: topic.typeHash ?? '' }),
    },
    message_count: topic.messages,
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

/** rosbag2 writes the two in the opposite order at the top. */
function reordered({ starting_time, duration }: Times): Record<string, unknown> {
  return { duration, starting_time };
}

/** The text of metadata.yaml. */
export function bagMetadataYaml(
  content: BagContent,
  files: readonly BagFile[],
  form: BagForm = 'jazzy',
): string {
  const text = informationYaml(content, files, form);
  return `rosbag2_bagfile_information:\n${indented(text, INDENT)}`;
}

/** The text of the `serialized_metadata` in the MCAP's own `rosbag2` record. */
export function serializedMetadata(content: BagContent): string {
  return informationYaml(content, [], 'jazzy');
}

const INDENT = '  ';
const TOPICS = 'topics_with_message_count';

/**
 * One topic at a time: a document of all 65,535 topics that an MCAP can have would take a gigabyte, and
 * memory is scarce at this point.
 */
function informationYaml(content: BagContent, files: readonly BagFile[], form: BagForm = 'jazzy'): string {
  const whole = yaml(bagInformation({ ...content, topics: [] }, files, form));
  if (content.topics.length === 0) return whole;
  const entries = content.topics.map((topic) => indented(yaml([topicInformation(topic, form)]), INDENT));
  return whole.replace(`${TOPICS}: []\n`, () => `${TOPICS}:\n${entries.join('')}`);
}

function indented(text: string, by: string): string {
  return text.replace(/^(?=.)/gm, by);
}

function yaml(value: unknown): string {
  // No aliases: equal times are one object here, and users of yaml-cpp do not expect anchors.
  return new Document(value, { aliasDuplicateObjects: false }).toString({ lineWidth: 0, nullStr: '~' });
}
