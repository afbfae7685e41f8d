import type { MessageDefinition } from '@foxglove/message-definition';
import { parse, stringify } from '@foxglove/rosmsg';
import { ros2jazzy } from '@foxglove/rosmsg-msgs-common';
import type { Schema } from '../message.js';
import { messageText } from './message-definition.js';
import { vehicleEnergy, vehicleTelemetry } from './vehicle-messages.js';

/** What one robot of the fleet reports about itself; the text of msg/FleetState.msg. */
const FLEET_STATE = `# State of one robot, as it tells it to the fleet.

# When the state was true, and the frame of the pose.
std_msgs/Header header
# Name of the robot.
string robot

# What it is doing, one of the MODE_ constants.
uint8 mode
uint8 MODE_DRIVING=0
# Waiting at a station.
uint8 MODE_STOPPED=1
# Another robot is in the way.
uint8 MODE_BLOCKED=2

# Where it is, metres.
geometry_msgs/Pose pose
# Velocity in the robot's own frame, metres and radians per second.
geometry_msgs/Twist twist
# Laps completed, count.
uint32 lap
# Index of the waypoint it drives to, count from 0.
uint32 waypoint
# Charge, 0 to 1.
float32 battery
`;

const FLEET_PEERS = `# What one robot knows about the others, from what reached it by radio.

# When this was sent, and the frame of the poses.
std_msgs/Header header
# Last state received of each other robot.
holdfast/FleetState[] peers
# Age of each of these states when this was sent, same order, seconds.
float32[] age
# Radio messages that did not arrive since the start, count.
uint32 lost
`;

const definitions = new Map<string, MessageDefinition>(
  Object.entries(ros2jazzy as Readonly<Record<string, MessageDefinition>>),
);
const ownTexts = new Map([
  ['holdfast/FleetState', FLEET_STATE],
  ['holdfast/FleetPeers', FLEET_PEERS],
  [vehicleTelemetry.type, messageText(vehicleTelemetry)],
  [vehicleEnergy.type, messageText(vehicleEnergy)],
]);
for (const [name, text] of ownTexts) {
  const definition = parse(text, { ros2: true, skipTypeFixup: true })[0];
  if (definition !== undefined) definitions.set(name, { ...definition, name });
}

/** RIHS01 hashes as ROS 2 Jazzy computes them; rosbag2 writes them as `topic_type_hash`. */
const typeHashes: Readonly<Record<string, string>> = {
  'diagnostic_msgs/DiagnosticArray': '5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e',
  'geometry_msgs/Twist': '9c45bf16fe0983d80e3cfe750d6835843d265a9a6c46bd2e609fcddde6fb8d2a',
  'nav_msgs/Odometry': '3cc97dc7fb7502f8714462c526d369e35b603cfc34d946e3f2eda2766dfec6e0',
  'sensor_msgs/BatteryState': '4bee5dfce981c98faa6828b868307a0a73f992ed0789f374ee96c8f840e69741',
  'sensor_msgs/CompressedImage': '15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a',
  'sensor_msgs/Imu': '7d9a00ff131080897a5ec7e26e315954b8eae3353c3f995c55faf71574000b5b',
  'sensor_msgs/LaserScan': '64c191398013af96509d518dac71d5164f9382553fce5c1f8cca5be7924bd828',
  'sensor_msgs/NavSatFix': '62223ab3fe210a15976021da7afddc9e200dc9ec75231c1b6a557fc598a65404',
  'sensor_msgs/PointCloud2': '9198cabf7da3796ae6fe19c4cb3bdd3525492988c70522628af5daa124bae2b5',
  'std_msgs/String': 'df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18',
  'tf2_msgs/TFMessage': 'e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087',
};

/** `RIHS01_...`, or empty if it is unknown, as in rosbag2. */
export function typeHash(type: string): string {
  const hash = typeHashes[type];
  return hash === undefined ? '' : `RIHS01_${hash}`;
}

/**
 * The schema of `pkg/Type` as rosbag2 writes it: the root's definition, then each dependency once.
 * Dependencies come depth first, those of one message in alphabetical order, each after a line of 80 `=` and
 * a line `MSG: pkg/Type`.
 */
export function ros2Schema(type: string): Schema {
  const [pkg, name] = type.split('/');
  const parts = [type, ...dependencies(type)].map((part, index) => {
    const text = `${definitionText(part).trim()}\n`;
    return index === 0 ? text : `${'='.repeat(80)}\nMSG: ${part}\n${text}`;
  });
  return Object.freeze({
    name: `${pkg}/msg/${name}`,
    encoding: 'ros2msg',
    data: new TextEncoder().encode(parts.join('\n')),
  });
}

function definitionText(type: string): string {
  const own = ownTexts.get(type);
  if (own !== undefined) return own;
  const definition = definitionOf(type);
  const definitions = definition.definitions.map((field) => ({
    ...field,
    type: builtIns[field.type] ?? field.type,
  }));
  return stringify([{ ...definition, definitions }]);
}

function definitionOf(type: string): MessageDefinition {
  const definition = definitions.get(type);
  if (definition === undefined) throw new RangeError(`no definition of ${type}`);
  return definition;
}

// The common definitions call the two built-in types `time` and `duration`; on disk they are messages.
const builtIns: Readonly<Record<string, string>> = {
  time: 'builtin_interfaces/Time',
  duration: 'builtin_interfaces/Duration',
};

function dependencies(type: string, seen = new Set([type])): string[] {
  const direct = definitionOf(type)
    .definitions.filter((field) => field.isConstant !== true)
    .flatMap((field) => builtIns[field.type] ?? (field.isComplex === true ? [field.type] : []));
  const found: string[] = [];
  for (const name of [...new Set(direct)].sort()) {
    if (seen.has(name)) continue;
    seen.add(name);
    found.push(name, ...dependencies(name, seen));
  }
  return found;
}
