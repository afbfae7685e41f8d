import type { Quantity } from './units.js';

/** What a column of a drive log can be, and the topic it becomes part of. */
interface FieldDefinition {
  readonly quantity: Quantity;
  /**
   * Standard deviation of the difference between the vehicles of a replayed fleet, in the quantity's first
   * unit.
   */
  readonly noise: number;
  readonly min?: number;
  readonly max?: number;
  /** Part of the JSON topic `signals`. */
  readonly isSignal?: true;
  readonly meaning: string;
}

export const fields = {
  latitude: { quantity: 'degrees', noise: 0, min: -90, max: 90, meaning: 'WGS 84' },
  longitude: { quantity: 'degrees', noise: 0, min: -180, max: 180, meaning: 'WGS 84' },
  altitude: { quantity: 'length', noise: 0.5, meaning: 'above the ellipsoid' },
  fix: { quantity: 'plain', noise: 0, meaning: '0: the receiver has no position' },
  x: { quantity: 'length', noise: 0, meaning: 'position east, in a frame of its own' },
  y: { quantity: 'length', noise: 0, meaning: 'position north, in a frame of its own' },
  heading: { quantity: 'angle', noise: 0.003, meaning: 'clockwise from north' },
  yaw: { quantity: 'angle', noise: 0.003, meaning: 'counter-clockwise from east' },
  yaw_rate: { quantity: 'turn_rate', noise: 0.004, meaning: 'counter-clockwise' },
  speed: { quantity: 'speed', noise: 0.15, meaning: 'along the vehicle' },
  acceleration: { quantity: 'acceleration', noise: 0.05, meaning: 'along the vehicle' },
  lateral_acceleration: { quantity: 'acceleration', noise: 0.05, meaning: 'to the left' },
  steering: { quantity: 'angle', noise: 0.003, meaning: 'angle of the front wheels, to the left' },
  throttle: { quantity: 'ratio', noise: 0.01, min: -1, max: 1, meaning: 'command to the motor' },
  brake: { quantity: 'ratio', noise: 0, min: 0, max: 1, meaning: 'command to the brake' },
  target_speed: { quantity: 'speed', noise: 0, meaning: 'speed the driver or controller aims at' },
  odometer: { quantity: 'length', noise: 0, isSignal: true, meaning: 'distance driven' },
  engine_speed: { quantity: 'turning', noise: 15, min: 0, isSignal: true, meaning: 'of the motor' },
  gear: { quantity: 'plain', noise: 0, isSignal: true, meaning: 'engaged' },
  fuel: { quantity: 'ratio', noise: 0, isSignal: true, meaning: 'left in the tank' },
  power: { quantity: 'power', noise: 200, meaning: 'taken from the battery; negative while it charges' },
  consumption: { quantity: 'consumption', noise: 0, meaning: 'energy per distance, of the last kilometre' },
  battery: { quantity: 'ratio', noise: 0, isSignal: true, min: 0, max: 1, meaning: 'charge' },
  voltage: { quantity: 'voltage', noise: 0.02, isSignal: true, meaning: 'of the battery' },
  temperature: { quantity: 'temperature', noise: 0.3, isSignal: true, meaning: 'of the motor' },
  ambient_temperature: { quantity: 'temperature', noise: 0.3, isSignal: true, meaning: 'outside' },
} as const satisfies Record<string, FieldDefinition>;

export type Field = keyof typeof fields;
export const fieldNames = Object.keys(fields) as Field[];

export function definitionOf(field: Field): FieldDefinition {
  return fields[field];
}
