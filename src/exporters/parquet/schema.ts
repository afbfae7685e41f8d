import type { SchemaElement } from 'hyparquet';
import { placeColumns, type PlacedColumn } from '../columns/batch.js';
import type { LeafType, StructColumn } from '../columns/column.js';

/** A future column chunk: its place in the Parquet schema and in the batch. */
export interface ParquetLeaf {
  readonly path: readonly string[];
  readonly type: LeafType;
  readonly element: SchemaElement;
  /** From below the root to the leaf. */
  readonly columns: readonly PlacedColumn[];
}

export interface ParquetSchema {
  readonly elements: readonly SchemaElement[];
  readonly leaves: readonly ParquetLeaf[];
}

type Physical = Pick<SchemaElement, 'type' | 'converted_type' | 'logical_type'>;

/**
 * Times are TIMESTAMP(NANOS) and not "adjusted to UTC", because DuckDB would cut those to microseconds. They
 * are still UTC.
 */
const physical: Readonly<Record<LeafType, Physical>> = {
  bool: { type: 'BOOLEAN' },
  int8: { type: 'INT32', converted_type: 'INT_8' },
  uint8: { type: 'INT32', converted_type: 'UINT_8' },
  int16: { type: 'INT32', converted_type: 'INT_16' },
  uint16: { type: 'INT32', converted_type: 'UINT_16' },
  int32: { type: 'INT32', converted_type: 'INT_32' },
  uint32: { type: 'INT32', converted_type: 'UINT_32' },
  int64: { type: 'INT64', converted_type: 'INT_64' },
  uint64: { type: 'INT64', converted_type: 'UINT_64' },
  float32: { type: 'FLOAT' },
  float64: { type: 'DOUBLE' },
  time: { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'NANOS' } },
  duration: { type: 'INT64', converted_type: 'INT_64' },
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  bytes: { type: 'BYTE_ARRAY' },
  json: { type: 'BYTE_ARRAY', converted_type: 'JSON', logical_type: { type: 'JSON' } },
};

/** The Parquet schema of a table. If flattened, structs outside of lists become dotted names. */
export function parquetSchema(table: StructColumn, flatten: boolean): ParquetSchema {
  const root = placeColumns(table);
  const elements: SchemaElement[] = [];
  const leaves: ParquetLeaf[] = [];
  const add = (
    node: PlacedColumn,
    name: string,
    path: readonly string[],
    above: readonly PlacedColumn[],
  ): number => {
    const { column } = node;
    const columns = [...above, node];
    const repetition_type = column.optional ? 'OPTIONAL' : 'REQUIRED';
    if (column.kind === 'leaf') {
      const element: SchemaElement = { name, repetition_type, ...physical[column.type] };
      elements.push(element);
      leaves.push({ path: [...path, name], type: column.type, element, columns });
      return 1;
    }
    if (column.kind === 'list') {
      elements.push({
        name,
        repetition_type,
        num_children: 1,
        converted_type: 'LIST',
        logical_type: { type: 'LIST' },
      });
      elements.push({ name: 'list', repetition_type: 'REPEATED', num_children: 1 });
      add(node.children[0]!, 'element', [...path, name, 'list'], columns);
      return 1;
    }
    if (flatten && node.scope === 0) {
      let count = 0;
      for (const child of node.children) count += add(child, `${name}.${child.name}`, path, columns);
      return count;
    }
    // Parquet has no empty groups: an empty message is a column of false.
    if (node.children.length === 0) {
      const element: SchemaElement = { name, repetition_type, ...physical.bool };
      elements.push(element);
      leaves.push({ path: [...path, name], type: 'bool', element, columns });
      return 1;
    }
    const group: SchemaElement = { name, repetition_type, num_children: 0 };
    elements.push(group);
    let children = 0;
    for (const child of node.children) children += add(child, child.name, [...path, name], columns);
    group.num_children = children;
    return 1;
  };
  const top: SchemaElement = { name: 'root', num_children: 0 };
  elements.push(top);
  let children = 0;
  for (const child of root.children) children += add(child, child.name, [], []);
  top.num_children = children;
  return { elements, leaves };
}
