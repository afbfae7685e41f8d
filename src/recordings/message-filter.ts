import type { McapChannel } from '../core/mcap/definitions.js';
import { defined } from '../core/defined.js';
import { matches } from '../core/name-pattern.js';
import { parseTime } from '../core/parse-time.js';

export { matches };

/** Selects robots; an absent field selects all. */
export interface RobotFilter {
  /** `*` stands for any text. */
  readonly robots?: readonly string[];
  /** The robots that were chosen by VIN: only their recordings with one of these VINs, or without any, are wanted. */
  readonly vehicles?: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Selects messages; an absent field selects all. `*` in a name stands for any text. */
export interface MessageFilter extends RobotFilter {
  readonly topics?: readonly string[];
  /** Type names, `sensor_msgs/msg/Imu`. */
  readonly types?: readonly string[];
  /** Log times, inclusive, nanoseconds since the Unix epoch. */
  readonly from?: bigint;
  readonly to?: bigint;
}

/** What options give for the members of a {@link MessageFilter}: lists of names, and times as text. */
export type GivenFilter = { readonly [Name in Exclude<keyof MessageFilter, 'vehicles'>]-?: unknown };

/** The filter that options choose. `onFault` is called for each time that {@link parseTime} does not take. */
export function parseMessageFilter(
  { topics, types, robots, from, to }: GivenFilter,
  onFault: (which: 'from' | 'to', text: string) => void,
): MessageFilter {
  const names = (given: unknown): readonly string[] | undefined => given as readonly string[] | undefined;
  const time = (which: 'from' | 'to', given: unknown): bigint | undefined => {
    const text = given as string | undefined;
    const value = text === undefined ? undefined : parseTime(text);
    if (text !== undefined && value === undefined) onFault(which, text);
    return value;
  };
  return defined({
    topics: names(topics),
    types: names(types),
    robots: names(robots),
    from: time('from', from),
    to: time('to', to),
  });
}

/**
 * True if recordings of a robot are wanted.
 *
 * @param vin - By the manifest; undefined: it has none.
 */
export function wantsRobot(
  { robots, vehicles }: RobotFilter,
  robot: string,
  vin: string | undefined,
): boolean {
  const vins = vehicles?.get(robot);
  return matches(robots, robot) && (vins === undefined || vin === undefined || vins.has(vin));
}

/** True if the channel can have wanted messages. */
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

/** Recordings of other tools have no robot: it is the first part of the topic. */
function namespaceOf(topic: string): string {
  return /^\/([^/]+)\//.exec(topic)?.[1] ?? '';
}
