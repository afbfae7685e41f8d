import type { DuckDBConnection, DuckDBInstance, DuckDBResult, StatementType } from '@duckdb/node-api';
import { HoldfastError } from '../../core/errors.js';
import type { DuckDb } from './duckdb-library.js';
import { queryError, sqlText } from './query-errors.js';
import { namesInTree, namesInText } from './table-names.js';
import { sqlName } from './view-plan.js';

export interface SessionOptions {
  readonly memoryLimitBytes: number;
  /** Where DuckDB puts what does not fit; it exists already. */
  readonly spillFolder: string;
  readonly signal: AbortSignal;
}

/** What a view reads. */
export interface ViewFiles {
  /** Parquet, absolute paths. */
  readonly files: readonly string[];
  /** Parts `name=value` of the paths are columns. */
  readonly hive: boolean;
  /** A condition in SQL. */
  readonly where?: string;
}

/**
 * A DuckDB in memory that reads the files of its views and nothing else: no network, no other files, no
 * extensions, no settings of the user's; only statements that cannot write files are run.
 */
export class QuerySession implements AsyncDisposable {
  private constructor(
    readonly duckDb: DuckDb,
    readonly instance: DuckDBInstance,
    readonly connection: DuckDBConnection,
    readonly options: SessionOptions,
  ) {}

  static async open(duckDb: DuckDb, options: SessionOptions): Promise<QuerySession> {
    const instance = await duckDb.DuckDBInstance.create(':memory:', {
      memory_limit: `${options.memoryLimitBytes}B`,
      temp_directory: options.spillFolder,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
      allow_persistent_secrets: 'false',
    });
    return new QuerySession(duckDb, instance, await instance.connect(), options);
  }

  /**
   * Names of tables the SQL may read, in lower case. Where DuckDB gives no parse tree (`EXPLAIN`, `PIVOT`, `CREATE`) and where
   * names are made by functions, every one of `known` that occurs in the text. Throws `QUERY_INVALID` for
   * what is no SQL, before anything is read for it.
   */
  async tableNames(sql: string, known: readonly string[]): Promise<ReadonlySet<string>> {
    const reader = await this.#run(`SELECT json_serialize_sql(${sqlText(sql)}::VARCHAR)`);
    const tree = JSON.parse(String(reader.getRows()[0]![0])) as {
      error: boolean;
      error_type?: string;
      error_message?: string;
    };
    if (tree.error && tree.error_type === 'parser') {
      // Said by the statement itself with its line.
      await this.connection.extractStatements(sql).catch((cause: unknown) => {
        throw queryError(cause);
      });
    }
    return (tree.error ? undefined : namesInTree(tree)) ?? namesInText(sql, known);
  }

  /** From here on only the files of these views can be read. */
  async restrictTo(views: readonly ViewFiles[]): Promise<void> {
    const files = [...new Set(views.flatMap((view) => view.files))];
    await this.#run(`SET allowed_paths = [${files.map(sqlText).join(', ')}]`);
    // DuckDB 1.5.5 looks for statistics of columns that come from the path, of which files have none, and fails.
    if (views.some(({ hive }) => hive)) await this.#run("SET disabled_optimizers = 'statistics_propagation'");
    await this.#run('SET enable_external_access = false');
    await this.#run('SET lock_configuration = true');
  }

  async createView(name: string, { files, hive, where }: ViewFiles): Promise<void> {
    const list = files.map(sqlText).join(', ');
    const condition = where === undefined ? '' : ` WHERE ${where}`;
    await this.#run(
      `CREATE VIEW ${sqlName(name)} AS SELECT * FROM read_parquet([${list}], union_by_name = true, ` +
        `hive_partitioning = ${hive}, hive_types_autocast = false)${condition}`,
    );
  }

  /** Name and SQL type of the columns files have. */
  async columnsOf({ files, hive }: ViewFiles): Promise<{ readonly name: string; readonly type: string }[]> {
    const list = files.map(sqlText).join(', ');
    const reader = await this.#run(
      `DESCRIBE SELECT * FROM read_parquet([${list}], union_by_name = true, ` +
        `hive_partitioning = ${hive}, hive_types_autocast = false)`,
    );
    return reader.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  }

  async rowsOf({ files }: ViewFiles): Promise<number> {
    const list = files.map(sqlText).join(', ');
    const reader = await this.#run(`SELECT count(*) FROM read_parquet([${list}], union_by_name = true)`);
    return Number(reader.getRows()[0]![0]);
  }

  /** Runs every statement and gives the last one's result, row by row as it is read. Throws `QUERY_INVALID`, `QUERY_FAILED`. */
  async run(sql: string): Promise<DuckDBResult> {
    return this.#interruptible(async () => {
      const statements = await this.connection.extractStatements(sql);
      if (statements.count === 0) throw new HoldfastError('QUERY_INVALID', 'there is no statement');
      for (let i = 0; ; i++) {
        const prepared = await statements.prepare(i);
        this.#allow(prepared.statementType, sql);
        if (i === statements.count - 1) return prepared.stream();
        await prepared.run();
      }
    });
  }

  /** Rows of a result in runs. */
  async *rows(result: DuckDBResult): AsyncGenerator<readonly (readonly unknown[])[], void, void> {
    const runs = result.yieldRows();
    for (;;) {
      const next = await this.#interruptible(() => runs.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  #allow(type: StatementType, sql: string): void {
    const { StatementType: types } = this.duckDb;
    const allowed = [
      ...[types.SELECT, types.EXPLAIN, types.CREATE, types.DROP],
      ...[types.INSERT, types.UPDATE, types.DELETE],
    ];
    // EXPLAIN ANALYZE runs what it explains.
    const hidden = type === types.EXPLAIN && /\b(copy|export|attach|install|load)\b/i.test(sql);
    if (allowed.includes(type) && !hidden) return;
    const what = hidden ? 'EXPLAIN of it' : types[type];
    throw new HoldfastError(
      'QUERY_INVALID',
      `${what} is not run here, allowed: SELECT, EXPLAIN, and CREATE, DROP, INSERT, UPDATE, DELETE in memory`,
    );
  }

  async #run(sql: string): ReturnType<DuckDBConnection['runAndReadAll']> {
    return this.#interruptible(() => this.connection.runAndReadAll(sql));
  }

  async #interruptible<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.options;
    signal.throwIfAborted();
    const interrupt = (): void => this.connection.interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
    try {
      return await work();
    } catch (cause) {
      signal.throwIfAborted();
      throw queryError(cause);
    } finally {
      signal.removeEventListener('abort', interrupt);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.closeSync();
    this.instance.closeSync();
  }
}
