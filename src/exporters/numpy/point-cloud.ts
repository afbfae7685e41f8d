import type { Batch } from '../columns/batch.js';
import { valueAt } from '../columns/batch-rows.js';
import type { EncodedPiece } from '../format.js';
import type { NpyColumn } from './npy-columns.js';

/** One field of a point, as sensor_msgs/PointField says. */
export interface PointFieldLayout {
  readonly name: string;
  readonly dtype: string;
  readonly bytes: number;
  readonly offset: number;
  readonly count: number;
}

/** The layout all clouds of a batch share. */
export interface PointLayout {
  readonly key: string;
  readonly fields: readonly PointFieldLayout[];
  readonly shortest: number;
  readonly longest: number;
  /** All points of the batch. */
  readonly points: number;
}

/** Datatypes of sensor_msgs/PointField. */
const datatypes: Readonly<Record<number, readonly [dtype: string, bytes: number]>> = {
  1: ['i1', 1],
  2: ['u1', 1],
  3: ['i2', 2],
  4: ['u2', 2],
  5: ['i4', 4],
  6: ['u4', 4],
  7: ['f4', 4],
  8: ['f8', 8],
};

/**
 * sensor_msgs/PointCloud2 as one array per point field (parts `p0`, `p1`, ... and `np`, the points of each
 * cloud). Undefined where the columns are others, or the clouds' layouts differ or make no sense.
 */
export function pointCloudOf(
  batch: Batch,
  columns: readonly NpyColumn[],
  pieces: EncodedPiece[],
): PointLayout | undefined {
  const find = (name: string): NpyColumn | undefined => columns.find((column) => column.name === name);
  const [step, data, big] = [find('point_step'), find('data'), find('is_bigendian')];
  const fields = columns.find(({ flat }) => flat.name === 'fields');
  if (
    step === undefined ||
    data === undefined ||
    big === undefined ||
    fields === undefined ||
    batch.rows === 0
  )
    return undefined;
  if ([step, data, big, fields].some(({ flat }) => flat.optional.length > 0) || data.type !== 'bytes')
    return undefined;
  const layoutAt = (row: number): string =>
    JSON.stringify([
      valueAt(batch, step.leaf, row),
      valueAt(batch, big.leaf, row),
      valueAt(batch, fields.flat.at, row),
    ]);
  const key = layoutAt(0);
  for (let row = 1; row < batch.rows; row++) if (layoutAt(row) !== key) return undefined;
  const [pointStep, isBig, list] = JSON.parse(key) as [number, boolean, PointField[]];
  const layout = fieldsOf(list, pointStep, isBig);
  if (layout === undefined) return undefined;
  const node = batch.nodes[data.leaf.id]!;
  const { offsets, data: bytes } = node;
  const counts = new Uint32Array(batch.rows);
  let points = 0;
  for (let row = 0; row < batch.rows; row++) {
    const size = offsets![row + 1]! - offsets![row]!;
    if (size % pointStep !== 0) return undefined;
    points += counts[row] = size / pointStep;
  }
  layout.forEach((field, k) =>
    pieces.push({ part: `p${k}`, bytes: gather(bytes!, points, pointStep, field) }),
  );
  pieces.push({ part: 'np', bytes: new Uint8Array(counts.buffer) });
  const [shortest, longest] = [Math.min(...counts), Math.max(...counts)];
  return { key, fields: layout, shortest, longest, points };
}

interface PointField {
  readonly name: string;
  readonly offset: number;
  readonly datatype: number;
  readonly count: number;
}

const MAX_FIELDS = 256;

function fieldsOf(list: readonly PointField[], step: number, isBig: boolean): PointFieldLayout[] | undefined {
  if (step === 0 || list.length === 0 || list.length > MAX_FIELDS) return undefined;
  const names = new Set<string>();
  const fields: PointFieldLayout[] = [];
  for (const { name, offset, datatype, count } of list) {
    const known = datatypes[datatype];
    if (known === undefined || names.has(name) || name === '') return undefined;
    const [word, bytes] = known;
    const many = Math.max(1, count);
    if (offset + bytes * many > step) return undefined;
    names.add(name);
    fields.push({
      name,
      dtype: `${bytes === 1 ? '|' : isBig ? '>' : '<'}${word}`,
      bytes: bytes * many,
      offset,
      count: many,
    });
  }
  return fields;
}

function gather(
  data: Uint8Array,
  points: number,
  step: number,
  { offset, bytes }: PointFieldLayout,
): Uint8Array {
  const out = new Uint8Array(points * bytes);
  for (let i = 0, from = offset, to = 0; i < points; i++, from += step) {
    for (let k = 0; k < bytes; k++) out[to++] = data[from + k]!;
  }
  return out;
}
