import type { DuckDBConnection, DuckDBInstance, DuckDBResult, StatementType } from '@duckdb/node-api';
import { defined } from '../../core/defined.js';
import { HoldfastError } from '../../core/errors.js';
import { onAbort } from '../../core/on-abort.js';
import type { DuckDb } from './duckdb-library.js';
import { queryError, sqlText } from './query-errors.js';
import type { AnswerOptions, QueryAnswer, QueryEngine, ViewFiles, WriteText } from './query-engine.js';
import { namesInTree, namesInText } from './table-names.js';
import { writeAnswer } from './write-answer.js';
import { sqlName } from './view-plan.js';

export interface SessionOptions {
  readonly memoryLimitBytes: number;
  /** Where DuckDB puts data that does not fit in memory; it exists already. */
  readonly spillFolder: string;
  /** Bytes it may use there. Default: DuckDB's, most of the disk. */
  readonly spillMaxBytes?: number;
  readonly signal: AbortSignal;
}

/**
 * A DuckDB in memory that reads only the files of its views: no network, no other files, no extensions, no
 * user settings, and only statements that cannot write files.
 */
export class QuerySession implements QueryEngine {
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
      ...defined({
        max_temp_directory_size:
          options.spillMaxBytes === undefined ? undefined : `${options.spillMaxBytes}B`,
      }),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
      allow_persistent_secrets: 'false',
    });
    return new QuerySession(duckDb, instance, await instance.connect(), options);
  }

  /**
   * Names of tables that the SQL may read, in lower case. If DuckDB gives no parse tree (`EXPLAIN`, `PIVOT`,
   * `CREATE`), or functions make names, every one of `known` that occurs in the text. Throws `QUERY_INVALID`
   * for invalid SQL, before anything is read for it.
   */
  async tableNames(sql: string, known: readonly string[]): Promise<ReadonlySet<string>> {
    const reader = await this.#run(`SELECT json_serialize_sql(${sqlText(sql)}::VARCHAR)`);
    const tree = JSON.parse(String(reader.getRows()[0]![0])) as {
      error: boolean;
      error_type?: string;
      error_message?: string;
    };
    if (tree.error && tree.error_type === 'parser') {
      // The statement itself reports it with its line.
      await this.connection.extractStatements(sql).catch((cause: unknown) => {
        throw queryError(cause);
      });
    }
    return (tree.error ? undefined : namesInTree(tree)) ?? namesInText(sql, known);
  }

  /** From here on, only the files of these views can be read. */
  async restrictTo(views: readonly ViewFiles[]): Promise<void> {
    const files = [...new Set(views.flatMap((view) => view.files))];
    await this.#run(`SET allowed_paths = [${files.map(sqlText).join(', ')}]`);
    // DuckDB 1.5.5 looks for statistics of columns from the path, which files do not have, and fails.
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

  async answer(sql: string, options: AnswerOptions, write: WriteText): Promise<QueryAnswer> {
    return writeAnswer(this, sql, options, write);
  }

  /**
   * Runs every statement and returns the result of the last one, row by row while reading. Throws
   * `QUERY_INVALID`, `QUERY_FAILED`.
   */
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
    // EXPLAIN ANALYZE runs the statement that it explains.
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
    const unlisten = onAbort(signal, () => this.connection.interrupt());
    try {
      return await work();
    } catch (cause) {
      signal.throwIfAborted();
      throw queryError(cause);
    } finally {
      unlisten();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.connection.closeSync();
    this.instance.closeSync();
    return Promise.resolve();
  }
}
