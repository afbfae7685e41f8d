import type { HistoryStatus } from './history/history-writer.js';
import type { RobotView } from './robot-state.js';

/** A metric of each robot. */
interface RobotMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** Undefined: unknown, and absent. */
  readonly value: (robot: RobotView) => number | undefined;
}

const metrics: readonly RobotMetric[] = [
  {
    ...{ name: 'holdfast_ground_robot_connected', type: 'gauge', help: '1 while the robot is connected.' },
    value: ({ connected }) => (connected ? 1 : 0),
  },
  {
    ...{ name: 'holdfast_ground_messages_total', type: 'counter', help: 'Messages received from the robot.' },
    value: ({ messages }) => messages,
  },
  {
    ...{ name: 'holdfast_ground_received_bytes_total', type: 'counter', help: 'Bytes of these messages.' },
    value: ({ bytes }) => bytes,
  },
  {
    ...{ name: 'holdfast_ground_samples_total', type: 'counter', help: 'Samples of all fields at a tick.' },
    value: ({ samples }) => samples,
  },
  {
    ...{ name: 'holdfast_ground_telemetry_bytes_total', type: 'counter', help: 'Bytes of live telemetry.' },
    value: ({ telemetryBytes }) => telemetryBytes,
  },
  {
    ...{ name: 'holdfast_ground_protobuf_bytes_total', type: 'counter' },
    help: 'Bytes of the same samples as Protocol Buffers messages of doubles.',
    value: ({ fullBytes }) => fullBytes,
  },
  {
    ...{ name: 'holdfast_ground_json_bytes_total', type: 'counter' },
    ...{ help: 'Bytes of the same samples as JSON objects.', value: ({ jsonBytes }) => jsonBytes },
  },
  {
    ...{
      name: 'holdfast_ground_gaps_total',
      type: 'counter',
      help: 'Frames that did not continue the last one.',
    },
    value: ({ gaps }) => gaps,
  },
  {
    ...{
      name: 'holdfast_ground_unusable_messages_total',
      type: 'counter',
      help: 'Messages that cannot be read.',
    },
    value: ({ unusable }) => unusable,
  },
  {
    ...{
      name: 'holdfast_ground_outbox_samples_total',
      type: 'counter',
      help: 'Samples of all fields at a tick that waited on the robot.',
    },
    value: ({ outboxSamples }) => outboxSamples,
  },
  {
    ...{ name: 'holdfast_ground_robot_pending_bytes', type: 'gauge' },
    help: 'Bytes that the robot has recorded and that are in no store, as it reported last.',
    value: ({ status }) => status?.pendingBytes,
  },
  {
    ...{ name: 'holdfast_ground_robot_oldest_unsynced_timestamp_seconds', type: 'gauge' },
    help: 'When the oldest message was recorded that is in no store, on the clock of the ground.',
    value: ({ unsyncedSince }) => (unsyncedSince === null ? undefined : Date.parse(unsyncedSince) / 1_000),
  },
  {
    ...{ name: 'holdfast_ground_robot_disk_time_to_full_seconds', type: 'gauge' },
    help: 'Time until the disk of the robot is full; absent: it does not fill.',
    value: ({ status }) =>
      status?.diskTimeToFullMs === undefined ? undefined : status.diskTimeToFullMs / 1_000,
  },
  {
    ...{ name: 'holdfast_ground_robot_dropped_messages', type: 'gauge' },
    help: 'Messages that the recorder of the robot has dropped since its start.',
    value: ({ status }) => status?.dropped,
  },
  {
    ...{ name: 'holdfast_ground_robot_lost_segments', type: 'gauge' },
    help: 'Segments of the robot of which no copy is known.',
    value: ({ status }) => status?.lostSegments,
  },
];

/** A metric of the history: values of single fields. */
interface HistoryMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly value: (history: HistoryStatus) => number;
}

const historyMetrics: readonly HistoryMetric[] = [
  {
    ...{ name: 'holdfast_ground_history_stored_total', type: 'counter', help: 'Values that are durable.' },
    value: ({ stored }) => stored,
  },
  {
    ...{ name: 'holdfast_ground_history_repeated_total', type: 'counter' },
    ...{ help: 'Values that came again and were stored already.', value: ({ repeated }) => repeated },
  },
  {
    ...{ name: 'holdfast_ground_history_refused_total', type: 'counter' },
    ...{ help: 'Values that cannot be stored.', value: ({ refused }) => refused },
  },
  {
    ...{ name: 'holdfast_ground_history_dropped_total', type: 'counter' },
    ...{ help: 'Values that came while too many waited.', value: ({ dropped }) => dropped },
  },
  {
    ...{ name: 'holdfast_ground_history_waiting', type: 'gauge', help: 'Values that wait for the database.' },
    value: ({ waiting }) => waiting,
  },
  {
    ...{
      name: 'holdfast_ground_history_writable',
      type: 'gauge',
      help: '1 while the history can be stored.',
    },
    value: ({ problem }) => (problem === '' ? 1 : 0),
  },
];

/** The metrics of the history in Prometheus' text format. */
export function renderHistoryMetrics(history: HistoryStatus): string {
  return historyMetrics
    .map(
      ({ name, help, type, value }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value(history)}\n`,
    )
    .join('');
}

/** Holes by state, and values that were filled in (`HoleCounts`). */
export interface HoleFigures {
  readonly open: number;
  readonly filled: number;
  readonly lost: number;
  readonly values: number;
}

/** The metrics of the holes of the history in Prometheus' text format. */
export function renderHoleMetrics({ values, ...states }: HoleFigures): string {
  const lines = Object.entries(states).map(
    ([state, holes]) => `holdfast_ground_holes{state="${state}"} ${holes}\n`,
  );
  return (
    '# HELP holdfast_ground_holes Holes of the history: samples that left a full outbox.\n' +
    `# TYPE holdfast_ground_holes gauge\n${lines.join('')}` +
    '# HELP holdfast_ground_hole_values Values that were filled in from segments.\n' +
    `# TYPE holdfast_ground_hole_values gauge\nholdfast_ground_hole_values ${values}\n`
  );
}

/** The metrics of a fleet in Prometheus' text format. Names of robots need no escaping (`RobotRegistry`). */
export function renderGroundMetrics(robots: readonly RobotView[]): string {
  const rendered = metrics.map(({ name, help, type, value }) => {
    const lines = robots.flatMap((robot) => {
      const now = value(robot);
      return now === undefined ? [] : [`${name}{robot="${robot.robot}"} ${now}\n`];
    });
    return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
  });
  return [renderInfo(robots), ...rendered].join('');
}

function renderInfo(robots: readonly RobotView[]): string {
  const name = 'holdfast_ground_robot_info';
  const lines = robots.map(
    ({ robot, vin, version }) =>
      `${name}{robot="${robot}",vin="${labelText(vin)}",version="${labelText(version)}"} 1\n`,
  );
  return `# HELP ${name} VIN and version of the robot, empty if it does not say them.\n# TYPE ${name} gauge\n${lines.join('')}`;
}

/** What a robot says can have any character. */
function labelText(text: string): string {
  return text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
}
