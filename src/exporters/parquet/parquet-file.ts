import type { RowGroup } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import type { EncodedBatch, TableSpec } from '../format.js';
import type { RowGroupMeta } from './encode-parquet.js';
import { parquetSchema } from './schema.js';

const MAGIC = Buffer.from('PAR1');

/** Puts row groups together to a Parquet file: magic, groups, footer. */
export class ParquetFile {
  #at = MAGIC.byteLength;
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
    return MAGIC;
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
    const writer = new ByteWriter();
    writeMetadata(writer, {
      version: 2,
      created_by: this.createdBy,
      schema: [...parquetSchema(this.table.columns, this.table.flatten).elements],
      num_rows: this.#rows,
      row_groups: this.#groups,
      key_value_metadata: Object.entries(this.facts).map(([key, value]) => ({ key, value })),
      metadata_length: 0,
    });
    return Buffer.concat([writer.getBytes(), MAGIC]);
  }
}
