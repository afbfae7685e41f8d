/** The part of a ROS 2 QoS profile that differs between the fleet's topics. */
export interface Qos {
  readonly depth: number;
  readonly reliability: 'reliable' | 'best_effort';
  readonly durability: 'volatile' | 'transient_local';
}

export const sensorQos: Qos = { depth: 5, reliability: 'best_effort', durability: 'volatile' };
export const defaultQos: Qos = { depth: 10, reliability: 'reliable', durability: 'volatile' };
export const transformQos: Qos = { depth: 100, reliability: 'reliable', durability: 'volatile' };
export const latchedQos: Qos = { depth: 1, reliability: 'reliable', durability: 'transient_local' };

const INFINITE = '    sec: 9223372036\n    nsec: 854775807';

/** `offered_qos_profiles` as rosbag2 (Jazzy) writes it into MCAP: a YAML list of one profile. */
export function qosYaml({ depth, reliability, durability }: Qos): string {
  return [
    '- history: keep_last',
    `  depth: ${depth}`,
    `  reliability: ${reliability}`,
    `  durability: ${durability}`,
    '  deadline:',
    INFINITE,
    '  lifespan:',
    INFINITE,
    '  liveliness: automatic',
    '  liveliness_lease_duration:',
    INFINITE,
    '  avoid_ros_namespace_conventions: false',
  ].join('\n');
}
