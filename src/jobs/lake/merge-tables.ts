import {
  parquetMetadataAsync,
  parquetReadObjects,
  type AsyncBuffer,
  type FileMetaData,
  type RowGroup,
} from 'hyparquet';
import { HoldfastError } from '../../core/errors.js';
import type { Readable } from '../../core/mcap/readable.js';
import { BatchBuilder } from '../../exporters/columns/batch.js';
import { putValue, type PlainValue } from '../../exporters/columns/put-value.js';
import type { ParquetCodec, TableSpec, Zstd } from '../../exporters/format.js';
import { parquetEncoder } from '../../exporters/parquet/encode-parquet.js';
import { ParquetFile } from '../../exporters/parquet/parquet-file.js';
import { ParquetJoin } from '../../exporters/parquet/parquet-join.js';
import { columnsOfParquet } from '../../exporters/parquet/read-schema.js';

/** One of the merged files. */
export interface MergeInput {
  readonly key: string;
  readonly readable: Readable;
}

export interface Merged {
  readonly rows: number;
  /** Rows whose identity another row has. */
  readonly duplicates: number;
}

type Write = (bytes: Uint8Array) => Promise<void>;

const COPY_BYTES = 4 * 1024 * 1024;
/** Rows decoded at a time. */
const ROWS_AT_ONCE = 8_192;
const BATCH_ROWS = 122_880;
const BATCH_BYTES = 32 * 1024 * 1024;

// As stored in the file: the schema has their meaning, and it is copied too.
const asStored = {
  timestampFromNanoseconds: (nanos: bigint) => nanos,
  stringFromBytes: (bytes: Uint8Array) => bytes,
  jsonFromBytes: (bytes: Uint8Array) => bytes,
};

/** Footer of a Parquet file that Holdfast wrote. Throws `OBJECT_CORRUPT`. */
export async function footerOf({ key, readable }: MergeInput): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(await bufferOf(readable), { parsers: asStored, geoparquet: false });
  } catch (cause) {
    throw new HoldfastError('OBJECT_CORRUPT', `${key} is no Parquet file that can be read`, {
      cause,
      facts: { key },
    });
  }
}

/** The same columns in the same order: such files can be joined. */
export function schemaOf({ schema }: FileMetaData): string {
  return JSON.stringify(schema);
}

/** Joins files of one schema: their row groups are copied unchanged, under one footer. */
export async function joinTables(
  inputs: readonly MergeInput[],
  createdBy: string,
  write: Write,
): Promise<Merged> {
  const join = new ParquetJoin(createdBy);
  await write(join.start());
  for (const input of inputs) {
    for (const { from, bytes } of join.add(await footerOf(input))) {
      for (let at = 0; at < bytes; at += COPY_BYTES) {
        const size = Math.min(COPY_BYTES, bytes - at);
        await write(Uint8Array.from(await input.readable.read(BigInt(from + at), BigInt(size))));
      }
    }
  }
  await write(join.finish());
  return { rows: join.rows, duplicates: 0 };
}

/** How files that are encoded again are written. */
export interface RewriteOptions {
  /** Default: as in the first of them. */
  readonly codec?: ParquetCodec;
  /** Maximum rows of a row group. Default 122,880; 32 MiB of values also end one. */
  readonly rowGroupRows?: number;
  /** If several rows have one identity in a JetStream stream, only the first is kept. */
  readonly distinct: boolean;
  /** False: the row is left out, and counted nowhere. Default: all are kept. */
  readonly keeps?: (row: Row) => boolean;
}

/** The codec of the files of a lake. */
export async function loadZstd(): Promise<ZstdCodec> {
  const zstd = (await import('@foxglove/wasm-zstd')).default;
  await zstd.isLoaded;
  return {
    compress: (data: Uint8Array): Uint8Array => zstd.compress(data, 1),
    decompress: (data: Uint8Array, bytes: number): Uint8Array =>
      Uint8Array.from(zstd.decompress(data, bytes)),
  };
}

export interface ZstdCodec {
  readonly compress: Zstd;
  readonly decompress: (data: Uint8Array, bytes: number) => Uint8Array;
}

