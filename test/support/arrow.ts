import { createRequire } from 'node:module';
import { tableFromIPC, type Table } from 'apache-arrow';
import type * as ParquetWasm from 'parquet-wasm';

/** arrow-rs as WebAssembly: DataFusion, delta-rs and others read Parquet with the same code. */
const { readParquet } = createRequire(import.meta.url)('parquet-wasm') as typeof ParquetWasm;

/** A Parquet file as arrow-rs reads it. Throws what arrow-rs says when it refuses the file. */
export function arrowTable(file: Uint8Array): Table {
  return tableFromIPC(readParquet(file).intoIPCStream());
}

/** A column of times, nanoseconds since the Unix epoch. */
export function arrowTimes(table: Table, name: string): bigint[] {
  return Array.from((table.getChild(name)?.toArray() ?? []) as Iterable<bigint>);
}

/** The values of one column as plain JavaScript; 64-bit integers as bigint. */
export function arrowColumn(table: Table, name: string): unknown[] {
  const column = table.getChild(name);
  if (column === null) throw new Error(`no column ${name}`);
  return Array.from({ length: table.numRows }, (_, row) => plain(column.get(row)));
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return plain((value.toJSON as () => unknown)());
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}
