import type * as duckDb from '@duckdb/node-api';
import { loadOptional } from '../../core/load-optional.js';

export type DuckDb = typeof duckDb;

const DUCKDB = { name: '@duckdb/node-api', what: 'DuckDB', code: 'QUERY_UNAVAILABLE' } as const;

/** DuckDB is an optional dependency with a native library. Throws `QUERY_UNAVAILABLE` if it cannot be loaded. */
export function loadDuckDb(load: () => Promise<DuckDb> = () => import('@duckdb/node-api')): Promise<DuckDb> {
  return loadOptional(DUCKDB, load);
}
