import { isText } from '../../exporters/columns/batch.js';
import type { FlatColumn } from '../../exporters/columns/flat-columns.js';

/** One chart of a topic: fields of one unit together. */
export interface ChartPlan {
  readonly title: string;
  readonly unit: string;
  /** Dotted names. */
  readonly fields: readonly string[];
}

/** Where a type has the position of the robot. */
export interface TrackPlan {
  readonly kind: 'plane' | 'geographic';
  readonly x: string;
  readonly y: string;
  /** Dotted name of the frame of the position. */
  readonly frame?: string;
}

/** What is drawn of the messages of a type. */
export interface TypePlan {
  readonly charts: readonly ChartPlan[];
  readonly track?: TrackPlan;
  readonly isBattery?: boolean;
}

const chart = (title: string, unit: string, ...fields: readonly string[]): ChartPlan => ({
  title,
  unit,
  fields,
});
const vector = (title: string, unit: string, name: string): ChartPlan =>
  chart(title, unit, `${name}.x`, `${name}.y`, `${name}.z`);
const twist = (prefix: string): ChartPlan[] => [
  chart('velocity', 'm/s', `${prefix}linear.x`, `${prefix}linear.y`),
  chart('turn rate', 'rad/s', `${prefix}angular.z`),
];
const position = (prefix: string): TrackPlan => ({
  kind: 'plane',
  x: `${prefix}position.x`,
  y: `${prefix}position.y`,
  frame: 'header.frame_id',
});
const one = (field: string, title: string, unit: string): TypePlan => ({
  charts: [chart(title, unit, field)],
});
const nothing: TypePlan = { charts: [] };

/** What is worth drawing of the common types. */
const known: Readonly<Record<string, TypePlan>> = {
  'sensor_msgs/msg/Imu': {
    charts: [
      vector('angular velocity', 'rad/s', 'angular_velocity'),
      vector('linear acceleration', 'm/s²', 'linear_acceleration'),
    ],
  },
  'nav_msgs/msg/Odometry': { charts: twist('twist.twist.'), track: position('pose.pose.') },
  'geometry_msgs/msg/Twist': { charts: twist('') },
  'geometry_msgs/msg/TwistStamped': { charts: twist('twist.') },
  'geometry_msgs/msg/PoseStamped': { charts: [], track: position('pose.') },
  'geometry_msgs/msg/PoseWithCovarianceStamped': { charts: [], track: position('pose.pose.') },
  'geometry_msgs/msg/PointStamped': {
    charts: [],
    track: { kind: 'plane', x: 'point.x', y: 'point.y', frame: 'header.frame_id' },
  },
  'geometry_msgs/msg/WrenchStamped': {
    charts: [vector('force', 'N', 'wrench.force'), vector('torque', 'N m', 'wrench.torque')],
  },
  'geometry_msgs/msg/AccelStamped': { charts: [vector('acceleration', 'm/s²', 'accel.linear')] },
  'sensor_msgs/msg/NavSatFix': {
    charts: [chart('altitude', 'm', 'altitude'), chart('fix status', '', 'status.status')],
    track: { kind: 'geographic', x: 'longitude', y: 'latitude' },
  },
  'sensor_msgs/msg/BatteryState': {
    charts: [
      chart('charge', '%', 'percentage'),
      chart('voltage', 'V', 'voltage'),
      chart('current', 'A', 'current'),
      chart('temperature', '°C', 'temperature'),
    ],
    isBattery: true,
  },
  'sensor_msgs/msg/MagneticField': { charts: [vector('magnetic field', 'T', 'magnetic_field')] },
  'sensor_msgs/msg/Range': one('range', 'range', 'm'),
  'sensor_msgs/msg/Temperature': one('temperature', 'temperature', '°C'),
  'sensor_msgs/msg/FluidPressure': one('fluid_pressure', 'pressure', 'Pa'),
  'sensor_msgs/msg/RelativeHumidity': one('relative_humidity', 'relative humidity', ''),
  'sensor_msgs/msg/Illuminance': one('illuminance', 'illuminance', 'lx'),
  // Lists and images: nothing in them is one number over time.
  'sensor_msgs/msg/Image': nothing,
  'sensor_msgs/msg/CompressedImage': nothing,
  'sensor_msgs/msg/PointCloud2': nothing,
  'sensor_msgs/msg/LaserScan': nothing,
  'sensor_msgs/msg/CameraInfo': nothing,
  'sensor_msgs/msg/JointState': nothing,
  'nav_msgs/msg/OccupancyGrid': nothing,
  'nav_msgs/msg/Path': nothing,
  'visualization_msgs/msg/Marker': nothing,
  'visualization_msgs/msg/MarkerArray': nothing,
  'rcl_interfaces/msg/Log': nothing,
  'rcl_interfaces/msg/ParameterEvent': nothing,
  'std_msgs/msg/String': nothing,
  'rosgraph_msgs/msg/Clock': nothing,
};

/** Maximum number of fields drawn of a type without a plan or a request. */
const OWN_FIELDS_MAX = 6;
/** Constant fields, and those without meaning as a curve. */
const DULL = /^(header|info)\.|covariance|(^|\.)(orientation|rotation|stamp|sec|nanosec|id|seq)(\.|$)/;

/** What is drawn of a type: its plan if it is common, otherwise its first numbers. */
export function planType(type: string, columns: readonly FlatColumn[]): TypePlan {
  const plan = known[type];
  if (plan === undefined) return { charts: ownCharts(columns) };
  const numbers = new Map(columns.filter(isNumber).map((column) => [column.name, column]));
  const charts = plan.charts
    .map((one) => ({ ...one, fields: one.fields.filter((field) => numbers.has(field)) }))
    .filter(({ fields }) => fields.length > 0);
  const { track } = plan;
  const hasTrack = track !== undefined && numbers.has(track.x) && numbers.has(track.y);
  return { ...plan, charts, ...(hasTrack ? { track } : { track: undefined as never }) };
}

/** Numbers of one struct are of one kind, so they share a chart. */
function ownCharts(columns: readonly FlatColumn[]): ChartPlan[] {
  const candidates = columns.filter((column) => isNumber(column) && !DULL.test(column.name));
  const isReal = ({ column }: FlatColumn): boolean =>
    column.kind === 'leaf' && column.type.startsWith('float');
  const reals = candidates.filter(isReal);
  const chosen = (reals.length > 0 ? reals : candidates).slice(0, OWN_FIELDS_MAX);
  const groups = new Map<string, string[]>();
  for (const { name } of chosen) {
    const at = name.lastIndexOf('.');
    const parent = at < 0 ? '' : name.slice(0, at);
    // At the top level, each is a separate quantity.
    const key = parent === '' ? name : parent;
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups].map(([title, fields]) => ({ title, unit: '', fields }));
}

/** Whether a column is one number per message. */
export function isNumber({ column }: FlatColumn): boolean {
  return column.kind === 'leaf' && !isText(column.type) && column.type !== 'time';
}
