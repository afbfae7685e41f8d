import type { Batch, PlacedColumn } from '../columns/batch.js';
import { present } from '../../core/present.js';

/**
 * The repetition and definition levels of one leaf (Dremel's record shredding, as Parquet stores it).
 * `indexes` are the indexes of the values in the leaf's scope, in order; undefined: all from 0 to `values`.
 */
export interface Levels {
  readonly entries: number;
  readonly values: number;
  readonly indexes: Uint32Array | undefined;
  /** Absent if the highest level is 0. */
  readonly repetition: Uint8Array | undefined;
  readonly definition: Uint8Array | undefined;
  readonly maxRepetition: number;
  readonly maxDefinition: number;
}

/** @param path the columns from below the root to the leaf, including the leaf */
export function levelsOf(batch: Batch, path: readonly PlacedColumn[]): Levels {
  let entries = batch.rows;
  let maxRepetition = 0;
  let maxDefinition = 0;
  let repetition: Uint8Array | undefined;
  let definition: Uint8Array | undefined;
  // The index of each entry's value; undefined: entry i is value i. Dead entries (null, empty) have no value.
  let places: Uint32Array | undefined;
  let alive: Uint8Array | undefined;
  for (const { id, column } of path) {
    const node = batch.nodes[id]!;
    if (column.optional) {
      maxDefinition++;
      definition ??= new Uint8Array(entries);
      const valid = present(node.valid);
      let next = alive;
      for (let i = 0; i < entries; i++) {
        if (alive !== undefined && alive[i] === 0) continue;
        if (valid[places === undefined ? i : places[i]!] === 1) definition[i]!++;
        else (next ??= new Uint8Array(entries).fill(1))[i] = 0;
      }
      alive = next;
    }
    if (column.kind !== 'list') continue;
    maxRepetition++;
    maxDefinition++;
    const offsets = present(node.offsets);
    let total = 0;
    for (let i = 0; i < entries; i++) {
      const at = places === undefined ? i : places[i]!;
      const length = alive !== undefined && alive[i] === 0 ? 0 : offsets[at + 1]! - offsets[at]!;
      total += Math.max(1, length);
    }
    const next = {
      repetition: new Uint8Array(total),
      definition: new Uint8Array(total),
      places: new Uint32Array(total),
      alive: new Uint8Array(total),
    };
    let out = 0;
    for (let i = 0; i < entries; i++) {
      const at = places === undefined ? i : places[i]!;
      const rep = repetition === undefined ? 0 : repetition[i]!;
      const def = definition === undefined ? 0 : definition[i]!;
      const from = offsets[at]!;
      const length = alive !== undefined && alive[i] === 0 ? 0 : offsets[at + 1]! - from;
      if (length === 0) {
        next.repetition[out] = rep;
        next.definition[out++] = def;
        continue;
      }
      for (let k = 0; k < length; k++) {
        next.repetition[out] = k === 0 ? rep : maxRepetition;
        next.definition[out] = def + 1;
        next.places[out] = from + k;
        next.alive[out++] = 1;
      }
    }
    ({ repetition, definition, places, alive } = next);
    entries = total;
  }
  return {
    entries,
    ...valuesOf(entries, places, alive),
    repetition,
    definition,
    maxRepetition,
    maxDefinition,
  };
}

function valuesOf(
  entries: number,
  places: Uint32Array | undefined,
  alive: Uint8Array | undefined,
): Pick<Levels, 'values' | 'indexes'> {
  if (alive === undefined) return { values: entries, indexes: places };
  const indexes = new Uint32Array(entries);
  let values = 0;
  let inOrder = true;
  for (let i = 0; i < entries; i++) {
    if (alive[i] === 0) continue;
    const at = places === undefined ? i : places[i]!;
    if (at !== values) inOrder = false;
    indexes[values++] = at;
  }
  return { values, indexes: inOrder ? undefined : indexes.subarray(0, values) };
}
