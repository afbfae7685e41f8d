import { NAME_MAX_BYTES, type Field, type MessageDefinition } from './message-definition.js';

const number = (key: string, comment: string, optional = false): Field => ({
  kind: 'scalar',
  // camelCase in a sample, snake_case in a message.
  name: key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  key,
  type: 'float64',
  comment,
  ...(optional ? { optional } : {}),
});
const timestamp = (whose: string): Field =>
  number('timestamp', `When this was true, on the clock of ${whose}, seconds; often since its start.`);
const pose: readonly Field[] = [
  number('x', 'Position, metres.'),
  number('y', 'Position, metres.'),
  number('theta', 'Heading, radians.'),
  number('v', 'Speed, metres per second.'),
];
const receiveTime: Field = {
  kind: 'receive-time',
  name: 'receive_time',
  comment: 'When this vehicle had it, wall clock.',
};
const sender: Field = { kind: 'id', name: 'sender_id', key: 'senderId', comment: 'Vehicle that sent it.' };

/** A vehicle's own state in each round of its control loop; the text of msg/VehicleTelemetry.msg. */
export const vehicleTelemetry: MessageDefinition = {
  type: 'holdfast/VehicleTelemetry',
  about:
    'What a vehicle knows about itself, once per round of its control loop. What a program does not have is NaN.',
  fields: [
    timestamp('the control program'),
    ...pose,
    number('yawRate', 'Turning rate, radians per second.', true),
    number('acceleration', 'Along the vehicle, metres per second squared.', true),
    number('steering', 'Angle of the front wheels as measured, radians.', true),
    number('steeringCommand', 'Angle of the front wheels as commanded, radians.', true),
    number('throttle', 'Command to the motor, -1 (full reverse) or 0 to 1.', true),
    number('brake', 'Command to the brake, 0 to 1.', true),
    number('vRef', 'Speed the controller aims at, metres per second.', true),
    {
      kind: 'scalar',
      name: 'state',
      key: 'state',
      type: 'string',
      optional: true,
      maxBytes: NAME_MAX_BYTES,
      comment: 'What the controller does, in its own words, such as follow_leader.',
    },
  ],
};

/** What drives a vehicle with a battery; the text of msg/VehicleEnergy.msg. */
export const vehicleEnergy: MessageDefinition = {
  type: 'holdfast/VehicleEnergy',
  about: 'Energy of a vehicle with a battery. What a vehicle does not measure is NaN.',
  fields: [
    timestamp('the control program'),
    number('power', 'Power taken from the battery, watts; negative while it charges.', true),
    number('charge', 'Charge of the battery, 0 to 1.', true),
    number('consumption', 'Energy per distance over the last kilometre, joules per metre.', true),
  ],
};

/** The state of one vehicle inside an estimate; the text of msg/VehicleState.msg. */
export const vehicleState: MessageDefinition = {
  type: 'holdfast/VehicleState',
  about: 'State of one vehicle of a fleet, as somebody estimates it.',
  fields: [{ kind: 'id', name: 'vehicle_id', key: 'vehicleId', comment: 'Vehicle it is about.' }, ...pose],
};

/** Another vehicle's estimate of the whole fleet; the text of msg/FleetEstimation.msg. */
export const fleetEstimation: MessageDefinition = {
  type: 'holdfast/FleetEstimation',
  about: 'Where another vehicle believes every vehicle of the fleet to be, as this vehicle received it.',
  fields: [
    timestamp('the sender'),
    receiveTime,
    sender,
    { kind: 'list', name: 'states', key: 'states', of: vehicleState, comment: 'One per vehicle.' },
  ],
};

/** Another vehicle's estimate of itself; the text of msg/LocalEstimation.msg. */
export const localEstimation: MessageDefinition = {
  type: 'holdfast/LocalEstimation',
  about: 'Where another vehicle believes itself to be, as this vehicle received it.',
  fields: [
    timestamp('the sender'),
    receiveTime,
    sender,
    ...pose,
    number('acceleration', 'Along the vehicle, metres per second squared.', true),
  ],
};
