import type { FieldRule } from '../../settings/field-rule.js';

const MPH_PER_M_S = 3_600 / 1_609.344;
const DEGREES = 180 / Math.PI;

type Form = Omit<FieldRule, 'topic' | 'type' | 'path'>;

const form = (over: Pick<FieldRule, 'threshold' | 'unit'> & Partial<FieldRule>): Form => ({
  ...{ scale: 1, rateHz: 10, predictor: 'hold', ...over },
});

const metres = form({ threshold: 1, unit: 'm', predictor: 'linear' });
const metresPerS = form({ threshold: 0.5, unit: 'm/s', predictor: 'linear' });
const mph = form({ threshold: 2, unit: 'mph', scale: MPH_PER_M_S, predictor: 'linear' });
const heading = form({ threshold: 5, unit: '°', scale: DEGREES, period: 360 });
/** One metre on the ground, or less. */
const degrees = form({ threshold: 1e-5, unit: '°', predictor: 'linear' });
const percent = form({ threshold: 0.5, unit: '%', scale: 100, rateHz: 1 });

const kilowatts = form({ threshold: 5, unit: 'kW', scale: 1e-3 });
const whPerKm = form({ threshold: 10, unit: 'Wh/km', scale: 1 / 3.6, rateHz: 1 });

const byType: Readonly<Record<string, Readonly<Record<string, Form>>>> = {
  'nav_msgs/msg/Odometry': {
    'pose.pose.position.x': metres,
    'pose.pose.position.y': metres,
    'pose.pose.orientation.yaw': heading,
    'twist.twist.linear.x': metresPerS,
  },
  'geometry_msgs/msg/PoseStamped': {
    'pose.position.x': metres,
    'pose.position.y': metres,
    'pose.orientation.yaw': heading,
  },
  'geometry_msgs/msg/PoseWithCovarianceStamped': {
    'pose.pose.position.x': metres,
    'pose.pose.position.y': metres,
    'pose.pose.orientation.yaw': heading,
  },
  'geometry_msgs/msg/TwistStamped': { 'twist.linear.x': metresPerS },
  'sensor_msgs/msg/NavSatFix': {
    latitude: degrees,
    longitude: degrees,
    altitude: form({ threshold: 5, unit: 'm' }),
  },
  'sensor_msgs/msg/BatteryState': {
    percentage: percent,
    voltage: form({ threshold: 0.2, unit: 'V', rateHz: 1 }),
    current: form({ threshold: 0.5, unit: 'A', rateHz: 1 }),
    temperature: form({ threshold: 0.5, unit: '°C', rateHz: 1 }),
  },
  'sensor_msgs/msg/Temperature': { temperature: form({ threshold: 0.5, unit: '°C', rateHz: 1 }) },
  'holdfast/msg/VehicleTelemetry': { x: metres, y: metres, theta: heading, v: mph },
  'holdfast/msg/VehicleEnergy': { power: kilowatts, charge: percent, consumption: whPerKm },
  'holdfast/msg/VehicleState': { x: metres, y: metres, theta: heading, v: mph },
};

/** What is sent without a rule, by message type. */
export const defaultRules: readonly FieldRule[] = Object.entries(byType).flatMap(([type, fields]) =>
  Object.entries(fields).map(([path, rest]) => ({ ...rest, topic: '*', type, path })),
);
