/** A topic that is subscribed to before it has a publisher. */
export interface StaticTopic {
  /** With a leading slash. */
  readonly topic: string;
  /** `pkg/msg/Type`. */
  readonly type: string;
}

export const STATIC_TOPIC_FORM =
  'a full topic name and its type, each topic once, for example "/imu sensor_msgs/msg/Imu"';

const TOPIC = /^(\/[A-Za-z_][A-Za-z0-9_]*)+$/;
const TYPE = /^[a-z][a-z0-9_]*\/(msg|srv|action)\/[A-Za-z][A-Za-z0-9_]*$/;

/** Reads `/imu sensor_msgs/msg/Imu`; undefined for anything else. */
export function parseStaticTopic(text: string): StaticTopic | undefined {
  const [topic = '', type = '', ...more] = text.trim().split(/\s+/);
  return more.length === 0 && TOPIC.test(topic) && TYPE.test(type) ? { topic, type } : undefined;
}

/** The names that are there more than once. */
export function repeatedTopics(topics: readonly StaticTopic[]): readonly string[] {
  const names = topics.map(({ topic }) => topic);
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}
