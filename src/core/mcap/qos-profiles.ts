import { parse, stringify } from 'yaml';

/** Longer texts are not parsed: no list of offers is that long. */
const MAX_TEXT = 1024 * 1024;
/** rmw's "infinite", as rosbag2 writes an unset duration. */
const INFINITE = { sec: 9223372036, nsec: 854775807 };

/** Policy names by the number that rosbag2 wrote before Jazzy (`rmw/types.h`). */
const NAMES = {
  history: ['system_default', 'keep_last', 'keep_all', 'unknown'],
  reliability: ['system_default', 'reliable', 'best_effort', 'unknown', 'best_available'],
  durability: ['system_default', 'transient_local', 'volatile', 'unknown', 'best_available'],
  liveliness: ['system_default', 'automatic', 'manual_by_node', 'manual_by_topic', 'unknown'],
} as const;

/** rclcpp's default for a missing value. */
const DEFAULTS = {
  history: 'keep_last',
  reliability: 'reliable',
  durability: 'volatile',
  liveliness: 'automatic',
};

/**
 * The profiles of a channel's `offered_qos_profiles` in the form of Jazzy's metadata.yaml: policies by name,
 * every field present (`ros2 bag` refuses a whole bag for one missing field). Returns an empty list for text
 * that is not a list of profiles.
 */
export function jazzyProfiles(text: string | undefined): Record<string, unknown>[] {
  if (text === undefined || text === '' || text.length > MAX_TEXT) return [];
  let parsed: unknown;
  try {
    parsed = parse(text, { logLevel: 'silent', intAsBigInt: true });
  } catch {
    return [];
  }
  return Array.isArray(parsed) ? parsed.filter(isMap).map(profile) : [];
}

/** The same profiles as the text that `ros2 bag` of Humble reads: policies by number; empty if there are none. */
export function humbleProfiles(text: string | undefined): string {
  const profiles = jazzyProfiles(text).map((one) => ({
    ...one,
    history: numberOf('history', one),
    reliability: numberOf('reliability', one),
    durability: numberOf('durability', one),
    liveliness: numberOf('liveliness', one),
  }));
  return profiles.length === 0 ? '' : stringify(profiles, { aliasDuplicateObjects: false }).trimEnd();
}

function numberOf(name: keyof typeof NAMES, { [name]: value }: Record<string, unknown>): number {
  const names: readonly unknown[] = NAMES[name];
  return names.indexOf(names.includes(value) ? value : DEFAULTS[name]);
}

function profile(given: Record<string, unknown>): Record<string, unknown> {
  return {
    history: policy('history', given),
    depth: wholeNumber(given['depth'], 10),
    reliability: policy('reliability', given),
    durability: policy('durability', given),
    deadline: duration(given['deadline']),
    lifespan: duration(given['lifespan']),
    liveliness: policy('liveliness', given),
    liveliness_lease_duration: duration(given['liveliness_lease_duration']),
    avoid_ros_namespace_conventions: given['avoid_ros_namespace_conventions'] === true,
  };
}

function policy(name: keyof typeof NAMES, given: Record<string, unknown>): string {
  const value = given[name];
  if (typeof value === 'bigint') return NAMES[name][Number(value)] ?? DEFAULTS[name];
  return typeof value === 'string' && value !== '' ? value : DEFAULTS[name];
}

function duration(value: unknown): Record<string, unknown> {
  if (!isMap(value)) return INFINITE;
  return { sec: wholeNumber(value['sec'], INFINITE.sec), nsec: wholeNumber(value['nsec'], INFINITE.nsec) };
}

function wholeNumber(value: unknown, otherwise: number): bigint | number {
  return typeof value === 'bigint' && value >= 0n ? value : otherwise;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
