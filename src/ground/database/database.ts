/** Runs SQL. Schema, time zone and the types of values are the same on every connection. */
export interface Queries {
  /**
   * Runs one statement and returns its rows; the caller states their type. `timestamptz` is read as nanoseconds
   * since the Unix epoch (bigint, in microseconds), `bigint` and `numeric` as number. Rejects with
   * `GROUND_DATABASE_UNREACHABLE`, or with `GROUND_DATABASE_FAILED` and the fact `sqlState`.
   */
  readonly query: <Row extends object>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;
}

/** Where a PostgreSQL server is: a URL, or a Unix socket. */
export type PostgresPlace =
  | { readonly url: string }
  | {
      /** For people. */
      readonly address: string;
      readonly socketFolder: string;
      readonly user: string;
      readonly database: string;
    };

/** The PostgreSQL database of a ground. */
export interface Database extends Queries, AsyncDisposable {
  /** For people: where it is, without a password. */
  readonly address: string;
  /** Major version of the server, such as 18. */
  readonly major: number;
  /** How to open further connections. */
  readonly place?: PostgresPlace;
  /**
   * Runs statements in one transaction and commits it. Rolls it back if `work` rejects. When this rejects with
   * `GROUND_DATABASE_UNREACHABLE`, the transaction may have been committed nevertheless.
   */
  transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T>;
}
