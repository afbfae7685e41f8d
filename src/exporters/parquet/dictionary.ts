import type { NodeData } from '../columns/batch.js';
import { present } from '../../core/present.js';

/** Distinct texts of one column, and the index of each value among them. */
export interface TextDictionary {
  /** Index in the column of the first occurrence of each. */
  readonly first: readonly number[];
  readonly indexes: Uint32Array;
}

const MAX_DISTINCT = 1024;
const MAX_TEXT_BYTES = 256;

/** A dictionary if it is worth it: few distinct, short texts. Names of frames repeat with every message. */
export function textDictionary(
  { data, offsets }: NodeData,
  values: number,
  places: Uint32Array | undefined,
): TextDictionary | undefined {
  const bytes = Buffer.from(present(data).buffer, present(data).byteOffset, present(data).byteLength);
  const indexes = new Uint32Array(values);
  const first: number[] = [];
  const known = new Map<string, number>();
  let last = -1;
  for (let i = 0; i < values; i++) {
    const at = places === undefined ? i : places[i]!;
    const [from, to] = [present(offsets)[at]!, present(offsets)[at + 1]!];
    if (last >= 0 && sameBytes(bytes, present(offsets), first[last]!, from, to)) {
      indexes[i] = last;
      continue;
    }
    if (to - from > MAX_TEXT_BYTES) return undefined;
    const key = bytes.toString('latin1', from, to);
    let index = known.get(key);
    if (index === undefined) {
      if (first.length >= MAX_DISTINCT || first.length > 64 + i / 4) return undefined;
      known.set(key, (index = first.length));
      first.push(at);
    }
    indexes[i] = last = index;
  }
  return { first, indexes };
}

function sameBytes(data: Buffer, offsets: Uint32Array, at: number, from: number, to: number): boolean {
  const start = offsets[at]!;
  if (offsets[at + 1]! - start !== to - from) return false;
  for (let i = from, k = start; i < to; i++, k++) if (data[i] !== data[k]) return false;
  return true;
}
