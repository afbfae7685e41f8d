import type { CdrWriter } from '../core/ros/cdr-writer.js';
import { defaultQos, latchedQos, sensorQos, transformQos, type Qos } from '../core/ros/qos.js';
import { describeRobot } from './robot-description.js';
import { SCAN_RANGE_MAX_M, SCAN_RAYS, type PeerReport, type Robot } from './robot.js';
import {
  DIAGNOSTIC_OK,
  DIAGNOSTIC_WARN,
  diagonal,
  writeDiagnostics,
  writeHeader,
  writePoints,
  writePose,
  writeTransforms,
  writeTwist,
  writeVector3,
  writeYaw,
} from '../core/ros/ros-messages.js';
import { wrapAngle } from './vehicle.js';
import type { Pillar } from './world.js';

/** The inputs of a topic that writes a message. */
export interface Moment {
  /** Nanoseconds since the Unix epoch. */
  readonly stamp: bigint;
  /** The message's own number in its channel, from 1. */
  readonly sequence: number;
  /** Messages of this channel per second. */
  readonly rateHz: number;
  readonly robot: Robot;
  readonly fleet: readonly Robot[];
}

/** Kinds of topics, as in the option `topics`. */
export const topicKinds = [
  'tf_static',
  'robot_description',
  'imu',
  'odom',
  'cmd_vel',
  'tf',
  'scan',
  'gps',
  'battery',
  'camera',
  'points',
  'diagnostics',
  'fleet',
] as const;

export type TopicKind = (typeof topicKinds)[number];

export interface RobotTopic {
  readonly kind: TopicKind;
  /** Part after the robot's name: `/robot1/<name>`. */
  readonly name: string;
  /** `pkg/Type`. */
  readonly type: string;
  readonly qos: Qos;
  /** Messages per second at scale 1; absent: latched, published once. */
  readonly rateHz?: number;
  readonly write: (w: CdrWriter, moment: Moment) => CdrWriter;
}

const IMU_ORIENTATION = diagonal(1e-4, 1e-4, 1e-4);
const IMU_RATE = diagonal(4e-6, 4e-6, 4e-6);
const IMU_ACCELERATION = diagonal(4e-4, 4e-4, 4e-4);
const ODOM_POSE = diagonal(1e-3, 1e-3, 1e6, 1e6, 1e6, 3e-3);
const ODOM_TWIST = diagonal(1e-4, 1e6, 1e6, 1e6, 1e6, 1e-3);
const FIX_COVARIANCE = diagonal(0.25, 0.25, 1);
const GRAVITY_M_S2 = 9.80665;
/** Where the arena's middle lies, degrees and metres. */
const ORIGIN = { latitude: 47.39774, longitude: 8.54559, altitude: 488 };
const METRES_PER_DEGREE = 111_320;

