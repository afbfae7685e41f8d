import protobuf, { type Enum, type Field, type Root, type Type } from 'protobufjs';
import { countLeaves, leaf, type Column, type LeafType, type StructColumn } from '../columns/column.js';
import type { PlainValue } from '../columns/put-value.js';
import { MAX_DEPTH, MAX_LEAVES, ValueBudget, type PayloadDecoder } from './payload-decoder.js';

/** Wire types. */
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const FIXED32 = 5;

/** Number of unknown fields that are named. */
const SHOWN = 10;

interface Scalar {
  readonly leaf: LeafType;
  readonly wire: number;
  readonly zero: PlainValue;
  readonly read: (reader: protobuf.Reader) => PlainValue;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
/** `Reader` returns 64-bit integers as objects of two words. */
const wide = (value: unknown): bigint => BigInt(String(value));

const number = (type: LeafType, wire: number, read: Scalar['read']): Scalar => ({
  ...{ leaf: type, wire, read },
  zero: type === 'int64' || type === 'uint64' ? 0n : 0,
});

const scalars: Readonly<Record<string, Scalar>> = {
  double: number('float64', FIXED64, (reader) => reader.double()),
  float: number('float32', FIXED32, (reader) => reader.float()),
  int32: number('int32', VARINT, (reader) => reader.int32()),
  uint32: number('uint32', VARINT, (reader) => reader.uint32()),
  sint32: number('int32', VARINT, (reader) => reader.sint32()),
  fixed32: number('uint32', FIXED32, (reader) => reader.fixed32()),
  sfixed32: number('int32', FIXED32, (reader) => reader.sfixed32()),
  int64: number('int64', VARINT, (reader) => wide(reader.int64())),
  uint64: number('uint64', VARINT, (reader) => wide(reader.uint64())),
  sint64: number('int64', VARINT, (reader) => wide(reader.sint64())),
  fixed64: number('uint64', FIXED64, (reader) => wide(reader.fixed64())),
  sfixed64: number('int64', FIXED64, (reader) => wide(reader.sfixed64())),
  bool: { leaf: 'bool', wire: VARINT, zero: false, read: (reader) => reader.bool() },
  string: {
    ...{ leaf: 'string', wire: LENGTH_DELIMITED, zero: '' },
    read: (reader) => utf8.decode(reader.bytes()),
  },
  bytes: {
    ...{ leaf: 'bytes', wire: LENGTH_DELIMITED, zero: new Uint8Array(0) },
    read: (reader) => reader.bytes(),
  },
};

/** How one field is read. */
interface FieldPlan {
  readonly name: string;
  readonly column: Column;
  readonly one: OneValue;
  readonly repeated: boolean;
  readonly map: boolean;
  /** For a field that is missing in the message. */
  readonly absent: PlainValue;
}

interface MessagePlan {
  readonly fields: ReadonlyMap<number, FieldPlan>;
  readonly columns: StructColumn;
  readonly blank: Readonly<Record<string, PlainValue>>;
}

type OneValue =
  (Scalar & { readonly kind: 'scalar' }) | { readonly kind: 'message'; readonly plan: MessagePlan };

/**
 * Messages of a Protocol Buffers type as rows. Enumerations become the names of their values; a map becomes a
 * list of `key` and `value`. A missing field has its default value, or none if it has presence (`optional`,
 * `oneof`, messages). Throws an Error for a type that cannot be columns.
 */
export function protoDecoder(type: Type): PayloadDecoder {
  const plan = planOf(type, 0);
  const leaves = countLeaves(plan.columns);
  if (leaves > MAX_LEAVES) throw new Error(`${type.name} has ${leaves} columns, allowed: ${MAX_LEAVES}`);
  return {
    columns: plan.columns,
    decode: (payload) => {
      const reader = protobuf.Reader.create(payload);
      const state: State = { reader, budget: new ValueBudget(), known: 0, unknown: new Set() };
      const value = readMessage(state, reader.len, plan, 0);
      if (state.unknown.size === 0) return { value };
      const numbers = [...state.unknown].slice(0, SHOWN).join(', ');
      if (state.known === 0) throw new Error(`it has none of the fields of ${type.name}, but ${numbers}`);
      return { value, unknown: `fields ${numbers} are not in the descriptor` };
    },
  };
}

function planOf(type: Type, depth: number): MessagePlan {
  if (depth > MAX_DEPTH)
    throw new Error(`${type.name} contains itself, or is nested deeper than ${MAX_DEPTH}`);
  const fields = new Map<number, FieldPlan>();
  for (const field of type.fieldsArray) fields.set(field.id, fieldPlan(field.resolve(), depth));
  if (fields.size > MAX_LEAVES) throw new Error(`${type.name} has more than ${MAX_LEAVES} fields`);
  const plans = [...fields.values()];
  return {
    fields,
    columns: { kind: 'struct', optional: true, fields: plans.map(({ name, column }) => ({ name, column })) },
    blank: Object.fromEntries(plans.map(({ name, absent }) => [name, absent])),
  };
}

function fieldPlan(field: Field, depth: number): FieldPlan {
  const { name } = field;
  const one = oneOf(field, depth);
  const element = one.kind === 'scalar' ? leaf(one.leaf) : { ...one.plan.columns, optional: false };
  if (field instanceof protobuf.MapField) {
    const key = scalars[field.keyType]!;
    const entry = entryPlan({ ...key, kind: 'scalar' }, one, element);
    const column: Column = { kind: 'list', optional: false, element: { ...entry.columns, optional: false } };
    return { name, column, one: { kind: 'message', plan: entry }, repeated: true, map: true, absent: [] };
  }
  if (field.repeated) {
    const column: Column = { kind: 'list', optional: false, element };
    return { name, column, one, repeated: true, map: false, absent: [] };
  }
  const column: Column =
    field.hasPresence || one.kind === 'message' ? { ...element, optional: true } : element;
  const absent = one.kind === 'message' || field.hasPresence ? null : one.zero;
  return { name, column, one, repeated: false, map: false, absent };
}

function entryPlan(key: OneValue & Scalar, one: OneValue, element: Column): MessagePlan {
  const blankKey: FieldPlan = {
    ...{ name: 'key', column: leaf(key.leaf), one: key, repeated: false, map: false },
    absent: key.zero,
  };
  const value: FieldPlan = {
    ...{ name: 'value', column: element, one, repeated: false, map: false },
    absent: one.kind === 'scalar' ? one.zero : one.plan.blank,
  };
  return {
    fields: new Map([
      [1, blankKey],
      [2, value],
    ]),
    columns: {
      ...{ kind: 'struct', optional: false },
      fields: [
        { name: 'key', column: blankKey.column },
        { name: 'value', column: element },
      ],
    },
    blank: { key: blankKey.absent, value: value.absent },
  };
}

function oneOf(field: Field, depth: number): OneValue {
  const { resolvedType } = field;
  if (resolvedType === null) {
    const scalar = scalars[field.type];
    if (scalar === undefined) throw new Error(`type ${field.type} of field ${field.name} is not known`);
    return { ...scalar, kind: 'scalar' };
  }
  if ('valuesById' in resolvedType) return { ...enumeration(resolvedType), kind: 'scalar' };
  return { kind: 'message', plan: planOf(resolvedType, depth + 1) };
}

/** A value without a name becomes its number. */
function enumeration({ valuesById, values }: Enum): Scalar {
  const nameOf = (value: number): string => valuesById[value] ?? String(value);
  return {
    ...{ leaf: 'string', wire: VARINT, zero: nameOf(0 in valuesById ? 0 : (Object.values(values)[0] ?? 0)) },
    read: (reader) => nameOf(reader.int32()),
  };
}

interface State {
  readonly reader: protobuf.Reader;
  readonly budget: ValueBudget;
  /** Fields read so far. */
  known: number;
  /** Numbers of fields that the descriptor lacks. */
  readonly unknown: Set<number>;
}

function readMessage(
  state: State,
  end: number,
  plan: MessagePlan,
  depth: number,
): Record<string, PlainValue> {
  const { reader, budget } = state;
  if (depth > MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`);
  if (end > reader.len) throw new Error('a message that is cut off');
  const message: Record<string, PlainValue> = { ...plan.blank };
  budget.take(plan.fields.size + 1);
  const lists = new Map<FieldPlan, PlainValue[]>();
  while (reader.pos < end) {
    const tag = reader.uint32();
    const wire = tag & 7;
    const field = plan.fields.get(tag >>> 3);
    if (tag >>> 3 === 0 || wire > FIXED32)
      throw new Error(`a field of number ${tag >>> 3} and wire type ${wire}`);
    if (field === undefined) {
      if (wire === END_GROUP) throw new Error('the end of a group that did not begin');
      if (state.unknown.size < SHOWN) state.unknown.add(tag >>> 3);
      reader.skipType(wire);
      continue;
    }
    state.known++;
    if (field.repeated) {
      let list = lists.get(field);
      if (list === undefined) lists.set(field, (list = []));
      readRepeated(state, field, wire, list, depth);
    } else message[field.name] = readOne(state, field, wire, depth);
  }
  if (reader.pos !== end) throw new Error('a field that goes beyond its message');
  for (const [{ name, map }, list] of lists) message[name] = map ? lastOfEachKey(list) : list;
  return message;
}

function readOne(state: State, { name, one }: FieldPlan, wire: number, depth: number): PlainValue {
  const { reader } = state;
  const expected = one.kind === 'scalar' ? one.wire : LENGTH_DELIMITED;
  if (wire === START_GROUP) throw new Error(`field ${name} is a group, which is not decoded`);
  if (wire !== expected) throw new Error(`field ${name} has wire type ${wire}, not ${expected}`);
  if (one.kind === 'scalar') return one.read(reader);
  const bytes = reader.uint32();
  return readMessage(state, reader.pos + bytes, one.plan, depth + 1);
}

/** Numbers may be packed or single, independent of the descriptor. */
function readRepeated(state: State, field: FieldPlan, wire: number, list: PlainValue[], depth: number): void {
  const { one } = field;
  const { reader, budget } = state;
  if (wire !== LENGTH_DELIMITED || one.kind === 'message' || one.wire === LENGTH_DELIMITED) {
    budget.take(1);
    list.push(readOne(state, field, wire, depth));
    return;
  }
  const bytes = reader.uint32();
  const end = reader.pos + bytes;
  if (end > reader.len) throw new Error(`field ${field.name} is cut off`);
  while (reader.pos < end) {
    budget.take(1);
    list.push(one.read(reader));
  }
  if (reader.pos !== end) throw new Error(`field ${field.name} goes beyond its end`);
}

function lastOfEachKey(entries: readonly PlainValue[]): PlainValue[] {
  const byKey = new Map(entries.map((entry) => [(entry as { key: PlainValue }).key, entry]));
  return [...byKey.values()];
}

/** The messages of a root that are not nested in another message, by full name. */
export function topTypes(root: Root): Map<string, Type> {
  const found = new Map<string, Type>();
  const visit = (space: protobuf.NamespaceBase): void => {
    for (const one of space.nestedArray) {
      if (one instanceof protobuf.Type) found.set(one.fullName.replace(/^\./, ''), one);
      else if (one instanceof protobuf.Namespace) visit(one);
    }
  };
  visit(root);
  return found;
}
