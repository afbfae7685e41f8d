import {
  NAME_MAX_BYTES,
  STRING_MAX_BYTES,
  type Field,
  type MessageDefinition,
} from '../../core/ros/message-definition.js';

/** Codes instead of words: a switch on small numbers is a jump. */
export const Code = {
  float64: 0,
  float32: 1,
  int8: 2,
  uint8: 3,
  int16: 4,
  uint16: 5,
  int32: 6,
  uint32: 7,
  int64: 8,
  uint64: 9,
  bool: 10,
  string: 11,
  id: 12,
  receiveTime: 13,
  list: 14,
} as const;

/** Smallest and largest value of each integer type, by its code. */
const ranges = new Map<number, readonly [number, number]>([
  [Code.int8, [-0x80, 0x7f]],
  [Code.uint8, [0, 0xff]],
  [Code.int16, [-0x8000, 0x7fff]],
  [Code.uint16, [0, 0xffff]],
  [Code.int32, [-0x80000000, 0x7fffffff]],
  [Code.uint32, [0, 0xffffffff]],
]);

export interface Plan {
  readonly names: readonly string[];
  readonly keys: readonly string[];
  readonly codes: readonly number[];
  readonly optional: readonly boolean[];
  readonly maxBytes: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly elements: readonly (Plan | undefined)[];
  /** Maximum size of the body; a list counts as empty. */
  readonly bytes: number;
}

// One per type, for any number of loggers.
const plans = new WeakMap<MessageDefinition, Plan>();

export function planOf(definition: MessageDefinition): Plan {
  let made = plans.get(definition);
  if (made === undefined) plans.set(definition, (made = makePlan(definition)));
  return made;
}

function makePlan({ fields }: MessageDefinition): Plan {
  const codes = fields.map(codeOf);
  const maxBytes = fields.map((field) =>
    field.kind === 'id' ? NAME_MAX_BYTES : field.kind === 'scalar' ? (field.maxBytes ?? STRING_MAX_BYTES) : 0,
  );
  return {
    names: fields.map(({ name }) => name),
    keys: fields.map((field) => ('key' in field ? field.key : '')),
    codes,
    optional: fields.map((field) => field.kind === 'scalar' && field.optional === true),
    maxBytes,
    low: codes.map((code) => ranges.get(code)?.[0] ?? 0),
    high: codes.map((code) => ranges.get(code)?.[1] ?? 0),
    elements: fields.map((field) => (field.kind === 'list' ? planOf(field.of) : undefined)),
    // Each with its alignment and the length and final zero of a text.
    bytes: fields.reduce((sum, _, i) => sum + 15 + (codes[i]! >= Code.string ? maxBytes[i]! : 0), 0),
  };
}

function codeOf(field: Field): number {
  if (field.kind === 'scalar') return Code[field.type];
  return field.kind === 'id' ? Code.id : field.kind === 'list' ? Code.list : Code.receiveTime;
}

/** Longest body of a message without lists, bytes. */
export function largestBody(definition: MessageDefinition): number {
  return planOf(definition).bytes;
}
