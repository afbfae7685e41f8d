import type { FileMetaData, RowGroup, SchemaElement } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';

/** First and last bytes of a Parquet file. */
export const PARQUET_MAGIC = Buffer.from('PAR1');

export interface FooterFacts {
  readonly createdBy: string;
  readonly schema: readonly SchemaElement[];
  readonly rows: bigint;
  readonly groups: readonly RowGroup[];
  /** Key-value metadata of the file; may be empty. */
  readonly facts: Readonly<Record<string, string>>;
}

/**
 * The end of a Parquet file. The library derives the type of a list's elements from the first one; arrow-rs
 * refuses files with an empty list without a type.
 */
export function parquetFooter({ createdBy, schema, rows, groups, facts }: FooterFacts): Uint8Array {
  const writer = new ByteWriter();
  const metadata: FileMetaData = {
    version: 2,
    created_by: createdBy,
    schema: [...schema],
    num_rows: rows,
    row_groups: [...groups],
    metadata_length: 0,
  };
  const pairs = Object.entries(facts).map(([key, value]) => ({ key, value }));
  if (pairs.length > 0) metadata.key_value_metadata = pairs;
  writeMetadata(writer, metadata);
  const footer = Buffer.concat([writer.getBytes(), PARQUET_MAGIC]);
  if (groups.length === 0) giveEmptyListItsType(footer);
  return footer;
}

/** Thrift's compact protocol: no rows (field 3), then a list (field 4) of nothing, of elements of type 0. */
const NO_ROWS_NO_GROUPS = Buffer.from([0x16, 0x00, 0x19, 0x00]);
const STRUCT = 0x0c;

/** The list of row groups must exist, even if a table has no row. */
function giveEmptyListItsType(footer: Buffer): void {
  const at = footer.lastIndexOf(NO_ROWS_NO_GROUPS);
  if (at < 0) throw new Error('a Parquet footer without a list of row groups');
  footer[at + 3] = STRUCT;
}