export const robotTopics: readonly RobotTopic[] = [
  {
    ...{ kind: 'robot_description', name: 'robot_description', type: 'std_msgs/String', qos: latchedQos },
    write: (w, { robot }) => w.string(describeRobot(robot.name)),
  },
  {
    ...{ kind: 'tf_static', name: 'tf_static', type: 'tf2_msgs/TFMessage', qos: latchedQos },
    write: (w, { robot: { name }, stamp }) =>
      writeTransforms(w, stamp, [
        { parent: `${name}/base_link`, child: `${name}/imu`, x: 0, y: 0, z: 0.1, yaw: 0 },
        { parent: `${name}/base_link`, child: `${name}/laser`, x: 0.1, y: 0, z: 0.3, yaw: 0 },
        { parent: `${name}/base_link`, child: `${name}/lidar`, x: 0, y: 0, z: 0.6, yaw: 0 },
        { parent: `${name}/base_link`, child: `${name}/camera`, x: 0.25, y: 0, z: 0.5, yaw: 0 },
        { parent: `${name}/base_link`, child: `${name}/gps`, x: -0.1, y: 0, z: 0.4, yaw: 0 },
      ]),
  },
  {
    ...{ kind: 'imu', name: 'imu', type: 'sensor_msgs/Imu', qos: sensorQos, rateHz: 200 },
    write: (w, { robot, stamp, sequence }) => {
      const { heading, turnRate, speed, acceleration } = robot.vehicle;
      const random = robot.random(1, sequence);
      const noisy = (value: number, deviation: number): number => value + deviation * random.noise();
      writeYaw(writeHeader(w, stamp, `${robot.name}/imu`), noisy(heading, 0.002)).f64s(IMU_ORIENTATION);
      writeVector3(w, noisy(0, 0.002), noisy(0, 0.002), noisy(turnRate, 0.002)).f64s(IMU_RATE);
      const [ax, ay] = [noisy(acceleration, 0.02), noisy(speed * turnRate, 0.02)];
      return writeVector3(w, ax, ay, noisy(GRAVITY_M_S2, 0.02)).f64s(IMU_ACCELERATION);
    },
  },
  {
    ...{ kind: 'odom', name: 'odom', type: 'nav_msgs/Odometry', qos: defaultQos, rateHz: 50 },
    write: (w, { robot: { name, odometry, vehicle }, stamp }) => {
      writeHeader(w, stamp, `${name}/odom`).string(`${name}/base_link`);
      writePose(w, odometry.x, odometry.y, 0, odometry.heading).f64s(ODOM_POSE);
      return writeTwist(w, vehicle.speed, vehicle.turnRate).f64s(ODOM_TWIST);
    },
  },
  {
    ...{ kind: 'cmd_vel', name: 'cmd_vel', type: 'geometry_msgs/Twist', qos: defaultQos, rateHz: 50 },
    write: (w, { robot }) => writeTwist(w, robot.vehicle.commandedSpeed, robot.vehicle.commandedTurnRate),
  },
  {
    ...{ kind: 'tf', name: 'tf', type: 'tf2_msgs/TFMessage', qos: transformQos, rateHz: 50 },
    write: (w, { robot: { name, odometry, vehicle }, stamp }) => {
      // map -> odom is the true pose relative to the odometry's.
      const yaw = wrapAngle(vehicle.heading - odometry.heading);
      const x = vehicle.x - (odometry.x * Math.cos(yaw) - odometry.y * Math.sin(yaw));
      const y = vehicle.y - (odometry.x * Math.sin(yaw) + odometry.y * Math.cos(yaw));
      const { x: odomX, y: odomY, heading } = odometry;
      return writeTransforms(w, stamp, [
        { parent: 'map', child: `${name}/odom`, x, y, z: 0, yaw },
        { parent: `${name}/odom`, child: `${name}/base_link`, x: odomX, y: odomY, z: 0, yaw: heading },
      ]);
    },
  },
  {
    ...{ kind: 'scan', name: 'scan', type: 'sensor_msgs/LaserScan', qos: sensorQos, rateHz: 10 },
    write: (w, moment) => {
      const { robot, stamp, sequence, rateHz } = moment;
      const increment = (2 * Math.PI) / SCAN_RAYS;
      writeHeader(w, stamp, `${robot.name}/laser`)
        .f32(0)
        .f32(2 * Math.PI - increment)
        .f32(increment);
      w.f32(1 / rateHz / SCAN_RAYS)
        .f32(1 / rateHz)
        .f32(0.05)
        .f32(SCAN_RANGE_MAX_M);
      const ranges = robot.scan(outlinesOfOthers(moment), robot.random(2, sequence));
      return w.f32Sequence(ranges).f32Sequence(ranges.map((range) => Math.max(0, 100 - 4 * range)));
    },
  },
  {
    ...{ kind: 'gps', name: 'gps/fix', type: 'sensor_msgs/NavSatFix', qos: defaultQos, rateHz: 10 },
    write: (w, { robot, stamp, sequence }) => {
      const random = robot.random(3, sequence);
      const { latitude, longitude, altitude } = ORIGIN;
      const east = METRES_PER_DEGREE * Math.cos((latitude * Math.PI) / 180);
      writeHeader(w, stamp, `${robot.name}/gps`).u8(0).u16(1);
      w.f64(latitude + (robot.vehicle.y + 0.3 * random.noise()) / METRES_PER_DEGREE);
      w.f64(longitude + (robot.vehicle.x + 0.3 * random.noise()) / east);
      return w
        .f64(altitude + random.noise())
        .f64s(FIX_COVARIANCE)
        .u8(2);
    },
  },
  {
    ...{ kind: 'battery', name: 'battery', type: 'sensor_msgs/BatteryState', qos: defaultQos, rateHz: 1 },
    write: (w, { robot, stamp }) => {
      const { battery, speed } = robot.vehicle;
      const [capacityAh, unknown] = [20, NaN];
      writeHeader(w, stamp, `${robot.name}/base_link`)
        .f32(22 + 4 * battery)
        .f32(31);
      w.f32(-1 - 2 * Math.abs(speed))
        .f32(capacityAh * battery)
        .f32(capacityAh)
        .f32(capacityAh);
      w.f32(battery).u8(2).u8(1).u8(2).bool(true);
      return w.f32Sequence([unknown]).f32Sequence([unknown]).string('base').string(`${robot.name}-battery`);
    },
  },
  {
    kind: 'camera',
    ...{ name: 'camera/image/compressed', type: 'sensor_msgs/CompressedImage', qos: sensorQos, rateHz: 10 },
    write: (w, moment) => {
      const { robot, stamp, sequence } = moment;
      const { x, y, heading } = robot.vehicle;
      const seed = robot.messageSeed(4, sequence);
      const image = robot.camera.render(x, y, heading, outlinesOfOthers(moment), seed);
      writeHeader(w, stamp, `${robot.name}/camera`).string('rgb8; jpeg compressed bgr8');
      return w.u8Sequence(image);
    },
  },
  {
    ...{ kind: 'points', name: 'points', type: 'sensor_msgs/PointCloud2', qos: sensorQos, rateHz: 1 },
    write: (w, moment) => {
      const { robot, stamp, sequence } = moment;
      const points = robot.cloud(outlinesOfOthers(moment), robot.random(5, sequence));
      return writePoints(w, stamp, `${robot.name}/lidar`, points);
    },
  },
  {
    kind: 'diagnostics',
    ...{ name: 'diagnostics', type: 'diagnostic_msgs/DiagnosticArray', qos: defaultQos, rateHz: 1 },
    write: (w, { robot: { name, vehicle }, stamp }) => {
      const low = vehicle.battery < 0.3;
      return writeDiagnostics(w, stamp, [
        {
          ...{ level: low ? DIAGNOSTIC_WARN : DIAGNOSTIC_OK, name: `${name}: battery` },
          ...{ message: low ? 'charge is low' : 'ok', hardwareId: `${name}-battery` },
          values: { charge: vehicle.battery.toFixed(3), voltage: (22 + 4 * vehicle.battery).toFixed(2) },
        },
        {
          ...{
            level: DIAGNOSTIC_OK,
            name: `${name}: drive`,
            message: vehicle.mode,
            hardwareId: `${name}-drive`,
          },
          values: {
            speed: vehicle.speed.toFixed(3),
            'distance driven': vehicle.distanceM.toFixed(1),
            laps: String(vehicle.lap),
            waypoint: String(vehicle.waypoint),
          },
        },
      ]);
    },
  },
  {
    ...{ kind: 'fleet', name: 'fleet/state', type: 'holdfast/FleetState', qos: defaultQos, rateHz: 5 },
    write: (w, { robot, stamp, fleet }) => {
      const report = robot.report(stamp);
      for (const other of fleet) if (other !== robot) other.hear(report);
      return writeReport(w, report);
    },
  },
  {
    ...{ kind: 'fleet', name: 'fleet/peers', type: 'holdfast/FleetPeers', qos: defaultQos, rateHz: 5 },
    write: (w, { robot, stamp }) => {
      const peers = [...robot.peers.values()];
      writeHeader(w, stamp, 'map').u32(peers.length);
      for (const peer of peers) writeReport(w, peer);
      return w.f32Sequence(peers.map((peer) => Number(stamp - peer.at) / 1e9)).u32(robot.lostReports);
    },
  },
];

const MODES = { driving: 0, stopped: 1, blocked: 2 } as const;

/** holdfast/FleetState. */
function writeReport(w: CdrWriter, report: PeerReport): CdrWriter {
  writeHeader(w, report.at, 'map').string(report.robot).u8(MODES[report.mode]);
  writePose(w, report.x, report.y, 0, report.heading);
  writeTwist(w, report.speed, report.turnRate);
  return w.u32(report.lap).u32(report.waypoint).f32(report.battery);
}

function outlinesOfOthers({ fleet, robot }: Moment): Pillar[] {
  return fleet.filter((other) => other !== robot).map((other) => other.vehicle.outline);
}
