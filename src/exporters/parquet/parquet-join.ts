import type { FileMetaData, RowGroup } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';

const MAGIC = Buffer.from('PAR1');

/** Bytes of one file that go into the joined one next, as they are. */
export interface CopiedGroup {
  readonly from: number;
  readonly bytes: number;
}

/** Puts the row groups of several files of one schema under one footer. */
export class ParquetJoin {
  #at = MAGIC.byteLength;
  #rows = 0n;
  #schema: FileMetaData['schema'] | undefined;
  readonly #groups: RowGroup[] = [];

  /** @param createdBy name and version of the writer */
  constructor(readonly createdBy: string) {}

  get rows(): number {
    return Number(this.#rows);
  }

  start(): Uint8Array {
    return MAGIC;
  }

  /** @param footer with its statistics as stored, not turned into dates and texts */
  add({ schema, row_groups: groups, num_rows: rows }: FileMetaData): CopiedGroup[] {
    this.#schema ??= schema;
    this.#rows += rows;
    return groups.map((group) => {
      const from = Number(group.file_offset ?? MAGIC.byteLength);
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
            file_offset: BigInt(offset) + shift,
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
    const writer = new ByteWriter();
    writeMetadata(writer, {
      version: 2,
      created_by: this.createdBy,
      schema: this.#schema ?? [],
      num_rows: this.#rows,
      row_groups: this.#groups,
      metadata_length: 0,
    });
    return Buffer.concat([writer.getBytes(), MAGIC]);
  }
}
