import { parquetMetadataAsync, parquetReadObjects, type AsyncBuffer, type FileMetaData } from 'hyparquet';
import { genericEventSchema } from '../../core/generic-event.js';
import { HoldfastError } from '../../core/errors.js';
import type { Readable } from '../../core/mcap/readable.js';
import { BatchBuilder, type BytesLeaf } from '../../exporters/columns/batch.js';
import { MessageTable } from '../../exporters/columns/message-table.js';
import type { TableSpec, Zstd } from '../../exporters/format.js';
import { parquetEncoder, type RowGroupMeta } from '../../exporters/parquet/encode-parquet.js';
import { ParquetFile } from '../../exporters/parquet/parquet-file.js';
import { ParquetJoin } from '../../exporters/parquet/parquet-join.js';

/** One of the files that are put together. */
export interface MergeInput {
  readonly key: string;
  readonly readable: Readable;
}

export interface Merged {
  readonly rows: number;
  /** Rows of an identity that another row has. */
  readonly duplicates: number;
}

type Write = (bytes: Uint8Array) => Promise<void>;

const COPY_BYTES = 4 * 1024 * 1024;
/** Rows decoded at a time. */
const ROWS_AT_ONCE = 8_192;
const BATCH_ROWS = 122_880;
const BATCH_BYTES = 32 * 1024 * 1024;

// As they are in the file: their meaning is that of the schema, which is copied too.
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

/** Joins files of one schema: their row groups are copied as they are, under one footer. */
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

/** The columns of every file of events. */
const eventTable = new MessageTable([{ encoding: 'protobuf', schema: genericEventSchema }], {
  flatten: false,
  raw: true,
}).columns;

/** Puts files of events together, row by row; of rows with one identity the first stays. */
export async function mergeEvents(
  inputs: readonly MergeInput[],
  createdBy: string,
  zstd: { readonly compress: Zstd; readonly decompress: (data: Uint8Array, bytes: number) => Uint8Array },
  write: Write,
): Promise<Merged> {
  const spec: TableSpec = { format: 'parquet', columns: eventTable, flatten: false };
  const encode = parquetEncoder(spec, zstd.compress);
  const file = new ParquetFile(spec, createdBy);
  const builder = new BatchBuilder(eventTable);
  const seen = new Set<string>();
  let [rows, duplicates, pending] = [0, 0, 0];
  const flush = async (): Promise<void> => {
    if (builder.rows === 0) return;
    const encoded = encode(builder.take());
    file.add(encoded as typeof encoded & { meta: RowGroupMeta });
    for (const { bytes } of encoded.pieces) await write(bytes);
    pending = 0;
  };
  await write(file.start());
  for (const input of inputs) {
    const metadata = await footerOf(input);
    const total = Number(metadata.num_rows);
    for (let rowStart = 0; rowStart < total; rowStart += ROWS_AT_ONCE) {
      const found = await parquetReadObjects({
        file: await bufferOf(input.readable),
        metadata,
        rowStart,
        rowEnd: Math.min(total, rowStart + ROWS_AT_ONCE),
        compressors: { ZSTD: (data, bytes) => zstd.decompress(data, bytes) },
        utf8: false,
        parsers: { timestampFromNanoseconds: asStored.timestampFromNanoseconds },
      });
      for (const row of found as Row[]) {
        const identity = identityOf(row);
        if (identity !== undefined && seen.has(identity)) {
          duplicates++;
          continue;
        }
        if (identity !== undefined) seen.add(identity);
        pending += addRow(builder, row);
        rows++;
        if (builder.rows >= BATCH_ROWS || pending >= BATCH_BYTES) await flush();
      }
    }
  }
  await flush();
  await write(file.finish());
  return { rows, duplicates };
}

type Row = Readonly<Record<string, string | number | bigint | Uint8Array | null | undefined>>;

function identityOf(row: Row): string | undefined {
  const { stream, stream_created: created, stream_sequence: sequence } = row;
  if (typeof stream !== 'string' || typeof created !== 'string' || typeof sequence !== 'bigint')
    return undefined;
  return JSON.stringify([stream, created, String(sequence)]);
}

/** Returns about how many bytes it holds. */
function addRow(builder: BatchBuilder, row: Row): number {
  builder.reserveRow();
  const at = builder.rows;
  const { slots } = builder;
  let bytes = 64;
  for (const { id, name, column } of builder.root.children) {
    const value = row[name] ?? undefined;
    if (column.optional) (slots[`y${id}`] as Uint8Array)[at] = value === undefined ? 0 : 1;
    const text = slots[`s${id}`] as BytesLeaf | undefined;
    if (text !== undefined) {
      if (typeof value === 'string') text.putText(at, value);
      else if (value instanceof Uint8Array) text.put(at, value, 0, value.byteLength);
      else text.empty(at);
      bytes += typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;
    } else if (typeof value === 'bigint') {
      const words = slots[`v${id}`] as Int32Array;
      words[2 * at] = Number(BigInt.asIntN(32, value));
      words[2 * at + 1] = Number(BigInt.asIntN(32, value >> 32n));
    } else if (typeof value === 'number') (slots[`v${id}`] as Uint32Array)[at] = value;
  }
  builder.rows = at + 1;
  return bytes;
}

async function bufferOf(readable: Readable): Promise<AsyncBuffer> {
  const byteLength = Number(await readable.size());
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const bytes = Uint8Array.from(await readable.read(BigInt(start), BigInt(end - start)));
      return bytes.buffer as ArrayBuffer;
    },
  };
}
