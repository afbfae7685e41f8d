import type { RowGroup } from 'hyparquet';
import type { EncodedBatch, TableSpec } from '../format.js';
import type { RowGroupMeta } from './encode-parquet.js';
import { PARQUET_MAGIC, parquetFooter } from './footer.js';
import { parquetSchema } from './schema.js';

/** Puts row groups together into a Parquet file: magic, groups, footer. */
export class ParquetFile {
  #at = PARQUET_MAGIC.byteLength;
  #rows = 0n;
  readonly #groups: RowGroup[] = [];

  /**
   * @param createdBy name and version of the writer
   * @param facts key-value metadata of the file
   */
  constructor(
    readonly table: TableSpec,
    readonly createdBy: string,
    readonly facts: Readonly<Record<string, string>> = {},
  ) {}

  start(): Uint8Array {
    return PARQUET_MAGIC;
  }

  add(batch: EncodedBatch): void {
    const { rows, bytes, columns } = batch.meta as RowGroupMeta;
    const base = BigInt(this.#at);
    this.#groups.push({
      columns: columns.map((column) => {
        const { dictionary_page_offset: dictionary } = column;
        const meta_data = {
          ...column,
          data_page_offset: column.data_page_offset + base,
          ...(dictionary === undefined ? {} : { dictionary_page_offset: dictionary + base }),
        };
        return { file_offset: meta_data.dictionary_page_offset ?? meta_data.data_page_offset, meta_data };
      }),
      total_byte_size: columns.reduce((sum, column) => sum + column.total_uncompressed_size, 0n),
      num_rows: BigInt(rows),
      file_offset: base,
      total_compressed_size: BigInt(bytes),
    });
    this.#at += bytes;
    this.#rows += BigInt(rows);
  }

  finish(): Uint8Array {
    return parquetFooter({
      createdBy: this.createdBy,
      schema: parquetSchema(this.table.columns, this.table.flatten).elements,
      rows: this.#rows,
      groups: this.#groups,
      facts: this.facts,
    });
  }
}
