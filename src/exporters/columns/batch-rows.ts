import type { Batch, NodeData, PlacedColumn } from './batch.js';
import type { LeafType } from './column.js';

/** One value as JavaScript has it: 64-bit integers, times and durations as bigint, bytes as a Uint8Array. */
export type ColumnValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly ColumnValue[]
  | { readonly [name: string]: ColumnValue };

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const latin = new TextDecoder('latin1');
const SHORT_TEXT = 24;

/** The value of a column at a place of its scope. */
export function valueAt(batch: Batch, at: PlacedColumn, index: number): ColumnValue {
  const { column, children, id } = at;
  const node = batch.nodes[id]!;
  if (column.optional && node.valid![index] === 0) return null;
  switch (column.kind) {
    case 'struct': {
      const value: Record<string, ColumnValue> = {};
      for (const child of children) value[child.name] = valueAt(batch, child, index);
      return value;
    }
    case 'list': {
      const offsets = node.offsets!;
      const values: ColumnValue[] = [];
      for (let i = offsets[index]!; i < offsets[index + 1]!; i++)
        values.push(valueAt(batch, children[0]!, i));
      return values;
    }
    case 'leaf':
      return column.constant ?? leafValue(node, column.type, index);
  }
}

export function leafValue(node: NodeData, type: LeafType, index: number): ColumnValue {
  switch (type) {
    case 'bool':
      return node.values![index] === 1;
    case 'int64':
    case 'time':
    case 'duration':
      return wideAt(node, index);
    case 'uint64':
      return BigInt.asUintN(64, wideAt(node, index));
    case 'string':
    case 'json':
      return textAt(node, index);
    case 'bytes':
      return node.data!.subarray(node.offsets![index]!, node.offsets![index + 1]!);
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'float32':
    case 'float64':
      return node.values![index]!;
  }
}

/** A signed 64-bit value out of its two words. */
export function wideAt({ values }: NodeData, index: number): bigint {
  const low = values![2 * index]! >>> 0;
  const high = values![2 * index + 1]!;
  return (BigInt(high) << 32n) | BigInt(low);
}

export function textAt({ data, offsets }: NodeData, index: number): string {
  const bytes = data!.subarray(offsets![index]!, offsets![index + 1]!);
  if (bytes.length <= SHORT_TEXT && bytes.every((byte) => byte < 128)) return latin.decode(bytes);
  return decoder.decode(bytes);
}
