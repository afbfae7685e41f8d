import type { CdrWriter } from '../../core/ros/cdr-writer.js';
import type { Schema } from '../../core/message.js';
import { defaultQos, latchedQos, qosYaml, sensorQos, type Qos } from '../../core/ros/qos.js';
import {
  diagonal,
  writeHeader,
  writePose,
  writeTwist,
  writeVector3,
  writeYaw,
} from '../../core/ros/ros-messages.js';
import { ros2Schema, typeHash } from '../../core/ros/schemas.js';
import { definitionOf, fieldNames, type Field } from './fields.js';
import type { Layout, Row } from './row-reader.js';

/** The inputs of a topic that writes a message. */
export interface DriveMoment {
  readonly name: string;
  readonly vin: string;
  /** Nanoseconds since the Unix epoch. */
  readonly stamp: bigint;
  /** Time of the log itself, seconds. */
  readonly logSeconds: number;
  readonly row: Row;
  /** Estimated position: metres from its start (or as in the log), radians from east. */
  readonly pose: { readonly x: number; readonly y: number; readonly yaw: number };
}

export interface DriveTopic {
  /** Part of the topic after the vehicle's name. */
  readonly name: string;
  readonly encoding: 'cdr' | 'json';
  readonly schema: Schema;
  readonly qos: Qos;
  /** Published once, when the vehicle starts. */
  readonly isLatched?: true;
  readonly write: (w: CdrWriter, moment: DriveMoment) => Uint8Array;
}

const UNKNOWN_9 = new Float64Array(9);
/** A covariance that begins with -1: this part is not measured (sensor_msgs/Imu). */
const NOT_MEASURED = Float64Array.of(-1, 0, 0, 0, 0, 0, 0, 0, 0);
const FIX_COVARIANCE = diagonal(2.25, 2.25, 9);
const ODOM_POSE = diagonal(0.1, 0.1, 1e6, 1e6, 1e6, 0.02);
const ODOM_TWIST = diagonal(0.02, 1e6, 1e6, 1e6, 1e6, 1e-3);
const IMU_ORIENTATION = diagonal(1e6, 1e6, 1e-3);
const IMU_RATE = diagonal(1e6, 1e6, 1e-4);
const IMU_ACCELERATION = diagonal(1e-2, 1e-2, 1e-2);
const NO_FIX = 0xff;
const FIX = 0;
const SERVICE_GPS = 1;
const COVARIANCE_UNKNOWN = 0;
const COVARIANCE_APPROXIMATED = 1;
const GRAVITY_M_S2 = 9.80665;

const rosTopic = (
  name: string,
  type: string,
  qos: Qos,
  write: (w: CdrWriter, moment: DriveMoment) => CdrWriter,
): DriveTopic => ({
  ...{ name, encoding: 'cdr', schema: ros2Schema(type), qos },
  write: (w, moment) => write(w.begin(), moment).finish(),
});

/** The value of a field, NaN if the row or the log has none. */
const at = (row: Row, field: Field): number => row.values[field] ?? NaN;
const orZero = (value: number): number => (Number.isNaN(value) ? 0 : value);

const vin = (): DriveTopic => ({
  ...rosTopic('vin', 'std_msgs/String', latchedQos, (w, moment) => w.string(moment.vin)),
  isLatched: true,
});

const telemetry = (): DriveTopic =>
  rosTopic('telemetry', 'holdfast/VehicleTelemetry', defaultQos, (w, { row, pose, logSeconds }) => {
    w.f64(logSeconds).f64(pose.x).f64(pose.y).f64(pose.yaw).f64(at(row, 'speed'));
    w.f64(at(row, 'yaw_rate')).f64(at(row, 'acceleration')).f64(at(row, 'steering')).f64(NaN);
    w.f64(at(row, 'throttle')).f64(at(row, 'brake')).f64(at(row, 'target_speed'));
    return w.string(row.state);
  });

const energy = (): DriveTopic =>
  rosTopic('energy', 'holdfast/VehicleEnergy', defaultQos, (w, { row, logSeconds }) =>
    w.f64(logSeconds).f64(at(row, 'power')).f64(at(row, 'battery')).f64(at(row, 'consumption')),
  );

