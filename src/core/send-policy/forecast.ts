/** A sealed segment that is sent, or was. */
export interface ForecastSegment {
  readonly robot: string;
  readonly bytes: number;
  /** Parts that it is sent in. */
  readonly parts: number;
  /** Nanoseconds since the Unix epoch. */
  readonly firstNs: bigint;
  readonly lastNs: bigint;
}

/** What one robot will send on a day, at the rate of its last segments. */
export interface RobotForecast {
  /** Empty: the sum of all further robots. */
  readonly robot: string;
  readonly bytesPerDay: number;
  readonly objectsPerDay: number;
  readonly requestsPerDay: number;
}

/** The segment and its manifest. */
export const OBJECTS_PER_SEGMENT = 2;
/** Verify, put the manifest, and confirm: id, mark, object, manifest, id and mark. */
const REQUESTS_AFTER_SENDING = 8;
const DAY_NS = 86_400_000_000_000n;
/** Shorter recordings give no rate. */
const MIN_SPAN_NS = 10_000_000_000n;
/** Robots that a forecast names; the others are summed up. */
export const FORECAST_ROBOTS_MAX = 50;

/** Requests for one segment, if none fails: a small one is put, a larger one is begun, sent in parts, and completed. */
export function requestsFor(parts: number): number {
  return (parts <= 1 ? 1 : parts + 2) + REQUESTS_AFTER_SENDING;
}

/** The rate of the last day of each robot, the largest first. */
export function forecastByRobot(segments: Iterable<ForecastSegment>): RobotForecast[] {
  const byRobot = new Map<string, ForecastSegment[]>();
  for (const segment of segments) {
    const of = byRobot.get(segment.robot);
    if (of) of.push(segment);
    else byRobot.set(segment.robot, [segment]);
  }
  const all = [...byRobot].flatMap(([robot, of]) => forecastOf(robot, of));
  all.sort((a, b) => b.bytesPerDay - a.bytesPerDay);
  if (all.length <= FORECAST_ROBOTS_MAX) return all;
  const others = all.slice(FORECAST_ROBOTS_MAX).reduce((a, b) => ({
    robot: '',
    bytesPerDay: a.bytesPerDay + b.bytesPerDay,
    objectsPerDay: a.objectsPerDay + b.objectsPerDay,
    requestsPerDay: a.requestsPerDay + b.requestsPerDay,
  }));
  return [...all.slice(0, FORECAST_ROBOTS_MAX), { ...others, robot: '' }];
}

function forecastOf(robot: string, segments: readonly ForecastSegment[]): RobotForecast[] {
  const newest = segments.reduce((last, one) => (one.lastNs > last ? one.lastNs : last), 0n);
  const recent = segments.filter(({ lastNs }) => lastNs > newest - DAY_NS);
  const oldest = recent.reduce((first, one) => (one.firstNs < first ? one.firstNs : first), newest);
  if (newest - oldest < MIN_SPAN_NS) return [];
  const perDay = Number(DAY_NS) / Number(newest - oldest);
  const sum = (value: (segment: ForecastSegment) => number): number =>
    Math.round(recent.reduce((total, one) => total + value(one), 0) * perDay);
  return [
    {
      robot,
      bytesPerDay: sum(({ bytes }) => bytes),
      objectsPerDay: sum(() => OBJECTS_PER_SEGMENT),
      requestsPerDay: sum(({ parts }) => requestsFor(parts)),
    },
  ];
}
