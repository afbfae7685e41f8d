import type { DuckDBResult } from '@duckdb/node-api';
import type { DuckDb } from './duckdb-library.js';
import { columnText } from './query-value.js';
import type { QuerySession, ViewFiles } from './query-session.js';
import type { PreparedTables, QuerySource } from './query-source.js';
import type { ResultColumn, ResultWriter } from './result-writer.js';
import { planViews, sqlName, type QueryView } from './view-plan.js';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';

/** Log times, inclusive, nanoseconds since the Unix epoch. */
export interface TimeRange {
  readonly from?: bigint;
  readonly to?: bigint;
}

/** Names shown when SQL names what is not there. */
const HINT_NAMES = 12;

export interface PreparedQuery {
  readonly result: DuckDBResult;
  readonly columns: readonly ResultColumn[];
  /** Everything the query stands on could be read. */
  readonly ok: boolean;
}

/** Makes the views the SQL names, of the source restricted to the range, and starts the query. */
export async function startQuery(
  session: QuerySession,
  source: QuerySource,
  sql: string,
  range: TimeRange,
): Promise<PreparedQuery> {
  const views = planViews(source.tables);
  const names = await session.tableNames(
    sql,
    views.map(({ name }) => name),
  );
  const wanted = views.filter(({ name }) => names.has(name.toLowerCase()));
  const prepared = await source.prepare([...new Set(wanted.flatMap(({ tables }) => tables))]);
  await createViews(session, source, wanted, prepared, range);
  try {
    const result = await session.run(sql);
    return { result, columns: resultColumns(session.duckDb, result), ok: prepared.ok };
  } catch (error) {
    throw isHoldfastError(error, 'QUERY_INVALID') ? withNames(error, names, views) : error;
  }
}

async function createViews(
  session: QuerySession,
  source: QuerySource,
  views: readonly QueryView[],
  prepared: PreparedTables,
  range: TimeRange,
): Promise<void> {
  const filled = views
    .map(({ name, tables }) => ({ name, files: prepared.filesOf(tables) }))
    .filter(({ files }) => files.files.length > 0);
  await session.restrictTo(filled.map(({ files }) => files));
  for (const { name, files } of filled) {
    await session.createView(name, await withinRange(session, source, files, range));
  }
}

/** The files with a condition on their time. */
async function withinRange(
  session: QuerySession,
  { timeColumns }: QuerySource,
  files: ViewFiles,
  { from, to }: TimeRange,
): Promise<ViewFiles> {
  if (from === undefined && to === undefined) return files;
  const columns = await session.columnsOf(files);
  const column = timeColumns
    .map((name) => columns.find((one) => one.name === name))
    .find((one) => one !== undefined);
  if (column === undefined) {
    const message = `${files.files[0]} has no time (${timeColumns.join(', ')}) that --from-time and --to-time could choose by`;
    throw new HoldfastError('QUERY_INVALID', message);
  }
  const time = (ns: bigint): string => (column.type === 'BIGINT' ? String(ns) : `make_timestamp_ns(${ns})`);
  const conditions = [
    ...(files.where === undefined ? [] : [files.where]),
    ...(from === undefined ? [] : [`${sqlName(column.name)} >= ${time(from)}`]),
    ...(to === undefined ? [] : [`${sqlName(column.name)} <= ${time(to)}`]),
  ];
  return { ...files, where: conditions.join(' AND ') };
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

/** A name that is no view: which there are. */
function withNames(
  error: HoldfastError,
  names: ReadonlySet<string>,
  views: readonly QueryView[],
): HoldfastError {
  const known = new Set(views.map(({ name }) => name.toLowerCase()));
  if ([...names].every((name) => known.has(name))) return error;
  const some = views.slice(0, HINT_NAMES).map(({ name }) => sqlName(name));
  const more = views.length > HINT_NAMES ? ', ...' : '';
  const there = some.length === 0 ? 'there are no views' : `views: ${some.join(', ')}${more}`;
  return new HoldfastError(error.code, `${error.message}\n${there} (holdfast query --list shows all)`, {
    facts: error.facts,
  });
}

/** Writes the rows of a started query, at most `limit`. Resolves with how many were written. */
export async function writeResult(
  session: QuerySession,
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

/** A view as `--list` shows it. */
export interface ListedView {
  readonly name: string;
  /** Other names of the same. */
  readonly also: readonly string[];
  readonly types: readonly string[];
  readonly robots: readonly string[];
  readonly rows?: number;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** Every view with its columns, views that show the same together. */
export async function listViews(session: QuerySession, source: QuerySource): Promise<ListedView[]> {
  const prepared = source.tables.some(({ columns }) => columns === undefined)
    ? await source.prepare(source.tables)
    : undefined;
  const groups = new Map<string, { readonly view: QueryView; readonly also: string[] }>();
  const number = new Map(source.tables.map((table, i) => [table, i]));
  for (const view of planViews(source.tables)) {
    const key = view.tables.map((table) => number.get(table)).join(' ');
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { view, also: [] });
    else known.also.push(view.name);
  }
  const listed: ListedView[] = [];
  for (const { view, also } of groups.values()) {
    const { name, tables } = view;
    const rows = tables.every((table) => table.rows !== undefined)
      ? tables.reduce((sum, table) => sum + table.rows!, 0)
      : undefined;
    const files = prepared?.filesOf(tables);
    listed.push({
      name,
      also,
      types: [...new Set(tables.map(({ type }) => type))].filter((type) => type !== ''),
      robots: [...new Set(tables.map(({ robot }) => robot))].filter((robot) => robot !== ''),
      ...(rows === undefined ? {} : { rows }),
      columns: files === undefined ? knownColumns(view) : await session.columnsOf(files),
    });
  }
  return listed;
}

function knownColumns({ tables }: QueryView): { readonly name: string; readonly type: string }[] {
  const columns = new Map<string, string>();
  for (const table of tables) {
    for (const { name, type } of table.columns ?? []) if (!columns.has(name)) columns.set(name, type);
  }
  return [...columns].map(([name, type]) => ({ name, type }));
}
