import { countLeaves, leaf, type Column, type LeafType, type NamedColumn } from '../columns/column.js';
import type { PlainValue } from '../columns/put-value.js';
import { FlatReader } from './flat-reader.js';
import {
  base,
  type FlatEnum,
  type FlatField,
  type FlatObject,
  type FlatSchema,
  type FlatType,
} from './flat-schema.js';
import { MAX_DEPTH, MAX_LEAVES, ValueBudget, type PayloadDecoder } from './payload-decoder.js';

interface State {
  readonly reader: FlatReader;
  readonly budget: ValueBudget;
  /** Number of fields beyond those in the schema. */
  unknown: number;
}

/** A value at a place of the buffer. */
type ReadAt = (state: State, at: number, depth: number) => PlainValue;

interface Part {
  readonly column: Column;
  readonly read: ReadAt;
  /** Bytes of the value inside a vector or struct. */
  readonly bytes: number;
}

interface ScalarKind {
  readonly leaf: LeafType;
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => PlainValue;
}

const scalars: Readonly<Record<number, ScalarKind>> = {
  [base.unionType]: { leaf: 'uint8', bytes: 1, read: (view, at) => view.getUint8(at) },
  [base.bool]: { leaf: 'bool', bytes: 1, read: (view, at) => view.getUint8(at) !== 0 },
  [base.byte]: { leaf: 'int8', bytes: 1, read: (view, at) => view.getInt8(at) },
  [base.ubyte]: { leaf: 'uint8', bytes: 1, read: (view, at) => view.getUint8(at) },
  [base.short]: { leaf: 'int16', bytes: 2, read: (view, at) => view.getInt16(at, true) },
  [base.ushort]: { leaf: 'uint16', bytes: 2, read: (view, at) => view.getUint16(at, true) },
  [base.int]: { leaf: 'int32', bytes: 4, read: (view, at) => view.getInt32(at, true) },
  [base.uint]: { leaf: 'uint32', bytes: 4, read: (view, at) => view.getUint32(at, true) },
  [base.long]: { leaf: 'int64', bytes: 8, read: (view, at) => view.getBigInt64(at, true) },
  [base.ulong]: { leaf: 'uint64', bytes: 8, read: (view, at) => view.getBigUint64(at, true) },
  [base.float]: { leaf: 'float32', bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  [base.double]: { leaf: 'float64', bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

/**
 * Messages of the root table of a FlatBuffers schema as rows. Enumerations become the names of their values.
 * A union becomes a part with one member per type, of which at most one is present. Deprecated fields are
 * left out. Throws an Error for a schema that cannot be columns.
 */
export function flatDecoder(schema: FlatSchema): PayloadDecoder {
  const root = schema.root === undefined ? undefined : schema.objects[schema.root];
  if (root === undefined) throw new Error('it names no root_type');
  const part = new Planner(schema).object(root, 0);
  const leaves = countLeaves(part.column);
  if (leaves > MAX_LEAVES) throw new Error(`${root.name} has ${leaves} columns, allowed: ${MAX_LEAVES}`);
  if (part.column.kind !== 'struct') throw new Error('the root is no table');
  const { identifier } = schema;
  return {
    columns: { ...part.column, optional: true },
    decode: (payload) => {
      const reader = new FlatReader(payload);
      if (identifier !== '' && reader.identifier() !== identifier) {
        throw new Error(`its identifier is ${JSON.stringify(reader.identifier())}, expected "${identifier}"`);
      }
      const state: State = { reader, budget: new ValueBudget(), unknown: 0 };
      try {
        const value = part.read(state, reader.root(), 0);
        if (state.unknown === 0) return { value };
        return { value, unknown: `${state.unknown} fields are not in the descriptor` };
      } catch (error) {
        if (error instanceof RangeError)
          throw new Error('an offset leads out of the message', { cause: error });
        throw error;
      }
    },
  };
}

class Planner {
  readonly #schema: FlatSchema;
  #leaves = 0;

  constructor(schema: FlatSchema) {
    this.#schema = schema;
  }

  object(object: FlatObject, depth: number): Part {
    if (depth > MAX_DEPTH)
      throw new Error(`${object.name} contains itself, or is nested deeper than ${MAX_DEPTH}`);
    if ((this.#leaves += object.fields.length) > MAX_LEAVES * 4) {
      throw new Error(`${object.name} has too many columns, allowed: ${MAX_LEAVES}`);
    }
    return object.isStruct ? this.#struct(object, depth) : this.#table(object, depth);
  }

  #struct({ fields, bytes }: FlatObject, depth: number): Part {
    const parts = fields.map((field) => ({ field, part: this.#value(field.type, depth) }));
    return {
      column: structOf(parts.map(({ field, part }) => ({ name: field.name, column: part.column }))),
      bytes,
      read: (state, at, level) => {
        state.budget.take(1 + parts.length);
        state.reader.slice(at, bytes);
        return Object.fromEntries(
          parts.map(({ field, part }) => [field.name, part.read(state, at + field.offset, level + 1)]),
        );
      },
    };
  }

  #table({ fields }: FlatObject, depth: number): Part {
    const last = fields.at(-1)?.id ?? -1;
    const members = fields
      .filter(({ deprecated }) => !deprecated)
      .map((field) => ({ name: field.name, ...this.#member(field, fields, depth) }));
    return {
      column: structOf(members.map(({ name, column }) => ({ name, column }))),
      bytes: 4,
      read: (state, table, level) => {
        if (level > MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`);
        state.budget.take(1 + members.length);
        for (let id = last + 1; id < state.reader.entries(table); id++) {
          if (state.reader.field(table, 4 + 2 * id) !== undefined) state.unknown++;
        }
        return Object.fromEntries(members.map(({ name, read }) => [name, read(state, table, level)]));
      },
    };
  }

  #member(field: FlatField, fields: readonly FlatField[], depth: number): { column: Column; read: ReadAt } {
    if (field.type.base === base.union) return this.#union(field, fields, depth);
    const part = this.#value(field.type, depth);
    const kind = scalars[field.type.base];
    const absent = kind === undefined || field.optional ? null : this.#default(field, kind);
    const isNested = kind === undefined;
    return {
      column: absent === null ? { ...part.column, optional: true } : part.column,
      read: (state, table, level) => {
        const at = state.reader.field(table, field.offset);
        if (at === undefined) return absent;
        const isTable = isNested && this.#isTable(field.type);
        return part.read(state, isTable ? state.reader.tableAt(at) : at, level + 1);
      },
    };
  }

  #isTable({ base: kind, index }: FlatType): boolean {
    return kind === base.object && this.#schema.objects[index]?.isStruct === false;
  }

  #default({ type, defaultInteger, defaultReal }: FlatField, kind: ScalarKind): PlainValue {
    if (type.index >= 0) return nameOf(this.#enumOf(type), defaultInteger);
    if (kind.leaf === 'float32' || kind.leaf === 'float64') return defaultReal;
    if (kind.leaf === 'bool') return defaultInteger !== 0n;
    if (kind.leaf === 'uint64') return BigInt.asUintN(64, defaultInteger);
    return kind.leaf === 'int64' ? defaultInteger : Number(defaultInteger);
  }

  #enumOf({ index }: FlatType): FlatEnum {
    const found = this.#schema.enums[index];
    if (found === undefined) throw new Error(`it names enumeration ${index}, which is not there`);
    return found;
  }

  #value(type: FlatType, depth: number): Part {
    const kind = scalars[type.base];
    if (kind !== undefined) return type.index >= 0 ? this.#enumeration(type, kind) : scalarPart(kind);
    switch (type.base) {
      case base.string:
        return {
          ...{ column: leaf('string'), bytes: 4 },
          read: ({ reader, budget }, at) => {
            budget.take(1);
            return reader.text(at);
          },
        };
      case base.vector:
        return this.#vector(type, depth);
      case base.array:
        return this.#array(type, depth);
      case base.object: {
        const object = this.#schema.objects[type.index];
        if (object === undefined) throw new Error(`it names type ${type.index}, which is not there`);
        return this.object(object, depth + 1);
      }
      default:
        throw new Error(`base type ${type.base} is not decoded`);
    }
  }

  #enumeration(type: FlatType, kind: ScalarKind): Part {
    const names = this.#enumOf(type);
    return {
      ...{ column: leaf('string'), bytes: kind.bytes },
      read: ({ reader }, at) => nameOf(names, BigInt(kind.read(reader.view, at) as number | bigint)),
    };
  }

  #elementOf(type: FlatType, depth: number): Part {
    if (type.element === base.union) throw new Error('lists of unions are not decoded');
    return this.#value({ ...type, base: type.element, element: 0 }, depth);
  }

  #vector(type: FlatType, depth: number): Part {
    if (type.element === base.ubyte && type.index < 0) {
      return { column: leaf('bytes'), bytes: 4, read: ({ reader }, at) => reader.bytes(at) };
    }
    const element = this.#elementOf(type, depth);
    const isTable = this.#isTable({ ...type, base: type.element });
    return {
      column: { kind: 'list', optional: false, element: element.column },
      bytes: 4,
      read: (state, at, level) => {
        const { first, count } = state.reader.vector(at, element.bytes);
        state.budget.take(count);
        return Array.from({ length: count }, (_, index) => {
          const place = first + index * element.bytes;
          return element.read(state, isTable ? state.reader.tableAt(place) : place, level + 1);
        });
      },
    };
  }

  #array(type: FlatType, depth: number): Part {
    const element = this.#elementOf(type, depth);
    const { length } = type;
    return {
      column: { kind: 'list', optional: false, element: element.column, length },
      bytes: length * element.bytes,
      read: (state, at, level) => {
        state.budget.take(length);
        return Array.from({ length }, (_, index) =>
          element.read(state, at + index * element.bytes, level + 1),
        );
      },
    };
  }

  #union(field: FlatField, fields: readonly FlatField[], depth: number): { column: Column; read: ReadAt } {
    const kinds = this.#enumOf(field.type);
    // The field before a union says which of its types it holds.
    const tag = fields.find(({ id }) => id === field.id - 1);
    if (tag === undefined) throw new Error(`union ${field.name} has no type in front of it`);
    const members = new Map<bigint, { name: string; part: Part; isTable: boolean }>();
    for (const [value, type] of kinds.typeOf) {
      if (type.base === 0) continue;
      const name = kinds.nameOf.get(value) ?? String(value);
      members.set(value, { name, part: this.#value(type, depth + 1), isTable: this.#isTable(type) });
    }
    const columns = [...members.values()].map(({ name, part }) => ({
      name,
      column: { ...part.column, optional: true },
    }));
    return {
      column: { ...structOf(columns), optional: true },
      read: (state, table, level) => {
        const [tagAt, at] = [state.reader.field(table, tag.offset), state.reader.field(table, field.offset)];
        const value = tagAt === undefined ? 0n : BigInt(state.reader.view.getUint8(tagAt));
        if (value === 0n || at === undefined) return null;
        const member = members.get(value);
        if (member === undefined) {
          state.unknown++;
          return null;
        }
        const { name, part, isTable } = member;
        const inner =
          part.column.kind === 'leaf' ? at : isTable ? state.reader.tableAt(at) : state.reader.follow(at);
        return { [name]: part.read(state, inner, level + 1) };
      },
    };
  }
}

function scalarPart(kind: ScalarKind): Part {
  return {
    ...{ column: leaf(kind.leaf), bytes: kind.bytes },
    read: ({ reader }, at) => kind.read(reader.view, at),
  };
}

function structOf(fields: readonly NamedColumn[]): Column {
  return { kind: 'struct', optional: false, fields };
}

/** A value without a name becomes its number. */
function nameOf({ nameOf: names }: FlatEnum, value: bigint): string {
  return names.get(value) ?? String(value);
}
