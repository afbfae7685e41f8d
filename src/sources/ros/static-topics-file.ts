import { parse } from 'yaml';
import { HoldfastError } from '../../core/errors.js';
import { unixLines } from '../../core/line-ends.js';
import { parseStaticTopic, repeatedTopics, STATIC_TOPIC_FORM, type StaticTopic } from './static-topics.js';

/** Key of the list in rosbag2's file. */
const LIST = 'static_topics_and_types_list';
const MAX_TEXT = 1024 * 1024;

/**
 * Reads the file of `ros2 bag record --static-topics-path`: a list of pairs of name and type.
 *
 * @throws HoldfastError CONFIG_INVALID with every fault and what is allowed.
 */
export function parseStaticTopicsFile(text: string, file: string): readonly StaticTopic[] {
  const refuse = (what: string, cause?: unknown): HoldfastError =>
    new HoldfastError('CONFIG_INVALID', `static topics ${file}: ${what}`, { cause });
  let root: unknown;
  try {
    if (text.length > MAX_TEXT) throw new Error(`larger than ${MAX_TEXT} bytes`);
    root = parse(unixLines(text), { logLevel: 'error' });
  } catch (cause) {
    throw refuse('not YAML', cause);
  }
  const list = (root as Record<string, unknown> | null)?.[LIST];
  if (!Array.isArray(list))
    throw refuse(`must have a list ${LIST} of pairs such as [/imu, sensor_msgs/msg/Imu]`);
  const topics: StaticTopic[] = [];
  const faults: string[] = [];
  for (const pair of list as unknown[]) {
    const isPair = Array.isArray(pair) && pair.length === 2;
    const one = isPair ? parseStaticTopic(pair.join(' ')) : undefined;
    if (one) topics.push(one);
    else faults.push(`${JSON.stringify(pair)} is not ${STATIC_TOPIC_FORM.replace(/,.*/, '')}`);
  }
  for (const topic of repeatedTopics(topics)) faults.push(`${topic} is there more than once`);
  if (faults.length > 0) throw refuse(faults.join('; '));
  return topics;
}
