import type { PlacedColumn } from '../columns/batch.js';
import { flatColumns, type FlatColumn } from '../columns/flat-columns.js';
import type { LeafType, StructColumn } from '../columns/column.js';

/** How a column becomes arrays: numbers, texts, or JSON text for the rest. */
export interface NpyColumn {
  readonly name: string;
  readonly flat: FlatColumn;
  /** `list`: any number of values per row, `scalar`: one. */
  readonly shape: 'scalar' | 'list';
  readonly kind: 'number' | 'text' | 'json';
  readonly type: LeafType;
  /** The leaf that holds the values. */
  readonly leaf: PlacedColumn;
  readonly constant?: string;
}

/** NumPy's name of each number type, little-endian. */
export const dtypes: Readonly<Record<LeafType, string>> = {
  bool: '|b1',
  int8: '|i1',
  uint8: '|u1',
  int16: '<i2',
  uint16: '<u2',
  int32: '<i4',
  uint32: '<u4',
  int64: '<i8',
  uint64: '<u8',
  float32: '<f4',
  float64: '<f8',
  time: '<M8[ns]',
  duration: '<m8[ns]',
  bytes: '|u1',
  string: '<U',
  json: '<U',
};

/** The arrays of a table: one per number or text; for lists of structs, one per field of the struct. */
export function npyColumns(table: StructColumn): NpyColumn[] {
  return flatColumns(table).flatMap((flat): NpyColumn[] => {
    const { column, at, name } = flat;
    if (column.kind === 'leaf') {
      const { type } = column;
      const constant = column.constant === undefined ? {} : { constant: column.constant };
      if (type === 'bytes') return [{ name, flat, shape: 'list', kind: 'number', type, leaf: at }];
      const kind = type === 'string' || type === 'json' ? 'text' : 'number';
      return [{ name, flat, shape: 'scalar', kind, type, leaf: at, ...constant }];
    }
    const leaves = at.children.flatMap((element) => leavesOf(element, name));
    const simple = leaves.every(({ leaf }) => isNumber(leaf) && !leaf.column.optional);
    if (leaves.length === 0 || !simple) {
      return [{ name, flat, shape: 'scalar', kind: 'json', type: 'json', leaf: at }];
    }
    return leaves.map((one) => ({
      name: one.name,
      flat,
      shape: 'list' as const,
      kind: 'number' as const,
      type: (one.leaf.column as Extract<PlacedColumn['column'], { kind: 'leaf' }>).type,
      leaf: one.leaf,
    }));
  });
}

function isNumber({ column }: PlacedColumn): boolean {
  return column.kind === 'leaf' && !['string', 'json', 'bytes'].includes(column.type);
}

function leavesOf(at: PlacedColumn, name: string): { readonly name: string; readonly leaf: PlacedColumn }[] {
  if (at.column.kind !== 'struct') return [{ name, leaf: at }];
  return at.children.flatMap((child) => leavesOf(child, `${name}.${child.name}`));
}