const fix = (): DriveTopic =>
  rosTopic('gps/fix', 'sensor_msgs/NavSatFix', sensorQos, (w, { name, stamp, row }) => {
    const [latitude, longitude] = [at(row, 'latitude'), at(row, 'longitude')];
    const isFixed = row.values.fix !== 0 && !Number.isNaN(latitude) && !Number.isNaN(longitude);
    writeHeader(w, stamp, `${name}/gps`)
      .u8(isFixed ? FIX : NO_FIX)
      .u16(SERVICE_GPS);
    for (const value of [latitude, longitude, at(row, 'altitude')]) w.f64(isFixed ? value : NaN);
    return w
      .f64s(isFixed ? FIX_COVARIANCE : UNKNOWN_9)
      .u8(isFixed ? COVARIANCE_APPROXIMATED : COVARIANCE_UNKNOWN);
  });

const odom = (): DriveTopic =>
  rosTopic('odom', 'nav_msgs/Odometry', defaultQos, (w, { name, stamp, row, pose }) => {
    writeHeader(w, stamp, `${name}/odom`).string(`${name}/base_link`);
    writePose(w, pose.x, pose.y, 0, pose.yaw).f64s(ODOM_POSE);
    return writeTwist(w, orZero(at(row, 'speed')), orZero(at(row, 'yaw_rate'))).f64s(ODOM_TWIST);
  });

const imu = (hasYaw: boolean): DriveTopic =>
  rosTopic('imu', 'sensor_msgs/Imu', sensorQos, (w, { name, stamp, row, pose }) => {
    writeYaw(writeHeader(w, stamp, `${name}/imu`), pose.yaw).f64s(hasYaw ? IMU_ORIENTATION : NOT_MEASURED);
    writeVector3(w, 0, 0, orZero(at(row, 'yaw_rate'))).f64s(IMU_RATE);
    const lateral = at(row, 'lateral_acceleration');
    const left = Number.isNaN(lateral) ? at(row, 'speed') * at(row, 'yaw_rate') : lateral;
    return writeVector3(w, orZero(at(row, 'acceleration')), orZero(left), GRAVITY_M_S2).f64s(
      IMU_ACCELERATION,
    );
  });

const signals = (names: readonly string[]): DriveTopic => ({
  ...{ name: 'signals', encoding: 'json', qos: defaultQos },
  schema: Object.freeze({
    ...{ name: 'holdfast.DriveSignals', encoding: 'jsonschema' },
    data: new TextEncoder().encode(
      JSON.stringify({
        $schema: 'http://json-schema.org/draft-07/schema#',
        ...{ title: 'holdfast.DriveSignals', type: 'object' },
        properties: Object.fromEntries(
          names.map((name) => [name, { type: ['number', 'null'], description: meaningOf(name) }]),
        ),
      }),
    ),
  }),
  write: (_, { row }) => {
    const values = names.map(
      (name) => [name, row.signals[name] ?? row.values[name as Field] ?? null] as const,
    );
    // JSON has no NaN: it becomes null.
    return new TextEncoder().encode(JSON.stringify(Object.fromEntries(values)));
  },
});

function meaningOf(name: string): string {
  const field = fieldNames.find((one) => one === name);
  return field === undefined ? 'As the map says.' : definitionOf(field).meaning;
}

/** The topics for which a log has the columns. */
export function topicsOf({ uses }: Layout): DriveTopic[] {
  const fields = new Set(uses.flatMap(({ use }) => (use.kind === 'field' ? [use.field] : [])));
  const has = (...names: readonly Field[]): boolean => names.every((name) => fields.has(name));
  const hasYaw = has('heading') || has('yaw');
  const named = uses.flatMap(({ use }) => (use.kind === 'signal' ? [use.name] : []));
  const isInEnergy = (field: Field): boolean => field === 'battery' && has('power');
  const own = [...fields].filter((field) => definitionOf(field).isSignal === true && !isInEnergy(field));
  return [
    vin(),
    ...(has('speed') ? [telemetry()] : []),
    ...(has('power') ? [energy()] : []),
    ...(has('latitude', 'longitude') ? [fix()] : []),
    ...(has('x', 'y') || (has('speed') && (hasYaw || has('yaw_rate'))) ? [odom()] : []),
    ...(has('acceleration', 'yaw_rate') ? [imu(hasYaw)] : []),
    ...(named.length + own.length > 0 ? [signals([...own, ...named])] : []),
  ];
}

/** In rosbag2's form, with its robot. */
export function metadataOf(topic: DriveTopic, vinText: string): Readonly<Record<string, string>> {
  if (topic.encoding === 'json') return Object.freeze({ vin: vinText });
  const type = topic.schema.name.replace('/msg/', '/');
  const metadata = {
    offered_qos_profiles: qosYaml(topic.qos),
    topic_type_hash: typeHash(type),
    vin: vinText,
  };
  return Object.freeze(metadata);
}
