import type { Parameter, ParameterKind, RawValue } from '../../settings/parameter.js';

/** Numbers of `rcl_interfaces/msg/ParameterType`. */
export const parameterTypes = {
  notSet: 0,
  boolean: 1,
  integer: 2,
  real: 3,
  text: 4,
  bytes: 5,
  booleans: 6,
  integers: 7,
  reals: 8,
  texts: 9,
} as const;

/** `rcl_interfaces/msg/ParameterValue` in rclnodejs' form. */
export interface ParameterValueMessage {
  readonly type: number;
  readonly bool_value?: boolean;
  readonly integer_value?: bigint | number;
  readonly double_value?: number;
  readonly string_value?: string;
  readonly byte_array_value?: ArrayLike<number>;
  readonly bool_array_value?: ArrayLike<boolean>;
  readonly integer_array_value?: ArrayLike<bigint | number>;
  readonly double_array_value?: ArrayLike<number>;
  readonly string_array_value?: ArrayLike<string>;
}

export function typeOfKind(kind: ParameterKind): number {
  return parameterTypes[kind];
}

/** The value of a message, in the spelling of a configuration file; `undefined`: none. */
export function rawOfMessage(message: ParameterValueMessage): unknown {
  switch (message.type) {
    case parameterTypes.boolean:
      return message.bool_value;
    case parameterTypes.integer:
      return Number(message.integer_value);
    case parameterTypes.real:
      return message.double_value;
    case parameterTypes.text:
      return message.string_value;
    case parameterTypes.bytes:
      return Array.from(message.byte_array_value ?? []);
    case parameterTypes.booleans:
      return Array.from(message.bool_array_value ?? []);
    case parameterTypes.integers:
      return Array.from(message.integer_array_value ?? [], Number);
    case parameterTypes.reals:
      return Array.from(message.double_array_value ?? []);
    case parameterTypes.texts:
      return Array.from(message.string_array_value ?? []);
    default:
      return undefined;
  }
}

/**
 * A value of the row's ROS type for the given value, such as an integer for `64MiB`; `undefined` if it is not
 * allowed. The row's `parse` reads it back to the same.
 */
export function normalized(parameter: Parameter, raw: unknown): RawValue | undefined {
  const value = parameter.parse(raw);
  if (value === undefined) return undefined;
  if (parameter.kind !== 'texts') return value as RawValue;
  // Parsed entries are expressions and rules; ROS keeps their text.
  return (Array.isArray(raw) ? raw : [raw]).map(String);
}

/** The message for a value of {@link normalized}. */
export function messageOf(kind: ParameterKind, value: RawValue): ParameterValueMessage {
  const type = typeOfKind(kind);
  switch (kind) {
    case 'boolean':
      return { type, bool_value: value as boolean };
    case 'integer':
      return { type, integer_value: BigInt(value as number) };
    case 'real':
      return { type, double_value: value as number };
    case 'text':
      return { type, string_value: value as string };
    case 'texts':
      return { type, string_array_value: value as readonly string[] };
  }
}
