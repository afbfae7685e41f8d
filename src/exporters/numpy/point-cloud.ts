import type { Batch } from '../columns/batch.js';
import { valueAt } from '../columns/batch-rows.js';
import type { EncodedPiece } from '../format.js';
import type { NpyColumn } from './npy-columns.js';
import { present } from '../../core/present.js';

/** One field of a point, from sensor_msgs/PointField. */
export interface PointFieldLayout {
  readonly name: string;
  readonly dtype: string;
  readonly bytes: number;
  readonly offset: number;
  readonly count: number;
}

/** The common layout of all clouds of a batch. */
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
 * sensor_msgs/PointCloud2 as one array per point field (parts `p0`, `p1`, ... and `np`, the number of points
 * of each cloud). Undefined if the columns differ, or if the clouds' layouts differ or are invalid.
 */
export function pointCloudOf(
  batch: Batch,
  columns: readonly NpyColumn[],
  pieces: EncodedPiece[],
): PointLayout | undefined {
  const found = cloudColumns(columns);
  if (found === undefined || batch.rows === 0) return undefined;
  const { step, big, fields, data } = found;
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
  const { offsets, data: bytes } = batch.nodes[data.leaf.id]!;
  const counts = new Uint32Array(batch.rows);
  const grids: PointGrid[] = [];
  let points = 0;
  for (let row = 0; row < batch.rows; row++) {
    const [width, height, rowStep] = [found.width, found.height, found.rowStep].map((column) =>
      Number(valueAt(batch, column.leaf, row)),
    ) as [number, number, number];
    const size = present(offsets)[row + 1]! - present(offsets)[row]!;
    const grid = gridOf({ at: present(offsets)[row]!, size, width, height, pointStep, rowStep });
    if (grid === undefined) return undefined;
    grids.push(grid);
    points += counts[row] = width * height;
  }
  layout.forEach((field, k) =>
    pieces.push({ part: `p${k}`, bytes: gather(present(bytes), grids, points, pointStep, field) }),
  );
  pieces.push({ part: 'np', bytes: new Uint8Array(counts.buffer) });
  const shortest = counts.reduce((least, count) => Math.min(least, count), Infinity);
  const longest = counts.reduce((most, count) => Math.max(most, count), 0);
  return { key, fields: layout, shortest, longest, points };
}

interface CloudColumns {
  readonly width: NpyColumn;
  readonly height: NpyColumn;
  readonly step: NpyColumn;
  readonly rowStep: NpyColumn;
  readonly big: NpyColumn;
  readonly fields: NpyColumn;
  readonly data: NpyColumn;
}

function cloudColumns(columns: readonly NpyColumn[]): CloudColumns | undefined {
  const names = ['width', 'height', 'point_step', 'row_step', 'is_bigendian', 'data'];
  const [width, height, step, rowStep, big, data] = names.map((name) =>
    columns.find((column) => column.name === name),
  );
  const fields = columns.find(({ flat }) => flat.name === 'fields');
  if (!width || !height || !step || !rowStep || !big || !data || !fields) return undefined;
  const found = { width, height, step, rowStep, big, fields, data };
  const isSure = Object.values(found).every(({ flat }) => flat.optional.length === 0);
  return isSure && data.type === 'bytes' ? found : undefined;
}

/** Where the points of one cloud are in the data of all. */
interface PointGrid {
  readonly at: number;
  readonly width: number;
  readonly height: number;
  /** Bytes from the beginning of one row to that of the next. */
  readonly rowStep: number;
}

interface CloudSize extends PointGrid {
  /** Bytes of data. */
  readonly size: number;
  readonly pointStep: number;
}

/**
 * Rows follow one another every `rowStep` bytes if the data is long enough for that. `rowStep` is often 0, or
 * the size of the whole cloud; then there is nothing between them. Undefined: the cloud has more points than
 * bytes for them.
 */
function gridOf({ at, size, width, height, pointStep, rowStep }: CloudSize): PointGrid | undefined {
  const used = width * pointStep;
  if (used * height > size) return undefined;
  const isPadded = height > 1 && rowStep > used && (height - 1) * rowStep + used <= size;
  return { at, width, height: width === 0 ? 0 : height, rowStep: isPadded ? rowStep : used };
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
  grids: readonly PointGrid[],
  points: number,
  step: number,
  { offset, bytes }: PointFieldLayout,
): Uint8Array {
  const out = new Uint8Array(points * bytes);
  let to = 0;
  for (const { at, width, height, rowStep } of grids) {
    for (let row = 0; row < height; row++) {
      let from = at + row * rowStep + offset;
      for (let i = 0; i < width; i++, from += step) {
        for (let k = 0; k < bytes; k++) out[to++] = data[from + k]!;
      }
    }
  }
  return out;
}
