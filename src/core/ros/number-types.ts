/** The number types of ROS, by name. `byte` and `char` are `uint8`. */
export const numberTypes = [
  'bool',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
] as const;

/** Name of a number type of ROS. */
export type NumberType = (typeof numberTypes)[number];

/** Their sizes in CDR, bytes. */
export const numberBytes: Readonly<Record<NumberType, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
};
