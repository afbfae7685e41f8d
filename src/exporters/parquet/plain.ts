import type { NodeData } from '../columns/batch.js';
import { isWide } from '../columns/batch.js';
import type { LeafType } from '../columns/column.js';
import { present } from '../../core/present.js';

/** The values in Parquet's PLAIN encoding: little-endian numbers, length-prefixed bytes, packed bits. */
export function plainValues(
  node: NodeData,
  type: LeafType,
  values: number,
  places: Uint32Array | undefined,
): Uint8Array {
  if (type === 'string' || type === 'bytes' || type === 'json') return plainTexts(node, values, places);
  if (type === 'bool') return plainBits(node, values, places);
  if (isWide(type)) return plainWide(node, values, places);
  const all = present(node.values);
  if (all.BYTES_PER_ELEMENT >= 4 && places === undefined) {
    return new Uint8Array(all.buffer, all.byteOffset, values * all.BYTES_PER_ELEMENT);
  }
  const out =
    type === 'float64'
      ? new Float64Array(values)
      : type === 'float32'
        ? new Float32Array(values)
        : new Int32Array(values);
  for (let i = 0; i < values; i++) out[i] = all[places === undefined ? i : places[i]!]!;
  return new Uint8Array(out.buffer);
}

function plainWide({ values: all }: NodeData, values: number, places: Uint32Array | undefined): Uint8Array {
  if (places === undefined) return new Uint8Array(present(all).buffer, present(all).byteOffset, 8 * values);
  const out = new Int32Array(2 * values);
  for (let i = 0; i < values; i++) {
    out[2 * i] = present(all)[2 * places[i]!]!;
    out[2 * i + 1] = present(all)[2 * places[i]! + 1]!;
  }
  return new Uint8Array(out.buffer);
}

function plainBits({ values: all }: NodeData, values: number, places: Uint32Array | undefined): Uint8Array {
  const out = new Uint8Array(Math.ceil(values / 8));
  // A message without fields has no values, and counts as false.
  if (all === undefined) return out;
  for (let i = 0; i < values; i++) {
    if (all[places === undefined ? i : places[i]!] === 1) out[i >> 3]! |= 1 << (i & 7);
  }
  return out;
}

function plainTexts(
  { data, offsets }: NodeData,
  values: number,
  places: Uint32Array | undefined,
): Uint8Array {
  let bytes = 4 * values;
  for (let i = 0; i < values; i++) {
    const at = places === undefined ? i : places[i]!;
    bytes += present(offsets)[at + 1]! - present(offsets)[at]!;
  }
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  let to = 0;
  for (let i = 0; i < values; i++) {
    const at = places === undefined ? i : places[i]!;
    const [start, end] = [present(offsets)[at]!, present(offsets)[at + 1]!];
    view.setUint32(to, end - start, true);
    out.set(present(data).subarray(start, end), to + 4);
    to += 4 + end - start;
  }
  return out;
}
