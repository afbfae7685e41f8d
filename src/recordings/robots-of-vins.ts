import { formatTime } from '../core/clock.js';
import { defined } from '../core/defined.js';
import { HoldfastError } from '../core/errors.js';
import { isVin } from '../core/vin.js';
import type { SegmentRow } from './list-segments.js';
import type { RobotFilter } from './message-filter.js';

/** What a manifest says about its robot. */
export interface RecordedRobot {
  /** Absent without a manifest. */
  readonly robot?: string;
  /** Absent: the recorder did not know it. */
  readonly vin?: string;
}

/** Whether one of these names may be a VIN, so that manifests must be read to know whose it is. */
export function mayNameVin(robots: readonly string[] | undefined): robots is readonly string[] {
  return robots?.some(isVin) === true;
}

/**
 * Names and VINs as a filter: a VIN stands for every robot that recorded with it, and only for its recordings with
 * this VIN or without any. A name that was given stands for all its recordings. Reads `recorded` only if one of the
 * names has the form of a VIN; memory is bounded by the robots in it.
 */
export async function robotsOfVins(
  given: readonly string[] | undefined,
  recorded: () => AsyncIterable<RecordedRobot> | Iterable<RecordedRobot>,
): Promise<RobotFilter> {
  if (!mayNameVin(given)) return defined({ robots: given });
  const vins = new Set(given.filter(isVin));
  const vehicles = new Map<string, Set<string>>();
  for await (const { robot, vin } of recorded()) {
    if (robot === undefined || vin === undefined || !vins.has(vin) || given.includes(robot)) continue;
    vehicles.set(robot, (vehicles.get(robot) ?? new Set()).add(vin));
  }
  // A VIN stays in the list: a robot may be named by it.
  return { robots: [...given, ...[...vehicles.keys()].sort()], vehicles };
}

/** When a robot recorded with a VIN. */
interface Recorded {
  readonly vins: Set<string>;
  first: bigint | undefined;
  last: bigint | undefined;
}

/**
 * The robot with a name or VIN, for what concerns exactly one; a VIN that no manifest has is taken for a name. Throws
 * `CONFIG_INVALID` if several robots recorded with the VIN, or if its robot recorded with another VIN too: both are
 * named.
 */
export async function robotNamed(
  given: string,
  recorded: () => AsyncIterable<RecordedRobot & Pick<SegmentRow, 'firstLogTime' | 'lastLogTime'>>,
): Promise<string> {
  if (!isVin(given)) return given;
  const robots = new Map<string, Recorded>();
  for await (const { robot, vin, firstLogTime: first, lastLogTime: last } of recorded()) {
    if (robot === given) return given;
    if (robot === undefined || vin === undefined) continue;
    const one = robots.get(robot) ?? { vins: new Set(), first: undefined, last: undefined };
    robots.set(robot, one);
    one.vins.add(vin);
    if (vin !== given || first === undefined || last === undefined) continue;
    if (one.first === undefined || BigInt(first) < one.first) one.first = BigInt(first);
    if (one.last === undefined || BigInt(last) > one.last) one.last = BigInt(last);
  }
  const found = [...robots].filter(([, { vins }]) => vins.has(given));
  const [only, ...others] = found;
  if (only === undefined) return given;
  if (others.length > 0)
    throw ambiguous(given, `is the VIN of ${found.map(describeRobot).join(' and ')}; give the name of one`);
  const [robot, { vins }] = only;
  const another = [...vins].filter((vin) => vin !== given);
  if (another.length > 0)
    throw ambiguous(
      given,
      `is a VIN of the robot ${robot}, which also recorded as ${another.join(' and ')}; give its name`,
    );
  return robot;
}

function describeRobot([robot, { first, last }]: readonly [string, Recorded]): string {
  if (first === undefined || last === undefined) return robot;
  return `${robot} (${formatTime(first)} to ${formatTime(last)})`;
}

function ambiguous(vin: string, why: string): HoldfastError {
  return new HoldfastError('CONFIG_INVALID', `${vin} ${why}`, { facts: { vin } });
}
