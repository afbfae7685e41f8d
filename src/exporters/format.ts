import type { Batch } from './columns/batch.js';
import type { StructColumn } from './columns/column.js';

/** The formats of tables; `mcap` is no table. */
export const tableFormats = ['parquet', 'csv', 'jsonl', 'tfrecord', 'numpy'] as const;
/** A format of tables. */
export type TableFormat = (typeof tableFormats)[number];

/** How Parquet pages are compressed. */
export const parquetCodecs = ['zstd', 'snappy', 'none'] as const;
export type ParquetCodec = (typeof parquetCodecs)[number];

export function isParquetCodec(text: string): text is ParquetCodec {
  return parquetCodecs.some((codec) => codec === text);
}

/** What an encoder must know about a table beside its batches. */
export interface TableSpec {
  readonly format: TableFormat;
  readonly columns: StructColumn;
  /** Nested fields are columns with dotted names. */
  readonly flatten: boolean;
  /** Parquet. Default `zstd`. */
  readonly codec?: ParquetCodec;
  /** CSV: texts that a spreadsheet would run as a formula get an apostrophe before them. Default: false. */
  readonly guardFormulas?: boolean;
  /** CSV: one row per element of this list of structs (a dotted name). */
  readonly explode?: string;
}

/** A batch in the words of a format. Plain data: it comes from another thread. */
export interface EncodedBatch {
  /** Rows of the batch, and rows written where that differs (exploded lists). */
  readonly rows: number;
  /** Bytes by the part of the file they belong to; most formats have one part, ''. */
  readonly pieces: readonly EncodedPiece[];
  /** What the end of the file must contain about the batch. */
  readonly meta?: unknown;
}

export interface EncodedPiece {
  readonly part: string;
  readonly bytes: Uint8Array;
}

/** Encodes batches of one table; it has no state, so any thread can encode any batch. */
export type EncodeBatch = (batch: Batch) => EncodedBatch;

/** Compresses with zstd. */
export type Zstd = (data: Uint8Array) => Uint8Array;
