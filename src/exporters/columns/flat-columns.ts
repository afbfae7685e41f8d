import { placeColumns, type Batch, type PlacedColumn } from './batch.js';
import type { Column, StructColumn } from './column.js';
import { present } from '../../core/present.js';

/** A column of a flat table: a leaf or a list, under a dotted name. */
export interface FlatColumn {
  readonly name: string;
  readonly at: PlacedColumn;
  readonly column: Column;
  /** The optional structs that contain it, from the outside. */
  readonly optional: readonly PlacedColumn[];
}

/** The columns of a table with structs replaced by dotted names; lists stay whole. */
export function flatColumns(table: StructColumn): FlatColumn[] {
  const flat: FlatColumn[] = [];
  const visit = (at: PlacedColumn, name: string, optional: readonly PlacedColumn[]): void => {
    const own = at.column.optional ? [...optional, at] : optional;
    if (at.column.kind !== 'struct') {
      flat.push({ name, at, column: at.column, optional: own });
      return;
    }
    for (const child of at.children) visit(child, name === '' ? child.name : `${name}.${child.name}`, own);
  };
  visit(placeColumns(table), '', []);
  return flat;
}

export function isNull(batch: Batch, { optional }: FlatColumn, row: number): boolean {
  for (const { id } of optional) if (present(batch.nodes[id]!.valid)[row] === 0) return true;
  return false;
}
