import { parse } from 'yaml';
import { unixLines } from '../../core/line-ends.js';
import { HoldfastError } from '../../core/errors.js';
import { DURABILITY, HISTORY, LIVELINESS, RELIABILITY } from './endpoints.js';
import { rclcppDefaultQos, type QosOverride } from './reader-qos.js';

const MAX_TEXT = 1024 * 1024;
const policies = {
  history: HISTORY,
  reliability: RELIABILITY,
  durability: DURABILITY,
  liveliness: LIVELINESS,
} as const;
/** Accepted as in rosbag2; they do not decide which messages a subscription receives. */
const ignored = ['deadline', 'lifespan', 'liveliness_lease_duration', 'avoid_ros_namespace_conventions'];

/**
 * Reads rosbag2's `--qos-profile-overrides-path` file: topic names with policies in words.
 *
 * @throws HoldfastError CONFIG_INVALID with every fault and what is allowed.
 */
export function parseQosOverrides(text: string, file: string): ReadonlyMap<string, QosOverride> {
  const faults: string[] = [];
  const overrides = new Map<string, QosOverride>();
  let root: unknown;
  try {
    if (text.length > MAX_TEXT) throw new Error(`larger than ${MAX_TEXT} bytes`);
    root = parse(unixLines(text), { logLevel: 'error' });
  } catch (cause) {
    throw new HoldfastError('CONFIG_INVALID', `QoS overrides ${file}: not YAML`, { cause });
  }
  if (root === null || root === undefined) return overrides;
  if (!isMap(root)) {
    throw new HoldfastError('CONFIG_INVALID', `QoS overrides ${file}: must map topics to policies`);
  }
  for (const [topic, profile] of Object.entries(root)) {
    if (!topic.startsWith('/')) faults.push(`${topic}: topics are given with their full name, as /${topic}`);
    if (!isMap(profile)) {
      faults.push(`${topic}: must hold policies such as reliability: reliable`);
      continue;
    }
    overrides.set(topic, readProfile(topic, profile, faults));
  }
  if (faults.length > 0) {
    throw new HoldfastError('CONFIG_INVALID', `QoS overrides ${file}: ${faults.join('; ')}`, {
      facts: { file, faults },
    });
  }
  return overrides;
}

function readProfile(topic: string, profile: Record<string, unknown>, faults: string[]): QosOverride {
  // Missing values have rclcpp's defaults, as in rosbag2.
  const values = { ...rclcppDefaultQos };
  for (const [name, value] of Object.entries(profile)) {
    if (Object.hasOwn(policies, name)) {
      const names = policies[name as keyof typeof policies] as Readonly<Record<string, number>>;
      const number =
        typeof value === 'string' && value !== 'unknown' && Object.hasOwn(names, value)
          ? names[value]
          : undefined;
      if (number !== undefined) values[name as keyof typeof policies] = number;
      else {
        const allowed = Object.keys(names).filter((word) => word !== 'unknown');
        faults.push(`${topic}: ${name} "${String(value)}" is not one of ${allowed.join(', ')}`);
      }
    } else if (name === 'depth') {
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31) {
        values.depth = value;
      } else faults.push(`${topic}: depth "${String(value)}" is not a whole number from 0`);
    } else if (!ignored.includes(name)) {
      const allowed = [...Object.keys(policies), 'depth', ...ignored];
      faults.push(`${topic}: unknown policy ${name}; allowed are ${allowed.join(', ')}`);
    }
  }
  return values;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
