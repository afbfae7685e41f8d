import type { NodeData } from '../columns/batch.js';
import type { LeafType } from '../columns/column.js';
import { present } from '../../core/present.js';

/** Smallest and largest value of a column chunk, for readers that skip row groups. */
export interface ChunkStatistics {
  readonly min_value?: number | bigint | boolean | Uint8Array;
  readonly max_value?: number | bigint | boolean | Uint8Array;
  readonly null_count: bigint;
}

/** Maximum number of texts compared; statistics of long ones cost more than they gain. */
const MAX_TEXT_BYTES = 1024 * 1024;

export function statisticsOf(
  node: NodeData,
  type: LeafType,
  values: number,
  places: Uint32Array | undefined,
  nulls: number,
): ChunkStatistics {
  const null_count = BigInt(nulls);
  if (values === 0) return { null_count };
  switch (type) {
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'float32':
    case 'float64':
      return { ...numberRange(node, values, places), null_count };
    case 'int64':
    case 'uint64':
    case 'time':
    case 'duration':
      return { ...wideRange(node, type === 'uint64', values, places), null_count };
    case 'string':
      return { ...textRange(node, values, places), null_count };
    case 'bool':
    case 'bytes':
    case 'json':
      return { null_count };
  }
}

type Range = Pick<ChunkStatistics, 'min_value' | 'max_value'>;

function numberRange({ values: all }: NodeData, values: number, places: Uint32Array | undefined): Range {
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < values; i++) {
    const value = present(all)[places === undefined ? i : places[i]!]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  // Only NaN: no bounds. A zero bound means both zeros.
  if (min > max) return {};
  return { min_value: min === 0 && isFloat(present(all)) ? -0 : min, max_value: max === 0 ? 0 : max };
}

function isFloat(values: NonNullable<NodeData['values']>): boolean {
  return values instanceof Float64Array || values instanceof Float32Array;
}

function wideRange(
  { values: words }: NodeData,
  unsigned: boolean,
  values: number,
  places: Uint32Array | undefined,
): Range {
  const highAt = (at: number): number =>
    unsigned ? present(words)[2 * at + 1]! >>> 0 : present(words)[2 * at + 1]!;
  let [min, max] = [places === undefined ? 0 : places[0]!, places === undefined ? 0 : places[0]!];
  for (let i = 1; i < values; i++) {
    const at = places === undefined ? i : places[i]!;
    const high = highAt(at);
    const low = present(words)[2 * at]! >>> 0;
    if (high < highAt(min) || (high === highAt(min) && low < present(words)[2 * min]! >>> 0)) min = at;
    if (high > highAt(max) || (high === highAt(max) && low > present(words)[2 * max]! >>> 0)) max = at;
  }
  const valueAt = (at: number): bigint => (BigInt(highAt(at)) << 32n) | BigInt(present(words)[2 * at]! >>> 0);
  return { min_value: valueAt(min), max_value: valueAt(max) };
}

function textRange({ data, offsets }: NodeData, values: number, places: Uint32Array | undefined): Range {
  const textAt = (i: number): Uint8Array => {
    const at = places === undefined ? i : places[i]!;
    return present(data).subarray(present(offsets)[at], present(offsets)[at + 1]);
  };
  let min = textAt(0);
  let max = min;
  let bytes = 0;
  for (let i = 1; i < values; i++) {
    const text = textAt(i);
    if ((bytes += text.length) > MAX_TEXT_BYTES) return {};
    if (Buffer.compare(text, min) < 0) min = text;
    if (Buffer.compare(text, max) > 0) max = text;
  }
  return { min_value: Uint8Array.from(min), max_value: Uint8Array.from(max) };
}
