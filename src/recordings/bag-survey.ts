import { basename } from 'node:path';
import { parse } from 'yaml';
import { defined } from '../core/defined.js';
import { HoldfastError } from '../core/errors.js';
import type { TimeRange } from '../core/mcap/block-reader.js';
import { CARRIED_KEY, type McapChannel } from '../core/mcap/definitions.js';
import { openMcap, type McapReader } from '../core/mcap/open-mcap.js';
import type { BagTopic } from '../core/mcap/rosbag2-metadata.js';
import { robotOf } from './open-segment.js';
import type { Segment } from './segments.js';

/** What `ros2 bag` will find in one MCAP, read from its index alone. */
export interface SurveyedFile {
  readonly segment: Segment;
  /** From the MCAP itself; absent in recordings of other tools. */
  readonly robot?: string;
  /** `high` or `low`: such objects of one robot overlap in time with those of the other classes. */
  readonly priority?: string;
  /** Topics with segments of their own, which overlap in time with those of the others. */
  readonly group?: string;
  readonly topics: readonly BagTopic[];
  /** All messages, including the carried ones. */
  readonly messages: number;
  readonly carried: number;
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  readonly rosDistro?: string;
  /** Topics left out because they are not CDR. */
  readonly foreignTopics: readonly string[];
}

/**
 * Throws `MCAP_UNREADABLE` if `ros2 bag` could not read the file either (no usable index, no statistics, a
 * channel without schema), and `SEGMENT_CORRUPT` if the file lies in the place of another robot or segment.
 */
export async function surveyFile(segment: Segment): Promise<SurveyedFile> {
  const reader = await openMcap(segment.readable(), segment.name);
  const robot = await robotOf(reader, segment);
  const { channelCounts, messageCount, channels, firstLogTime, lastLogTime } = reader;
  if (channelCounts === undefined || messageCount === undefined)
    throw unusable(segment, 'it has no statistics');
  const bare = channels.find(({ schemaMissing }) => schemaMissing !== undefined);
  if (bare !== undefined) throw unusable(segment, `channel ${bare.topic} has no schema`);
  if (await hasCompressedMessages(reader)) {
    throw unusable(
      segment,
      'rosbag2 compressed its messages, which the new metadata.yaml cannot say: use replay --format rosbag2',
    );
  }
  const topics: BagTopic[] = [];
  const foreign = new Set<string>();
  let carried = 0;
  for (const { id, topic, encoding, schema, metadata } of channels) {
    const messages = channelCounts.get(id) ?? 0;
    if (metadata[CARRIED_KEY] === 'true') carried += messages;
    if (encoding !== 'cdr') {
      foreign.add(topic);
      continue;
    }
    const offeredQos = metadata['offered_qos_profiles'];
    topics.push({
      topic,
      type: schema.name,
      encoding,
      offeredQos,
      typeHash: metadata['topic_type_hash'],
      messages,
    });
  }
  const priority = /[~-](high|low)\.mcap$/.exec(basename(segment.fileName ?? segment.name))?.[1];
  const rosDistro = await distroOf(reader);
  const group = (await reader.metadata('holdfast'))[0]?.metadata['group'];
  return {
    segment,
    ...defined({ robot, priority, group }),
    topics,
    messages: messageCount,
    carried,
    ...defined({ firstLogTime, lastLogTime, rosDistro }),
    foreignTopics: [...foreign],
  };
}

/** Looks at the first message: rosbag2 compresses all of them, or none. */
async function hasCompressedMessages(reader: McapReader): Promise<boolean> {
  if (reader.library.startsWith('holdfast')) return false;
  const select = ({ encoding }: McapChannel): TimeRange | undefined => (encoding === 'cdr' ? {} : undefined);
  for await (const { wasCompressed } of reader.messages({ select, onUnreadable: () => {} })) {
    return wasCompressed === true;
  }
  return false;
}

async function distroOf(reader: McapReader): Promise<string | undefined> {
  const record = (await reader.metadata('rosbag2'))[0]?.metadata;
  if (record?.['ROS_DISTRO'] !== undefined) return record['ROS_DISTRO'];
  try {
    const parsed: unknown = parse(record?.['serialized_metadata'] ?? '', { logLevel: 'silent' });
    const distro = (parsed as { ros_distro?: unknown } | null)?.ros_distro;
    return typeof distro === 'string' && distro !== '' ? distro : undefined;
  } catch {
    return undefined;
  }
}

function unusable({ name }: Segment, why: string): HoldfastError {
  return new HoldfastError('MCAP_UNREADABLE', `${name}: ros2 bag cannot read it: ${why}`, {
    facts: { name },
  });
}
