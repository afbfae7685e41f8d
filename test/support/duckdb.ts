import type { DuckDBConnection } from '@duckdb/node-api';
import { firstOf } from './first-of.js';

/** A connection to an in-memory DuckDB. */
export async function duckdb(): Promise<DuckDBConnection> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:');
  return instance.connect();
}

/** Rows of a query as objects of JavaScript values; 64-bit integers are bigint. */
export async function rowsOf(connection: DuckDBConnection, sql: string): Promise<Record<string, unknown>[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRowObjects();
}

/** The first row of a query that has one, as {@link rowsOf} gives it. */
export async function rowOf(connection: DuckDBConnection, sql: string): Promise<Record<string, unknown>> {
  const [row] = firstOf(1, await rowsOf(connection, sql));
  return row;
}
