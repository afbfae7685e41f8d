import type { Batch, NodeData, PlacedColumn } from './batch.js';
import type { LeafType } from './column.js';
import type { PlainValue } from './put-value.js';
import { present } from '../../core/present.js';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const latin = new TextDecoder('latin1');
const SHORT_TEXT = 24;

/** The value of a column at an index of its scope: 64-bit integers, times and durations are bigint. */
export function valueAt(batch: Batch, at: PlacedColumn, index: number): PlainValue {
  const { column, children, id } = at;
  const node = batch.nodes[id]!;
  if (column.optional && present(node.valid)[index] === 0) return null;
  switch (column.kind) {
    case 'struct': {
      const value: Record<string, PlainValue> = {};
      for (const child of children) value[child.name] = valueAt(batch, child, index);
      return value;
    }
    case 'list': {
      const offsets = present(node.offsets);
      const values: PlainValue[] = [];
      for (let i = offsets[index]!; i < offsets[index + 1]!; i++)
        values.push(valueAt(batch, children[0]!, i));
      return values;
    }
    case 'leaf':
      return column.constant ?? leafValue(node, column.type, index);
  }
}

export function leafValue(node: NodeData, type: LeafType, index: number): PlainValue {
  switch (type) {
    case 'bool':
      return present(node.values)[index] === 1;
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
      return present(node.data).subarray(present(node.offsets)[index], present(node.offsets)[index + 1]);
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'float32':
    case 'float64':
      return present(node.values)[index]!;
  }
}

/** A signed 64-bit value from its two words. */
export function wideAt({ values }: NodeData, index: number): bigint {
  const low = present(values)[2 * index]! >>> 0;
  const high = present(values)[2 * index + 1]!;
  return (BigInt(high) << 32n) | BigInt(low);
}

export function textAt({ data, offsets }: NodeData, index: number): string {
  const bytes = present(data).subarray(present(offsets)[index], present(offsets)[index + 1]);
  if (bytes.length <= SHORT_TEXT && bytes.every((byte) => byte < 128)) return latin.decode(bytes);
  return decoder.decode(bytes);
}
