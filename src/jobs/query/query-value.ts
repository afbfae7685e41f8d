import type { DuckDBArrayType, DuckDBListType, DuckDBType } from '@duckdb/node-api';
import { MAX_TABLE_TIME } from '../../exporters/columns/head-columns.js';
import { base64, numberText, timeText } from '../../exporters/text/text-value.js';
import type { DuckDb } from './duckdb-library.js';

/** Turns one value of a column into text. */
export type ValueText = (value: unknown) => string;

/** How columns of a type are written, by the rules of docs/export.md. */
export interface ColumnText {
  /** JSON: 64-bit integers with all digits, NaN and the infinities as texts, bytes as base64. */
  readonly json: ValueText;
  /** A field of CSV or a cell; null is an empty text. */
  readonly plain: ValueText;
}

/** Nanoseconds since the Unix epoch of the first and the last second of the years 0 to 9999. */
const YEAR_0_NS = -62_167_219_200_000_000_000n;
const YEAR_9999_NS = 253_402_300_799_000_000_000n;

/** The texts of a type's values; null is `null`, or nothing. */
export function columnText(duckDb: DuckDb, type: DuckDBType): ColumnText {
  const scalar = scalarOf(duckDb, type);
  const json = scalar === undefined ? partsOf(duckDb, type) : scalar.json;
  const plain = scalar?.plain ?? json;
  return {
    json: (value) => (value === null ? 'null' : json(value)),
    plain: (value) => (value === null ? '' : plain(value)),
  };
}

const bare = (plain: ValueText): ColumnText => ({ plain, json: plain });
const text = (plain: ValueText): ColumnText => ({ plain, json: (value) => JSON.stringify(plain(value)) });
const time = (nsOf: (value: never) => bigint): ColumnText =>
  text((value) => {
    const ns = nsOf(value as never);
    // DuckDB reads the last time that tables hold as infinity.
    if (ns === MAX_TABLE_TIME) return timeText(ns);
    if (!(value as { isFinite: boolean }).isFinite) return String(value);
    // Years without four digits in ISO 8601, as DuckDB writes them.
    return ns > YEAR_9999_NS || ns < YEAR_0_NS ? String(value) : timeText(ns);
  });

function float(isSingle: boolean): ColumnText {
  const plain = (value: unknown): string =>
    Number.isFinite(value) ? numberText(value as number, isSingle) : String(value);
  return { plain, json: (value) => (Number.isFinite(value) ? plain(value) : `"${plain(value)}"`) };
}

/** Types without parts; undefined for the others. */
function scalarOf({ DuckDBTypeId: ids }: DuckDb, type: DuckDBType): ColumnText | undefined {
  const { typeId } = type;
  const integers: readonly number[] = [
    ...[ids.BOOLEAN, ids.TINYINT, ids.SMALLINT, ids.INTEGER, ids.BIGINT, ids.HUGEINT, ids.BIGNUM],
    ...[ids.UTINYINT, ids.USMALLINT, ids.UINTEGER, ids.UBIGINT, ids.UHUGEINT, ids.DECIMAL],
  ];
  if (integers.includes(typeId)) return bare(String);
  if (typeId === ids.FLOAT || typeId === ids.DOUBLE) return float(typeId === ids.FLOAT);
  if (typeId === ids.TIMESTAMP_NS) return time(({ nanos }: { nanos: bigint }) => nanos);
  if (typeId === ids.TIMESTAMP || typeId === ids.TIMESTAMP_TZ) {
    return time(({ micros }: { micros: bigint }) => micros * 1_000n);
  }
  if (typeId === ids.TIMESTAMP_MS) return time(({ millis }: { millis: bigint }) => millis * 1_000_000n);
  if (typeId === ids.TIMESTAMP_S) return time(({ seconds }: { seconds: bigint }) => seconds * 1_000_000_000n);
  if (typeId === ids.BLOB) return text((value) => base64((value as { bytes: Uint8Array }).bytes));
  // JSON is stored as JSON text; a line break in it can only be white space.
  if (type.alias === 'JSON') return bare((value) => (value as string).replaceAll(/[\r\n]+/g, ' '));
  const compound: readonly number[] = [ids.LIST, ids.ARRAY, ids.STRUCT, ids.MAP];
  // Dates, times of day, intervals, UUIDs, bits, enums, unions: as DuckDB writes them.
  return compound.includes(typeId) ? undefined : text(String);
}

/** The JSON of types with parts. */
function partsOf(duckDb: DuckDb, type: DuckDBType): ValueText {
  const { DuckDBTypeId: ids } = duckDb;
  if (type.typeId === ids.STRUCT) {
    const { entryNames, entryTypes } = type;
    const fields = entryNames.map((name, i) => ({ name, json: columnText(duckDb, entryTypes[i]!).json }));
    return (value) => {
      const { entries } = value as { entries: Readonly<Record<string, unknown>> };
      return `{${fields.map(({ name, json }) => `${JSON.stringify(name)}:${json(entries[name])}`).join(',')}}`;
    };
  }
  if (type.typeId === ids.MAP) {
    const { keyType, valueType } = type;
    const [key, inner] = [columnText(duckDb, keyType).plain, columnText(duckDb, valueType).json];
    return (value) => {
      const { entries } = value as { entries: readonly { key: unknown; value: unknown }[] };
      return `{${entries.map((one) => `${JSON.stringify(key(one.key))}:${inner(one.value)}`).join(',')}}`;
    };
  }
  const element = columnText(duckDb, (type as DuckDBListType | DuckDBArrayType).valueType).json;
  return (value) => `[${(value as { items: readonly unknown[] }).items.map(element).join(',')}]`;
}
