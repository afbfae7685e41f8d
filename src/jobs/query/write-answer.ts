import type { DuckDBResult } from '@duckdb/node-api';
import type { DuckDb } from './duckdb-library.js';
import { queryError } from './query-errors.js';
import type { AnswerOptions, QueryAnswer, WriteText } from './query-engine.js';
import { columnText } from './query-value.js';
import { openWriter, type ResultColumn, type ResultWriter } from './result-writer.js';

/** Runs the SQL of an answer. */
export interface SqlRunner {
  readonly duckDb: DuckDb;
  run(sql: string): Promise<DuckDBResult>;
  /** Rows of a result in runs. */
  rows(result: DuckDBResult): AsyncIterable<readonly (readonly unknown[])[]>;
}

/** Runs the SQL and writes its result. */
export async function writeAnswer(
  session: SqlRunner,
  sql: string,
  options: AnswerOptions,
  write: WriteText,
): Promise<QueryAnswer> {
  const result = await session.run(sql);
  const columns = resultColumns(session.duckDb, result);
  const writer = openWriter(options, columns, (lines) => write(Buffer.from(`${lines}\n`)));
  try {
    const rows = await writeResult(session, result, writer, options.limit);
    return { rows, columns: columns.map(({ name }) => name) };
  } catch (error) {
    // Also for values without a form here, or too long for a text.
    throw queryError(error);
  }
}

function resultColumns(duckDb: DuckDb, result: DuckDBResult): ResultColumn[] {
  const { DuckDBTypeId: ids } = duckDb;
  const texts: ReadonlySet<number> = new Set([ids.VARCHAR, ids.BOOLEAN, ids.BLOB, ids.ENUM, ids.UUID]);
  return result.deduplicatedColumnNames().map((name, i) => {
    const type = result.columnType(i);
    const { json, plain } = columnText(duckDb, type);
    const isNumber = type.typeId <= ids.DOUBLE || type.typeId === ids.HUGEINT || type.typeId === ids.DECIMAL;
    return { name, json, plain, right: isNumber && !texts.has(type.typeId) };
  });
}

/** Writes the rows of a started query, at most `limit`. Resolves with the number written. */
async function writeResult(
  session: SqlRunner,
  result: DuckDBResult,
  writer: ResultWriter,
  limit: number,
): Promise<number> {
  let written = 0;
  let more = false;
  for await (const rows of session.rows(result)) {
    const fits = rows.slice(0, limit - written);
    more = fits.length < rows.length;
    await writer.rows(fits);
    written += fits.length;
    if (more) break;
  }
  await writer.end(more);
  return written;
}
