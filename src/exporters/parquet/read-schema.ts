import type { SchemaElement } from 'hyparquet';
import type { LeafType, NamedColumn, StructColumn } from '../columns/column.js';

/**
 * The columns of a Parquet file written by Holdfast: the reverse of `parquetSchema`, except for what Parquet
 * does not keep (a duration is an integer, an empty message a bool). Throws an Error for other files.
 */
export function columnsOfParquet(elements: readonly SchemaElement[]): StructColumn {
  let at = 1;
  const next = (): SchemaElement => {
    const element = elements[at++];
    if (element === undefined) throw new Error('a Parquet schema that ends early');
    return element;
  };
  const read = (): NamedColumn => {
    const element = next();
    const optional = element.repetition_type === 'OPTIONAL';
    const children = element.num_children ?? 0;
    if (children === 0) {
      return { name: element.name, column: { kind: 'leaf', type: leafType(element), optional } };
    }
    if (element.converted_type !== 'LIST') {
      return { name: element.name, column: { kind: 'struct', optional, fields: readAll(children) } };
    }
    next();
    return { name: element.name, column: { kind: 'list', optional, element: read().column } };
  };
  const readAll = (count: number): NamedColumn[] => Array.from({ length: count }, read);
  const fields = readAll(elements[0]?.num_children ?? 0);
  return { kind: 'struct', optional: false, fields };
}

const integers: Readonly<Record<string, LeafType>> = {
  INT_8: 'int8',
  INT_16: 'int16',
  INT_32: 'int32',
  INT_64: 'int64',
  UINT_8: 'uint8',
  UINT_16: 'uint16',
  UINT_32: 'uint32',
  UINT_64: 'uint64',
};

function leafType({ type, converted_type: converted, logical_type: logical, name }: SchemaElement): LeafType {
  if (logical?.type === 'TIMESTAMP') return 'time';
  const integer = integers[converted ?? ''];
  if (integer !== undefined) return integer;
  if (type === 'BOOLEAN') return 'bool';
  if (type === 'FLOAT') return 'float32';
  if (type === 'DOUBLE') return 'float64';
  if (type !== 'BYTE_ARRAY')
    throw new Error(`column ${name} has the type ${type}, which Holdfast does not write`);
  return converted === 'JSON' ? 'json' : converted === 'UTF8' ? 'string' : 'bytes';
}
