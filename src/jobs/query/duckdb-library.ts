import type * as duckDb from '@duckdb/node-api';
import { describeError, HoldfastError } from '../../core/errors.js';

export type DuckDb = typeof duckDb;

/** DuckDB is an optional dependency with a native library. Throws `QUERY_UNAVAILABLE` if it cannot be loaded. */
export async function loadDuckDb(
  load: () => Promise<DuckDb> = () => import('@duckdb/node-api'),
): Promise<DuckDb> {
  try {
    return await load();
  } catch (cause) {
    const [reason] = describeError(cause).split('\n');
    throw new HoldfastError(
      'QUERY_UNAVAILABLE',
      `DuckDB cannot be loaded (npm install @duckdb/node-api): ${reason}`,
      { facts: { reason } },
    );
  }
}
