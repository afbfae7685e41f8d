/** Numbers of rmw/types.h, the same in every distribution. */
export const HISTORY = { system_default: 0, keep_last: 1, keep_all: 2, unknown: 3 } as const;
export const RELIABILITY = {
  system_default: 0,
  reliable: 1,
  best_effort: 2,
  unknown: 3,
  best_available: 4,
} as const;
export const DURABILITY = {
  system_default: 0,
  transient_local: 1,
  volatile: 2,
  unknown: 3,
  best_available: 4,
} as const;
export const LIVELINESS = {
  system_default: 0,
  automatic: 1,
  manual_by_topic: 3,
  unknown: 4,
  best_available: 5,
} as const;

export interface RosDuration {
  readonly sec: bigint;
  readonly nsec: number;
}

/** The QoS that a publisher offers, in rmw's numbers. */
export interface OfferedQos {
  readonly history: number;
  readonly depth: number;
  readonly reliability: number;
  readonly durability: number;
  readonly deadline: RosDuration;
  readonly lifespan: RosDuration;
  readonly liveliness: number;
  readonly livelinessLease: RosDuration;
  readonly avoidRosNamespaceConventions: boolean;
}

/** One publisher of a topic, as the graph reports it. */
export interface Publisher {
  readonly node: string;
  /** `/` or `/robot_1/arm`. */
  readonly namespace: string;
  readonly type: string;
  /** `RIHS01_` and 64 hex digits; empty if the distribution or the publisher has none. */
  readonly typeHash: string;
  /** Hex digits of the endpoint's identifier. */
  readonly gid: string;
  readonly qos: OfferedQos;
}

/**
 * The publisher was discovered before the name of its node, as happens with Fast DDS. Publishers outside ROS
 * have no name at all.
 */
export function isUnidentified({ node, namespace }: Pick<Publisher, 'node' | 'namespace'>): boolean {
  return node === '_NODE_NAME_UNKNOWN_' || namespace === '_NODE_NAMESPACE_UNKNOWN_';
}

/** The part of an identifier that messages and the graph share: 16 bytes as hex digits. */
export function publisherKey(gid: string): string {
  return gid.slice(0, 32);
}

/** How long to wait for the name of a publisher's node after it was first seen. */
export const IDENTITY_WAIT_NS = 3_000_000_000n;

/** Reads the result of `Node.getPublishersInfoByTopic`. */
export function toPublisher(info: unknown): Publisher {
  const endpoint = info as RawEndpoint;
  const qos = endpoint.qos_profile;
  return {
    node: endpoint.node_name,
    namespace: endpoint.node_namespace,
    type: endpoint.topic_type,
    typeHash: typeHashText(endpoint.topic_type_hash),
    gid: Buffer.from(endpoint.endpoint_gid).toString('hex'),
    qos: {
      history: qos.history,
      depth: qos.depth,
      reliability: qos.reliability,
      durability: qos.durability,
      deadline: toDuration(qos.deadline),
      lifespan: toDuration(qos.lifespan),
      liveliness: qos.liveliness,
      livelinessLease: toDuration(qos.liveliness_lease_duration),
      avoidRosNamespaceConventions: qos.avoid_ros_namespace_conventions,
    },
  };
}

interface RawDuration {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

interface RawEndpoint {
  readonly node_name: string;
  readonly node_namespace: string;
  readonly topic_type: string;
  readonly topic_type_hash?: { readonly version: number; readonly value: Uint8Array };
  readonly endpoint_gid: readonly number[];
  readonly qos_profile: {
    readonly history: number;
    readonly depth: number;
    readonly reliability: number;
    readonly durability: number;
    readonly deadline: RawDuration;
    readonly lifespan: RawDuration;
    readonly liveliness: number;
    readonly liveliness_lease_duration: RawDuration;
    readonly avoid_ros_namespace_conventions: boolean;
  };
}

function toDuration({ seconds, nanoseconds }: RawDuration): RosDuration {
  return { sec: seconds, nsec: nanoseconds };
}

function typeHashText(hash: RawEndpoint['topic_type_hash']): string {
  if (hash === undefined || hash.version === 0) return '';
  return `RIHS${String(hash.version).padStart(2, '0')}_${Buffer.from(hash.value).toString('hex')}`;
}
