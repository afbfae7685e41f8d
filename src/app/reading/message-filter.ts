import type { McapChannel } from '../../core/mcap/definitions.js';
import { matches } from '../../core/name-pattern.js';

export { matches };

/** Which messages are wanted; an absent field wants all. `*` in a name stands for any text. */
export interface MessageFilter {
  readonly topics?: readonly string[];
  /** Type names, `sensor_msgs/msg/Imu`. */
  readonly types?: readonly string[];
  readonly robots?: readonly string[];
  /** Log times, inclusive, nanoseconds since the Unix epoch. */
  readonly from?: bigint;
  readonly to?: bigint;
}

/** True when the channel can have wanted messages. */
export function wantsChannel(
  filter: MessageFilter,
  channel: McapChannel,
  robot: string | undefined,
): boolean {
  return (
    matches(filter.topics, channel.topic) &&
    matches(filter.types, channel.schema.name) &&
    (filter.robots === undefined || matches(filter.robots, robot ?? namespaceOf(channel.topic)))
  );
}

/** Recordings of others do not say the robot: there it is the first part of the topic. */
function namespaceOf(topic: string): string {
  return /^\/([^/]+)\//.exec(topic)?.[1] ?? '';
}
