import {
  DURABILITY,
  HISTORY,
  LIVELINESS,
  RELIABILITY,
  type OfferedQos,
  type RosDuration,
} from './endpoints.js';

/**
 * `offered_qos_profiles` of an MCAP channel, exactly as rosbag2 writes it: policies as words since Jazzy (bag
 * format 9), as numbers before.
 */
export function offeredQosYaml(offers: readonly OfferedQos[], distro: string): string {
  if (offers.length === 0) return '';
  const asNumbers = distro === 'humble' || distro === 'iron';
  return offers.map((offer) => profileYaml(offer, asNumbers)).join('\n');
}

function profileYaml(offer: OfferedQos, asNumbers: boolean): string {
  const policy = (names: Readonly<Record<string, number>>, value: number): string =>
    asNumbers ? String(value) : (Object.keys(names).find((name) => names[name] === value) ?? 'unknown');
  return [
    `- history: ${policy(HISTORY, offer.history)}`,
    `  depth: ${offer.depth}`,
    `  reliability: ${policy(RELIABILITY, offer.reliability)}`,
    `  durability: ${policy(DURABILITY, offer.durability)}`,
    ...durationYaml('deadline', offer.deadline),
    ...durationYaml('lifespan', offer.lifespan),
    `  liveliness: ${policy(LIVELINESS, offer.liveliness)}`,
    ...durationYaml('liveliness_lease_duration', offer.livelinessLease),
    `  avoid_ros_namespace_conventions: ${offer.avoidRosNamespaceConventions}`,
  ].join('\n');
}

function durationYaml(name: string, { sec, nsec }: RosDuration): string[] {
  return [`  ${name}:`, `    sec: ${sec}`, `    nsec: ${nsec}`];
}
