import type { FileMetaData, RowGroup } from 'hyparquet';
import { PARQUET_MAGIC, parquetFooter } from './footer.js';

/** Bytes of one file that are copied next into the joined one. */
export interface CopiedGroup {
  readonly from: number;
  readonly bytes: number;
}

/** Puts the row groups of several files with one schema under one footer. */
export class ParquetJoin {
  #at = PARQUET_MAGIC.byteLength;
  #rows = 0n;
  #schema: FileMetaData['schema'] | undefined;
  readonly #groups: RowGroup[] = [];

  /** @param createdBy name and version of the writer */
  constructor(readonly createdBy: string) {}

  get rows(): number {
    return Number(this.#rows);
  }

  start(): Uint8Array {
    return PARQUET_MAGIC;
  }

  /** @param footer with its statistics as stored, not converted to dates and texts */
  add({ schema, row_groups: groups, num_rows: rows }: FileMetaData): CopiedGroup[] {
    this.#schema ??= schema;
    this.#rows += rows;
    return groups.map((group) => {
      const from = Number(group.file_offset ?? PARQUET_MAGIC.byteLength);
      const bytes = Number(group.total_compressed_size ?? 0n);
      const shift = BigInt(this.#at - from);
      this.#groups.push({
        ...group,
        file_offset: BigInt(this.#at),
        columns: group.columns.map((column) => {
          const { meta_data: meta, file_offset: offset } = column;
          if (!meta) return column;
          const { dictionary_page_offset: dictionary } = meta;
          return {
            ...column,
            file_offset: offset + shift,
            meta_data: {
              ...meta,
              data_page_offset: meta.data_page_offset + shift,
              ...(dictionary === undefined ? {} : { dictionary_page_offset: dictionary + shift }),
            },
          };
        }),
      });
      this.#at += bytes;
      return { from, bytes };
    });
  }

  finish(): Uint8Array {
    return parquetFooter({
      createdBy: this.createdBy,
      schema: this.#schema ?? [],
      rows: this.#rows,
      groups: this.#groups,
      facts: {},
    });
  }
}
