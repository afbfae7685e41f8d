import type { TypeNode } from './type-tree.js';

/**
 * The type of a column. `time`: nanoseconds since the Unix epoch; `duration`: nanoseconds; `string`: UTF-8;
 * `bytes`: a `uint8[]`, `byte[]` or `char[]`; `json`: the text of a JSON value.
 */
export type LeafType =
  | 'bool'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float32'
  | 'float64'
  | 'time'
  | 'duration'
  | 'string'
  | 'bytes'
  | 'json';

/** The columns of a table: Parquet's schema. `optional`: may be missing (null). */
export type Column = LeafColumn | StructColumn | ListColumn;

export interface LeafColumn {
  readonly kind: 'leaf';
  readonly type: LeafType;
  readonly optional: boolean;
  /** The only value of every row; then no values are stored. */
  readonly constant?: string;
}

export interface StructColumn {
  readonly kind: 'struct';
  readonly optional: boolean;
  readonly fields: readonly NamedColumn[];
}

export interface ListColumn {
  readonly kind: 'list';
  readonly optional: boolean;
  readonly element: Column;
  /** The length of a fixed array. */
  readonly length?: number;
}

export interface NamedColumn {
  readonly name: string;
  readonly column: Column;
}

/** How messages become columns. */
export interface ColumnShape {
  /** Nested fields become columns with dotted names, fixed arrays up to {@link MAX_EXPANDED} one column per element. */
  readonly flatten: boolean;
}

/** Longer fixed arrays stay lists when flattened. */
export const MAX_EXPANDED = 64;
/** Maximum number of columns of one table; more are refused. */
export const MAX_COLUMNS = 4_000;

/** The columns of a message. Throws an Error if there would be too many. */
export function columnsOf(root: Extract<TypeNode, { kind: 'struct' }>, shape: ColumnShape): StructColumn {
  const column = struct(root, shape.flatten);
  if (shape.flatten && countLeaves(column) > MAX_COLUMNS) {
    const lists = struct(root, false);
    return refuseTooMany(lists);
  }
  return refuseTooMany(column);
}

function refuseTooMany(column: StructColumn): StructColumn {
  const leaves = countLeaves(column);
  if (leaves > MAX_COLUMNS) throw new Error(`${leaves} columns, allowed: ${MAX_COLUMNS}`);
  return column;
}

function struct(node: Extract<TypeNode, { kind: 'struct' }>, expand: boolean): StructColumn {
  return {
    kind: 'struct',
    optional: false,
    fields: node.fields.map((field) => ({ name: field.name, column: columnOf(field.node, expand) })),
  };
}

function columnOf(node: TypeNode, expand: boolean): Column {
  switch (node.kind) {
    case 'struct':
      return struct(node, expand);
    case 'primitive':
      return leaf(node.type === 'wstring' ? 'string' : node.type);
    case 'list': {
      const { element, length } = node;
      if (element.kind === 'primitive' && element.type === 'uint8') return leaf('bytes');
      if (expand && length !== undefined && length <= MAX_EXPANDED) {
        const names = Array.from({ length }, (_, index) => String(index));
        const fields = names.map((name) => ({ name, column: columnOf(element, expand) }));
        return { kind: 'struct', optional: false, fields };
      }
      const list = { kind: 'list' as const, optional: false, element: columnOf(element, false) };
      return length === undefined ? list : { ...list, length };
    }
  }
}

export function leaf(type: LeafType, optional = false): LeafColumn {
  return { kind: 'leaf', type, optional };
}

export function countLeaves(column: Column): number {
  switch (column.kind) {
    case 'leaf':
      return 1;
    case 'list':
      return countLeaves(column.element);
    case 'struct':
      return column.fields.reduce((sum, field) => sum + countLeaves(field.column), 0);
  }
}

/**
 * The same column, but it may be missing: of a struct in nested tables the struct itself, otherwise each of
 * its columns.
 */
export function asOptional(column: Column, flatten: boolean): Column {
  if (column.kind !== 'struct' || !flatten) return { ...column, optional: true };
  return {
    ...column,
    fields: column.fields.map((field) => ({ ...field, column: asOptional(field.column, flatten) })),
  };
}

/**
 * The union of two versions of a type. A field of only one of them may be missing. A field with another type
 * in the second version gets a column of its own, named with its type (`x_float64`).
 */
export function unionOf(a: StructColumn, b: StructColumn, flatten: boolean): StructColumn {
  const fields = new Map(a.fields.map((field) => [field.name, field.column]));
  const inBoth = new Set<string>();
  for (const { name, column } of b.fields) {
    const target = unionName(fields, name, column);
    const known = fields.get(target);
    inBoth.add(target);
    if (known === undefined) fields.set(target, asOptional(column, flatten));
    else fields.set(target, merged(known, column, flatten));
  }
  return {
    kind: 'struct',
    optional: a.optional || b.optional,
    fields: [...fields].map(([name, column]) => ({
      name,
      column: inBoth.has(name) ? column : asOptional(column, flatten),
    })),
  };
}

/** The column of a union that takes a field: its own name, or the name with its type. */
export function unionName(fields: ReadonlyMap<string, Column>, name: string, column: Column): string {
  for (const candidate of [name, `${name}_${signature(column)}`]) {
    const known = fields.get(candidate);
    if (known === undefined || mergeable(known, column)) return candidate;
  }
  return `${name}_${signature(column)}`;
}

function merged(a: Column, b: Column, flatten: boolean): Column {
  const optional = a.optional || b.optional;
  if (a.kind === 'struct' && b.kind === 'struct') return { ...unionOf(a, b, flatten), optional };
  if (a.kind === 'list' && b.kind === 'list') {
    const { length, ...list } = a;
    const element = merged(a.element, b.element, false);
    return { ...list, optional, element, ...(length !== undefined && length === b.length ? { length } : {}) };
  }
  return { ...a, optional };
}

function mergeable(a: Column, b: Column): boolean {
  if (a.kind === 'leaf' && b.kind === 'leaf') return a.type === b.type;
  if (a.kind === 'list' && b.kind === 'list') return mergeable(a.element, b.element);
  return a.kind === 'struct' && b.kind === 'struct';
}

/** A short word for a column's type: `float64`, `list_int32`, `struct`. */
export function signature(column: Column): string {
  switch (column.kind) {
    case 'leaf':
      return column.type;
    case 'list':
      return `list_${signature(column.element)}`;
    case 'struct':
      return 'struct';
  }
}
