import { defined } from '../../core/defined.js';
import { present } from '../../core/present.js';
import type { Batch } from '../columns/batch.js';
import { isWide } from '../columns/batch.js';
import { textAt, valueAt } from '../columns/batch-rows.js';
import { isNull } from '../columns/flat-columns.js';
import type { EncodeBatch, EncodedPiece, TableSpec } from '../format.js';
import { jsonAt } from '../text/text-value.js';
import { npyColumns, type NpyColumn } from './npy-columns.js';
import { pointCloudOf, type PointLayout } from './point-cloud.js';

/** What the end of the archive must contain about a batch, by column. */
export interface NpyMeta {
  readonly columns: readonly NpyColumnMeta[];
  /** For images: height, width, encoding, step, if they are equal in all rows. */
  readonly image?: ImageFacts;
  /** For point clouds, if all rows have one layout. */
  readonly points?: PointLayout;
}

export interface NpyColumnMeta {
  /** For lists: values per row; for texts: characters of the longest one. */
  readonly shortest: number;
  readonly longest: number;
  readonly values: number;
  readonly nulls: number;
}

export interface ImageFacts {
  readonly height: number;
  readonly width: number;
  readonly step: number;
  readonly encoding: string;
  readonly isBigEndian: boolean;
}

/** Parts: `v<i>` the values of column `i`, `n<i>` how many each row has (or bytes of each text), `y<i>` where there is a value, `p<k>` point field `k`. */
export function npyEncoder(table: TableSpec): EncodeBatch {
  const columns = npyColumns(table.columns);
  return (batch) => {
    const pieces: EncodedPiece[] = [];
    const metas = columns.map((column, i) => encodeColumn(batch, column, i, pieces));
    const image = imageFacts(batch, columns);
    const points = pointCloudOf(batch, columns, pieces);
    const meta: NpyMeta = {
      columns: metas,
      ...defined({ image, points }),
    };
    return { rows: batch.rows, pieces, meta };
  };
}

function encodeColumn(batch: Batch, column: NpyColumn, i: number, pieces: EncodedPiece[]): NpyColumnMeta {
  const { rows } = batch;
  let nulls = 0;
  if (column.flat.optional.length > 0) {
    const valid = new Uint8Array(rows);
    for (let row = 0; row < rows; row++) valid[row] = isNull(batch, column.flat, row) ? 0 : 1;
    nulls = valid.reduce((sum, one) => sum + 1 - one, 0);
    pieces.push({ part: `y${i}`, bytes: valid });
  }
  if (column.kind !== 'number') return { ...encodeTexts(batch, column, i, pieces), nulls };
  if (column.shape === 'scalar') {
    pieces.push({ part: `v${i}`, bytes: numbers(batch, column, 0, rows, true) });
    return { shortest: 1, longest: 1, values: rows, nulls };
  }
  const offsets = present(batch.nodes[column.flat.at.id]!.offsets);
  const lengths = new Uint32Array(rows);
  let [shortest, longest] = [Infinity, 0];
  for (let row = 0; row < rows; row++) {
    const length = offsets[row + 1]! - offsets[row]!;
    lengths[row] = length;
    if (length < shortest) shortest = length;
    if (length > longest) longest = length;
  }
  const values = offsets[rows]!;
  const { data } = batch.nodes[column.leaf.id]!;
  const bytes =
    column.type === 'bytes'
      ? Uint8Array.from(present(data).subarray(0, values))
      : numbers(batch, column, 0, values, false);
  pieces.push({ part: `v${i}`, bytes }, { part: `n${i}`, bytes: new Uint8Array(lengths.buffer) });
  return { shortest, longest, values, nulls };
}

/** Copies of the values; NaN for missing floats. */
function numbers(
  batch: Batch,
  { leaf, flat, type }: NpyColumn,
  from: number,
  to: number,
  scalar: boolean,
): Uint8Array {
  const all = present(batch.nodes[leaf.id]!.values);
  const copy = isWide(type) ? all.slice(2 * from, 2 * to) : all.slice(from, to);
  if (scalar && flat.optional.length > 0 && (type === 'float32' || type === 'float64')) {
    for (let row = from; row < to; row++) if (isNull(batch, flat, row)) copy[row] = NaN;
  }
  return new Uint8Array(copy.buffer);
}

function encodeTexts(
  batch: Batch,
  column: NpyColumn,
  i: number,
  pieces: EncodedPiece[],
): Omit<NpyColumnMeta, 'nulls'> {
  const encoder = new TextEncoder();
  const lengths = new Uint32Array(batch.rows);
  const parts: Uint8Array[] = [];
  let [bytes, longest] = [0, 0];
  const node = batch.nodes[column.leaf.id]!;
  for (let row = 0; row < batch.rows; row++) {
    let text: string;
    if (isNull(batch, column.flat, row)) text = '';
    else if (column.kind === 'json') text = jsonAt(batch, column.flat.at, row);
    else text = column.constant ?? textAt(node, row);
    const part = encoder.encode(text);
    parts.push(part);
    lengths[row] = part.byteLength;
    bytes += part.byteLength;
    let characters = 0;
    for (const _ of text) characters++;
    if (characters > longest) longest = characters;
  }
  const data = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.byteLength;
  }
  pieces.push({ part: `v${i}`, bytes: data }, { part: `n${i}`, bytes: new Uint8Array(lengths.buffer) });
  return { shortest: 0, longest, values: bytes };
}

/** sensor_msgs/Image by its columns. */
function imageFacts(batch: Batch, columns: readonly NpyColumn[]): ImageFacts | undefined {
  const [height, width, step, encoding, big] = ['height', 'width', 'step', 'encoding', 'is_bigendian'].map(
    (name) => columns.find((column) => column.name === name),
  );
  if (
    height === undefined ||
    width === undefined ||
    step === undefined ||
    encoding === undefined ||
    big === undefined
  ) {
    return undefined;
  }
  const wanted = [height, width, step, encoding, big];
  if (wanted.some(({ flat }) => flat.optional.length > 0) || batch.rows === 0) return undefined;
  const at = (row: number): readonly unknown[] => wanted.map((column) => valueAt(batch, column.leaf, row));
  const first = at(0);
  for (let row = 1; row < batch.rows; row++) {
    const values = at(row);
    if (values.some((value, k) => value !== first[k])) return undefined;
  }
  return {
    height: Number(first[0]),
    width: Number(first[1]),
    step: Number(first[2]),
    encoding: String(first[3]),
    isBigEndian: Boolean(first[4]),
  };
}
