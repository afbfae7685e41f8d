import { DURABILITY, HISTORY, LIVELINESS, RELIABILITY, type OfferedQos } from './endpoints.js';

/** The QoS that a subscription requests, in rmw's numbers. */
export interface ReaderQos {
  readonly history: number;
  readonly depth: number;
  readonly reliability: number;
  readonly durability: number;
  readonly liveliness: number;
}

/** rclcpp's default for a subscription. */
export const rclcppDefaultQos: ReaderQos = {
  history: HISTORY.keep_last,
  depth: 10,
  reliability: RELIABILITY.reliable,
  durability: DURABILITY.volatile,
  liveliness: LIVELINESS.system_default,
};

/** For /clock: best effort matches reliable publishers too, and only the newest time matters. */
export const clockQos: ReaderQos = {
  history: HISTORY.keep_last,
  depth: 1,
  reliability: RELIABILITY.best_effort,
  durability: DURABILITY.volatile,
  liveliness: LIVELINESS.system_default,
};

/** An override in rosbag2's form; missing values have rclcpp's defaults. */
export type QosOverride = ReaderQos;

export interface ReaderRequest {
  readonly qos: ReaderQos;
  /** One sentence per policy on which the publishers differ. */
  readonly mixed: readonly string[];
  /** One sentence per publisher that is incompatible with an override. */
  readonly incompatible: readonly string[];
}

/** 0: keep everything until it is taken. */
export type ReaderDepth = number;

/** Types of cameras, clouds and maps, whose messages have megabytes. */
const LARGE_TYPES: ReadonlySet<string> = new Set([
  'foxglove_msgs/msg/CompressedImage',
  'foxglove_msgs/msg/PointCloud',
  'foxglove_msgs/msg/RawImage',
  'nav_msgs/msg/OccupancyGrid',
  'sensor_msgs/msg/CompressedImage',
  'sensor_msgs/msg/Image',
  'sensor_msgs/msg/PointCloud',
  'sensor_msgs/msg/PointCloud2',
  'stereo_msgs/msg/DisparityImage',
]);
/** rclcpp's and rosbag2's default is 10; this is half a second of a camera. */
const LARGE_DEPTH = 16;
/** Fast DDS refuses messages beyond its resource limits, which blocks the writer: its reader keeps this many. */
const BOUNDED_DEPTH = 5_000;

/** How many messages the middleware keeps of a type until a receiver takes them. */
export type DepthOf = (type: string, receiver: 'native' | 'rclnodejs') => ReaderDepth;

/**
 * The depth that is wanted, or else the one that suits the middleware: everything, or a bound. Below a bound, a reader
 * of Fast DDS keeps every message of which a part came, and 5,000 images would be 11 GB. The native receiver takes
 * messages at once, so it needs no such depth.
 */
export function depthRule(wanted: ReaderDepth | undefined, keepsAll: boolean): DepthOf {
  if (wanted !== undefined || keepsAll) return () => wanted ?? 0;
  return (type, receiver) => (receiver === 'native' && LARGE_TYPES.has(type) ? LARGE_DEPTH : BOUNDED_DEPTH);
}

/**
 * The QoS that matches every publisher: reliable and transient-local only if all offer it. Without publishers
 * it matches any that may come. The history is the reader's own choice and never affects compatibility.
 */
export function requestFor(
  offers: readonly OfferedQos[],
  depth: ReaderDepth,
  override?: QosOverride,
): ReaderRequest {
  if (override !== undefined) return { qos: override, mixed: [], incompatible: shutOut(offers, override) };
  const reliable = offers.filter((offer) => offer.reliability !== RELIABILITY.best_effort).length;
  const latched = offers.filter((offer) => offer.durability === DURABILITY.transient_local).length;
  const mixed: string[] = [];
  if (reliable > 0 && reliable < offers.length) {
    mixed.push(
      `${reliable} of ${offers.length} publishers are reliable, the others best effort: asked for best effort`,
    );
  }
  if (latched > 0 && latched < offers.length) {
    mixed.push(
      `${latched} of ${offers.length} publishers are transient-local, the others volatile: asked for volatile`,
    );
  }
  return {
    qos: {
      history: depth === 0 ? HISTORY.keep_all : HISTORY.keep_last,
      depth,
      reliability:
        offers.length > 0 && reliable === offers.length ? RELIABILITY.reliable : RELIABILITY.best_effort,
      durability:
        offers.length > 0 && latched === offers.length ? DURABILITY.transient_local : DURABILITY.volatile,
      liveliness: LIVELINESS.system_default,
    },
    mixed,
    incompatible: [],
  };
}

function shutOut(offers: readonly OfferedQos[], wanted: QosOverride): string[] {
  const reasons: string[] = [];
  const count = (isOut: (offer: OfferedQos) => boolean): number => offers.filter(isOut).length;
  const unreliable = count(
    (offer) => wanted.reliability === RELIABILITY.reliable && offer.reliability === RELIABILITY.best_effort,
  );
  if (unreliable > 0) {
    reasons.push(`${unreliable} of ${offers.length} publishers are best effort, the override wants reliable`);
  }
  const volatile = count(
    (offer) =>
      wanted.durability === DURABILITY.transient_local && offer.durability !== DURABILITY.transient_local,
  );
  if (volatile > 0) {
    reasons.push(
      `${volatile} of ${offers.length} publishers are volatile, the override wants transient local`,
    );
  }
  return reasons;
}

export function sameReaderQos(a: ReaderQos, b: ReaderQos): boolean {
  return (
    a.history === b.history &&
    a.depth === b.depth &&
    a.reliability === b.reliability &&
    a.durability === b.durability &&
    a.liveliness === b.liveliness
  );
}

/** From this value on, a duration means for ever: middlewares write it in several forms. */
export const FOREVER_SEC = 2_147_483_647n;

/**
 * Transient-local messages are carried into every segment, unless they expire. A message that a late
 * subscriber would not receive any more (log lines of /rosout after ten seconds) is not state.
 */
export function isLatched(offers: readonly OfferedQos[]): boolean {
  return offers.some(
    ({ durability, lifespan: { sec, nsec } }) =>
      durability === DURABILITY.transient_local && (sec >= FOREVER_SEC || (sec === 0n && nsec === 0)),
  );
}