/** Merges files of one schema, row by row, into new row groups. */
export async function rewriteTables(
  inputs: readonly MergeInput[],
  createdBy: string,
  { codec, rowGroupRows = BATCH_ROWS, distinct, keeps }: RewriteOptions,
  zstd: ZstdCodec,
  write: Write,
): Promise<Merged> {
  const [sample] = inputs;
  if (!sample) return { rows: 0, duplicates: 0 };
  const footer = await footerOf(sample);
  const columns = columnsOfParquet(footer.schema);
  const spec: TableSpec = { format: 'parquet', columns, flatten: false, codec: codec ?? codecOf(footer) };
  const encode = parquetEncoder(spec, zstd.compress);
  const file = new ParquetFile(spec, createdBy);
  const builder = new BatchBuilder(columns);
  const seen = new Set<string>();
  let [rows, duplicates, pending] = [0, 0, 0];
  const flush = async (): Promise<void> => {
    if (builder.rows === 0) return;
    const encoded = encode(builder.take());
    file.add(encoded);
    for (const { bytes } of encoded.pieces) await write(bytes);
    pending = 0;
  };
  await write(file.start());
  for (const input of inputs) {
    for await (const row of rowsOf(input, zstd)) {
      if (keeps?.(row) === false) continue;
      const identity = distinct ? identityOf(row) : undefined;
      if (identity !== undefined && seen.has(identity)) {
        duplicates++;
        continue;
      }
      if (identity !== undefined) seen.add(identity);
      builder.reserveRow();
      const at = builder.rows;
      for (const child of builder.root.children) {
        putValue(builder, child, at, child.column, row[child.name] ?? null);
      }
      builder.rows = at + 1;
      pending += bytesOf(row as PlainValue);
      rows++;
      if (builder.rows >= rowGroupRows || pending >= BATCH_BYTES) await flush();
    }
  }
  await flush();
  await write(file.finish());
  return { rows, duplicates };
}

/** Which rows {@link rowsOf} gives, and what of them. Default: everything. */
export interface RowSelection {
  readonly columns?: string[];
  readonly group?: (group: RowGroup) => boolean;
}

/** Rows of a file in their order, one row group in memory at a time. */
export async function* rowsOf(
  input: MergeInput,
  zstd: ZstdCodec,
  { columns, group: isWanted }: RowSelection = {},
): AsyncGenerator<Row, void, void> {
  const metadata = await footerOf(input);
  const file = await bufferOf(input.readable);
  let from = 0;
  for (const group of metadata.row_groups) {
    const end = from + Number(group.num_rows);
    if (isWanted?.(group) === false) {
      from = end;
      continue;
    }
    for (let rowStart = from; rowStart < end; rowStart += ROWS_AT_ONCE) {
      const found = await parquetReadObjects({
        ...{ file, metadata, rowStart, rowEnd: Math.min(end, rowStart + ROWS_AT_ONCE) },
        ...(columns ? { columns } : {}),
        compressors: { ZSTD: (data, bytes) => zstd.decompress(data, bytes) },
        utf8: false,
        parsers: asStored,
      });
      yield* found as Row[];
    }
    from = end;
  }
}

function codecOf({ row_groups: groups }: FileMetaData): ParquetCodec {
  const codec = groups[0]?.columns[0]?.meta_data?.codec;
  return codec === 'SNAPPY' ? 'snappy' : codec === 'UNCOMPRESSED' ? 'none' : 'zstd';
}

/** By the names of columns, as stored: texts are UTF-8 bytes, times nanoseconds since the Unix epoch. */
export type Row = Readonly<Record<string, PlainValue | undefined>>;

function identityOf({ stream, stream_created: created, stream_sequence: sequence }: Row): string | undefined {
  if (!(stream instanceof Uint8Array) || !(created instanceof Uint8Array) || typeof sequence !== 'bigint') {
    return undefined;
  }
  return JSON.stringify([text.decode(stream), text.decode(created), String(sequence)]);
}

const text = new TextDecoder();

/** Approximate bytes of a value. */
function bytesOf(value: PlainValue | undefined): number {
  if (value instanceof Uint8Array || typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  return Object.values(value).reduce((sum: number, one) => sum + bytesOf(one), 8);
}

async function bufferOf(readable: Readable): Promise<AsyncBuffer> {
  const byteLength = Number(await readable.size());
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const bytes = Uint8Array.from(await readable.read(BigInt(start), BigInt(end - start)));
      return bytes.buffer;
    },
  };
}
