import type { McapChannel } from '../../core/mcap/definitions.js';

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

export function matches(patterns: readonly string[] | undefined, text: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matchesOne(pattern, text));
}

/** Without backtracking over the whole: each piece between stars is looked for once, from left to right. */
function matchesOne(pattern: string, text: string): boolean {
  const pieces = pattern.split('*');
  if (pieces.length === 1) return pattern === text;
  const first = pieces.shift()!;
  const last = pieces.pop()!;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
