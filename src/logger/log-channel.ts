import type { ConfigFault } from '../settings/fault.js';
import {
  scalarTypes,
  STRING_MAX_BYTES,
  type Field,
  type MessageDefinition,
  type ScalarType,
} from '../core/ros/message-definition.js';

/** Fields of a channel by name, with their ROS types. */
export type ChannelFields = Readonly<Record<string, ScalarType>>;

/** The value in a sample for a field of this type. */
export type ValueOf<Type extends ScalarType> = Type extends 'string'
  ? string
  : Type extends 'bool'
    ? boolean
    : Type extends 'int64' | 'uint64'
      ? number | bigint
      : number;

/** A sample of a channel with these fields. */
export type SampleOf<Fields extends ChannelFields> = {
  readonly [Name in keyof Fields]: ValueOf<Fields[Name]>;
};

/** A log beside the three that every vehicle has. Created by `VehicleLogger.channel`. */
export interface LogChannel<Sample> {
  /** The topic is `/vehicle_<id>/<name>`, the file `<name>_vehicle_<id>.csv`. */
  readonly name: string;
  /**
   * Queues a copy of the sample. Returns false if it was not accepted; `stats()` counts that. Never waits,
   * never throws.
   */
  log(sample: Sample): boolean;
}

const MAX_FIELDS = 200;
/** Used by the loggers' own files. */
const reserved = ['telemetry', 'received_fleet_estimations', 'received_local_estimations', 'gaps'];

/** The type of a channel's messages: `lateral_control` is `holdfast_logger/msg/LateralControl`. */
export function channelDefinition(name: unknown, fields: unknown, faults: ConfigFault[]): MessageDefinition {
  const fault = (path: string, value: unknown, allowed: string): void => {
    faults.push({ where: 'channel', path, value, allowed: `allowed: ${allowed}` });
  };
  if (typeof name !== 'string' || !/^[a-z][a-z0-9_]{0,63}$/.test(name)) {
    fault('name', show(name), 'up to 64 small letters, digits and _, a letter first');
  } else if (reserved.includes(name)) fault('name', name, `anything but ${reserved.join(', ')}`);
  const isObject = typeof fields === 'object' && fields !== null && !Array.isArray(fields);
  const given = isObject ? Object.entries(fields) : [];
  if (given.length === 0 || given.length > MAX_FIELDS) {
    fault('fields', isObject ? given.length : show(fields), `an object with 1 to ${MAX_FIELDS} fields`);
  }
  const parsed: Field[] = [];
  for (const [key, type] of given) {
    if (!/^[a-zA-Z][a-zA-Z0-9_]{0,63}$/.test(key) || key === 'receive_time') {
      fault(
        `fields.${key.slice(0, 64)}`,
        undefined,
        'names of letters, digits and _, a letter first; not receive_time',
      );
    } else if (!scalarTypes.includes(type as ScalarType)) {
      fault(`fields.${key}`, show(type), scalarTypes.join(', '));
    } else {
      const maxBytes = type === 'string' ? { maxBytes: STRING_MAX_BYTES } : {};
      parsed.push({ kind: 'scalar', name: key, key, type: type as ScalarType, ...maxBytes });
    }
  }
  const typeName = String(name).replace(/(?:^|_)+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return { type: `holdfast_logger/${typeName}`, fields: parsed };
}

function show(value: unknown): unknown {
  return typeof value === 'string' || typeof value === 'number' ? value : typeof value;
}
