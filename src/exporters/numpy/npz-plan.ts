import type { EncodedBatch, TableSpec } from '../format.js';
import type { ImageFacts, NpyColumnMeta, NpyMeta } from './encode-npy.js';
import { dtypes, npyColumns } from './npy-columns.js';
import type { PointLayout } from './point-cloud.js';

/** Longer texts stay UTF-8 with offsets, because NumPy pads every text to the longest one. */
export const MAX_TEXT_CHARACTERS = 256;

/** How the bytes of a part become those of an array. */
export type NpySource =
  | { readonly how: 'copy'; readonly part: string }
  /** UTF-8 (`part`, bytes of each in `lengths`) to UTF-32, padded to `width` characters. */
  | { readonly how: 'utf32'; readonly part: string; readonly lengths: string; readonly width: number }
  /** Counts per row to 64-bit offsets, one more than rows. */
  | { readonly how: 'offsets'; readonly part: string };

/** One array of the archive. */
export interface NpyEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly source: NpySource;
  readonly bytes: number;
}

/** Bytes per element of a dtype. */
function sizeOf(dtype: string): number {
  return Number(/(\d+)(\[ns\])?$/.exec(dtype)?.[1]);
}

/** Decides the arrays of an archive once all batches are known. */
export class NpzPlan {
  readonly #columns;
  #rows = 0;
  #metas: { shortest: number; longest: number; values: number; nulls: number }[];
  #image: ImageFacts | 'none' | undefined;
  #points: PointLayout | 'none' | undefined;

  constructor(readonly table: TableSpec) {
    this.#columns = npyColumns(table.columns);
    this.#metas = this.#columns.map(() => ({ shortest: Infinity, longest: 0, values: 0, nulls: 0 }));
  }

  add({ rows, meta }: EncodedBatch): void {
    const { columns, image, points } = meta as NpyMeta;
    this.#rows += rows;
    columns.forEach((one: NpyColumnMeta, i) => {
      const all = this.#metas[i]!;
      all.shortest = Math.min(all.shortest, one.shortest);
      all.longest = Math.max(all.longest, one.longest);
      all.values += one.values;
      all.nulls += one.nulls;
    });
    this.#image =
      image !== undefined && (this.#image === undefined || same(this.#image, image)) ? image : 'none';
    const before = this.#points;
    if (points === undefined || before === 'none' || (before !== undefined && before.key !== points.key)) {
      this.#points = 'none';
    } else {
      this.#points = {
        ...points,
        shortest: Math.min(points.shortest, before?.shortest ?? Infinity),
        longest: Math.max(points.longest, before?.longest ?? 0),
        points: points.points + (before?.points ?? 0),
      };
    }
  }

  entries(): NpyEntry[] {
    const entries: NpyEntry[] = [];
    const add = (name: string, dtype: string, shape: readonly number[], source: NpySource): void => {
      const bytes = shape.reduce((product, one) => product * one, sizeOf(dtype));
      entries.push({ name, dtype, shape, source, bytes: source.how === 'utf32' ? 4 * bytes : bytes });
    };
    const rows = this.#rows;
    const offsetNames = new Set<string>();
    const points = typeof this.#points === 'object' ? this.#points : undefined;
    this.#columns.forEach((column, i) => {
      const { shortest, longest, values, nulls } = this.#metas[i]!;
      const part = `v${i}`;
      const isEqual = shortest === longest;
      if (points !== undefined && column.name === 'data') {
        this.#addPoints(points, add);
      } else if (column.kind !== 'number') {
        if (longest <= MAX_TEXT_CHARACTERS) {
          const width = Math.max(1, longest);
          add(column.name, `<U${width}`, [rows], { how: 'utf32', part, lengths: `n${i}`, width });
        } else {
          add(column.name, '|u1', [values], { how: 'copy', part });
          add(`${column.name}.offsets`, '<i8', [rows + 1], { how: 'offsets', part: `n${i}` });
        }
      } else if (column.shape === 'scalar') {
        add(column.name, dtypes[column.type], [rows], { how: 'copy', part });
      } else {
        const image =
          column.name === 'data' && isEqual && typeof this.#image === 'object'
            ? imageShape(this.#image, longest)
            : undefined;
        const dtype = image?.dtype ?? dtypes[column.type];
        const shape =
          image !== undefined ? [rows, ...image.shape] : isEqual && rows > 0 ? [rows, longest] : [values];
        add(column.name, dtype, shape, { how: 'copy', part });
        // Fields of one list share their offsets.
        const offsets = `${column.flat.name}.offsets`;
        if (!(isEqual && rows > 0) && !offsetNames.has(offsets)) {
          offsetNames.add(offsets);
          add(offsets, '<i8', [rows + 1], { how: 'offsets', part: `n${i}` });
        }
      }
      const isFloat = column.shape === 'scalar' && (column.type === 'float32' || column.type === 'float64');
      if (nulls > 0 && !isFloat) add(`${column.name}.valid`, '|b1', [rows], { how: 'copy', part: `y${i}` });
    });
    return entries;
  }

  #addPoints(
    points: PointLayout,
    add: (name: string, dtype: string, shape: readonly number[], source: NpySource) => void,
  ): void {
    const isEqual = points.shortest === points.longest;
    points.fields.forEach((field, k) => {
      const shape = isEqual ? [this.#rows, points.longest] : [points.points];
      if (field.count > 1) shape.push(field.count);
      add(`points.${field.name}`, field.dtype, shape, { how: 'copy', part: `p${k}` });
    });
    if (!isEqual) add('points.offsets', '<i8', [this.#rows + 1], { how: 'offsets', part: 'np' });
  }
}

function same(a: ImageFacts | 'none', b: ImageFacts): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Channels and type of the encodings of sensor_msgs/Image (sensor_msgs/image_encodings.hpp). */
const encodings: Readonly<Record<string, readonly [channels: number, dtype: string]>> = {
  rgb8: [3, 'u1'],
  bgr8: [3, 'u1'],
  rgba8: [4, 'u1'],
  bgra8: [4, 'u1'],
  mono8: [1, 'u1'],
  rgb16: [3, 'u2'],
  bgr16: [3, 'u2'],
  rgba16: [4, 'u2'],
  bgra16: [4, 'u2'],
  mono16: [1, 'u2'],
};
const openCvTypes: Readonly<Record<string, string>> = {
  '8U': 'u1',
  '8S': 'i1',
  '16U': 'u2',
  '16S': 'i2',
  '32S': 'i4',
  '32F': 'f4',
  '64F': 'f8',
};

/** Rows, columns and channels of an image without padding between its rows; undefined: kept as bytes. */
function imageShape(
  image: ImageFacts,
  bytes: number,
): { readonly dtype: string; readonly shape: number[] } | undefined {
  const { height, width, step, encoding, isBigEndian } = image;
  const openCv = /^(8U|8S|16U|16S|32S|32F|64F)C(\d+)$/.exec(encoding);
  const [channels, word] =
    encodings[encoding] ?? (openCv ? [Number(openCv[2]), openCvTypes[openCv[1]!]!] : [1, 'u1']);
  if (encodings[encoding] === undefined && openCv === null && !encoding.startsWith('bayer_'))
    return undefined;
  const size = Number(word.slice(1));
  if (step !== width * channels * size || bytes !== height * step) return undefined;
  const dtype = `${size === 1 ? '|' : isBigEndian ? '>' : '<'}${word}`;
  return { dtype, shape: channels === 1 ? [height, width] : [height, width, channels] };
}
