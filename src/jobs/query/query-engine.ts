import type { OutputFormat } from './result-writer.js';

/** What a view reads. */
export interface ViewFiles {
  /** Parquet, absolute paths. */
  readonly files: readonly string[];
  /** Parts `name=value` of the paths are columns. */
  readonly hive: boolean;
  /** A condition in SQL. */
  readonly where?: string;
}

export interface AnswerOptions {
  readonly format: OutputFormat;
  /** Rows at most. */
  readonly limit: number;
  /** Texts of CSV that a spreadsheet would run as a formula get an apostrophe before them. */
  readonly guardFormulas: boolean;
}

export interface QueryAnswer {
  readonly rows: number;
  readonly columns: readonly string[];
}

/** Where SQL runs: in this process or in its own. Every call throws `QUERY_INVALID` and `QUERY_FAILED`. */
export interface QueryEngine extends AsyncDisposable {
  /** Names of tables the SQL may read, in lower case. */
  tableNames(sql: string, known: readonly string[]): Promise<ReadonlySet<string>>;
  /** From here on, only the files of these views can be read. */
  restrictTo(views: readonly ViewFiles[]): Promise<void>;
  createView(name: string, files: ViewFiles): Promise<void>;
  /** Name and SQL type of the columns files have. */
  columnsOf(files: ViewFiles): Promise<readonly { readonly name: string; readonly type: string }[]>;
  /** Runs every statement and writes the result of the last one while reading it. */
  answer(sql: string, options: AnswerOptions, write: WriteText): Promise<QueryAnswer>;
}

/** Receives text of the answer, with its line ends; resolves when there is room for more. */
export type WriteText = (text: Uint8Array) => Promise<void>;

/** Calls of the engine that pass from one process to the other. */
export type RemoteCall = 'tableNames' | 'restrictTo' | 'createView' | 'columnsOf' | 'answer';

export interface EngineRequest {
  readonly id: number;
  readonly call: RemoteCall;
  readonly args: readonly unknown[];
}

export type EngineReply =
  | {
      readonly id: number;
      readonly value: unknown;
      /** Bytes of text written for it. */ readonly written: number;
    }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };
