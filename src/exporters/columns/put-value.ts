import {
  isText,
  isWide,
  type BatchBuilder,
  type BytesLeaf,
  type NumberArray,
  type PlacedColumn,
} from './batch.js';
import { signature, type Column, type LeafType, type NamedColumn, type StructColumn } from './column.js';
import { present } from '../../core/present.js';

/** A decoded value, by the kind of its column; null: missing. 64-bit integers are bigint. */
export type PlainValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PlainValue[]
  | { readonly [name: string]: PlainValue };

/** Types of numbers, and those that hold every value of them. */
const wider: Readonly<Partial<Record<LeafType, readonly LeafType[]>>> = {
  int8: ['int16', 'int32', 'int64', 'float32', 'float64'],
  uint8: ['uint16', 'int16', 'uint32', 'int32', 'uint64', 'int64', 'float32', 'float64'],
  int16: ['int32', 'int64', 'float32', 'float64'],
  uint16: ['uint32', 'int32', 'uint64', 'int64', 'float32', 'float64'],
  int32: ['int64', 'float64'],
  uint32: ['uint64', 'int64', 'float64'],
  float32: ['float64'],
};

/** The type that holds all values of two types; undefined if neither does. */
export function widest(a: LeafType, b: LeafType): LeafType | undefined {
  if (a === b || wider[b]?.includes(a)) return a;
  return wider[a]?.includes(b) ? b : undefined;
}

/** Whether `target` can hold every value of `own`. */
function takes(target: Column, own: Column): boolean {
  if (target.kind === 'leaf' && own.kind === 'leaf') return widest(target.type, own.type) === target.type;
  if (target.kind === 'list' && own.kind === 'list') return takes(target.element, own.element);
  return target.kind === 'struct' && own.kind === 'struct';
}

/** One column for two versions of a field; undefined if their values do not fit into one. */
function together(a: Column, b: Column): Column | undefined {
  const optional = a.optional || b.optional;
  if (a.kind === 'leaf' && b.kind === 'leaf') {
    const type = widest(a.type, b.type);
    return type && { kind: 'leaf', type, optional };
  }
  if (a.kind === 'struct' && b.kind === 'struct') return { ...uniteWidened(a, b), optional };
  if (a.kind !== 'list' || b.kind !== 'list') return undefined;
  const element = together(a.element, b.element);
  return element && { kind: 'list', optional, element };
}

/**
 * The union of two versions of a type whose numbers may have become wider. A field of only one of them may be
 * missing. A field whose type the other cannot hold gets a column of its own, named with its type
 * (`x_string`).
 */
export function uniteWidened(a: StructColumn, b: StructColumn): StructColumn {
  const fields = new Map(a.fields.map(({ name, column }) => [name, column]));
  const inBoth = new Set<string>();
  for (const { name, column } of b.fields) {
    const known = fields.get(name);
    const united = known && together(known, column);
    if (united) inBoth.add(name);
    const target = known === undefined || united ? name : `${name}_${signature(column)}`;
    fields.set(target, united ?? { ...column, optional: true });
  }
  const united: NamedColumn[] = [...fields].map(([name, column]) => ({
    name,
    column: inBoth.has(name) ? column : { ...column, optional: true },
  }));
  return { kind: 'struct', optional: a.optional || b.optional, fields: united };
}

/**
 * Writes a value of a column `own` to `index` of its scope in a table, whose column may be wider and may have
 * more fields. There must be room for the row; lists make their own.
 */
export function putValue(
  builder: BatchBuilder,
  at: PlacedColumn,
  index: number,
  own: Column,
  value: PlainValue,
): void {
  const { slots } = builder;
  const { id, column } = at;
  if (column.optional) (slots[`y${id}`] as Uint8Array)[index] = value === null ? 0 : 1;
  if (value === null) {
    putNothing(builder, at, index);
    return;
  }
  if (own.kind === 'struct') {
    const byName = new Map(at.children.map((child) => [child.name, child]));
    const fields = value as Readonly<Record<string, PlainValue>>;
    for (const { name, column: field } of own.fields) {
      const known = byName.get(name);
      const target = known && takes(known.column, field) ? name : `${name}_${signature(field)}`;
      putValue(builder, present(byName.get(target)), index, field, fields[name] ?? null);
      byName.delete(target);
    }
    for (const child of byName.values()) putValue(builder, child, index, child.column, null);
  } else if (own.kind === 'list') {
    const [child] = at.children as [PlacedColumn];
    const values = value as readonly PlainValue[];
    const offsets = slots[`o${id}`] as Uint32Array;
    const first = offsets[index]!;
    offsets[index + 1] = first + values.length;
    if (first + values.length > (slots[`c${child.scope}`] as number)) {
      slots.grow(child.scope, first + values.length);
    }
    values.forEach((one, i) => putValue(builder, child, first + i, own.element, one));
  } else if (column.kind === 'leaf') putLeaf(builder, id, column.type, index, value as Leaf);
}

type Leaf = boolean | number | bigint | string | Uint8Array;

function putLeaf({ slots }: BatchBuilder, id: number, type: LeafType, index: number, value: Leaf): void {
  if (isText(type)) {
    const text = slots[`s${id}`] as BytesLeaf;
    if (typeof value === 'string') text.putText(index, value);
    else text.put(index, value as Uint8Array, 0, (value as Uint8Array).byteLength);
  } else if (isWide(type)) {
    const wide = BigInt(value as number | bigint | boolean);
    const words = slots[`v${id}`] as Int32Array;
    words[2 * index] = Number(BigInt.asIntN(32, wide));
    words[2 * index + 1] = Number(BigInt.asIntN(32, wide >> 32n));
  } else (slots[`v${id}`] as NumberArray)[index] = Number(value);
}

/** A placeholder below a missing value: values of an earlier row must not show there. */
function putNothing(builder: BatchBuilder, { id, column, children }: PlacedColumn, index: number): void {
  const { slots } = builder;
  if (column.kind === 'struct') {
    for (const child of children) {
      if (child.column.optional) (slots[`y${child.id}`] as Uint8Array)[index] = 0;
      putNothing(builder, child, index);
    }
  } else if (column.kind === 'list') {
    const offsets = slots[`o${id}`] as Uint32Array;
    offsets[index + 1] = offsets[index]!;
  } else if (column.constant !== undefined) return;
  else if (isText(column.type)) (slots[`s${id}`] as BytesLeaf).empty(index);
  else if (isWide(column.type)) (slots[`v${id}`] as Int32Array).fill(0, 2 * index, 2 * index + 2);
  else (slots[`v${id}`] as NumberArray)[index] = 0;
}
