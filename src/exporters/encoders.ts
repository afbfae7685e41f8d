import { csvEncoder } from './text/csv.js';
import { jsonLinesEncoder } from './text/json-lines.js';
import type { EncodeBatch, EncodedBatch, TableSpec, Zstd } from './format.js';
import { npyEncoder } from './numpy/encode-npy.js';
import { parquetEncoder } from './parquet/encode-parquet.js';
import { ParquetFile } from './parquet/parquet-file.js';
import { tfrecordEncoder } from './tfrecord/encode-tfrecord.js';
import { csvHeader } from './text/csv.js';

/** The encoder of a table's format. */
export function encoderOf(table: TableSpec, zstd: Zstd): EncodeBatch {
  switch (table.format) {
    case 'parquet':
      return parquetEncoder(table, zstd);
    case 'csv':
      return csvEncoder(table);
    case 'jsonl':
      return jsonLinesEncoder(table);
    case 'tfrecord':
      return tfrecordEncoder(table);
    case 'numpy':
      return npyEncoder(table);
  }
}

/** Beginning and end of a file of one part, and the facts to remember of its batches. */
export interface FileFrame {
  start(): Uint8Array;
  add(batch: EncodedBatch): void;
  finish(): Uint8Array;
}

const NOTHING = new Uint8Array(0);
const bare = (head: Uint8Array): FileFrame => ({ start: () => head, add: () => {}, finish: () => NOTHING });

/** Undefined for NumPy archives, which have many parts. */
export function frameOf(table: TableSpec, createdBy: string): FileFrame | undefined {
  switch (table.format) {
    case 'parquet':
      return new ParquetFile(table, createdBy);
    case 'csv':
      return bare(csvHeader(table));
    case 'jsonl':
    case 'tfrecord':
      return bare(NOTHING);
    case 'numpy':
      return undefined;
  }
}

/** Ends of file names. */
export const extensions: Readonly<Record<TableSpec['format'] | 'mcap', string>> = {
  parquet: '.parquet',
  csv: '.csv',
  jsonl: '.jsonl',
  tfrecord: '.tfrecord',
  numpy: '.npz',
  mcap: '.mcap',
};
