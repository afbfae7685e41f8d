import { MAX_TABLE_TIME } from '../../exporters/columns/head-columns.js';
import { defined } from '../../core/defined.js';
import type { AnswerOptions, QueryAnswer, QueryEngine, ViewFiles, WriteText } from './query-engine.js';
import type { PreparedTables, QuerySource } from './query-source.js';
import { planViews, sqlName, type QueryView } from './view-plan.js';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import { present } from '../../core/present.js';

/** Log times, inclusive, nanoseconds since the Unix epoch. */
export interface TimeRange {
  readonly from?: bigint;
  readonly to?: bigint;
}

/** Names shown if the SQL names an unknown table. */
const HINT_NAMES = 12;

/** Where the answer goes, and in which form. */
export interface AnswerPlace {
  readonly options: AnswerOptions;
  readonly write: WriteText;
}

/** Creates the views that the SQL names, restricted to the range, runs the SQL and writes its answer. */
export async function answerQuery(
  engine: QueryEngine,
  source: QuerySource,
  sql: string,
  range: TimeRange,
  { options, write }: AnswerPlace,
): Promise<QueryAnswer & Pick<PreparedTables, 'ok' | 'remarks'>> {
  const views = planViews(source.tables);
  const names = await engine.tableNames(
    sql,
    views.map(({ name }) => name),
  );
  const wanted = views.filter(({ name }) => names.has(name.toLowerCase()));
  const prepared = await source.prepare([...new Set(wanted.flatMap(({ tables }) => tables))]);
  await createViews(engine, source, wanted, prepared, range);
  try {
    const { ok, remarks } = prepared;
    return { ...(await engine.answer(sql, options, write)), ok, remarks };
  } catch (error) {
    throw isHoldfastError(error, 'QUERY_INVALID') ? withNames(error, names, views) : error;
  }
}

async function createViews(
  engine: QueryEngine,
  source: QuerySource,
  views: readonly QueryView[],
  prepared: PreparedTables,
  range: TimeRange,
): Promise<void> {
  const filled = views
    .map(({ name, tables }) => ({ name, files: prepared.filesOf(tables) }))
    .filter(({ files }) => files.files.length > 0);
  await engine.restrictTo(filled.map(({ files }) => files));
  for (const { name, files } of filled) {
    await engine.createView(name, await withinRange(engine, source, files, range));
  }
}

/** The files with a condition on their time. */
async function withinRange(
  engine: QueryEngine,
  { timeColumns }: QuerySource,
  files: ViewFiles,
  { from, to }: TimeRange,
): Promise<ViewFiles> {
  if (from === undefined && to === undefined) return files;
  const columns = await engine.columnsOf(files);
  const column = timeColumns
    .map((name) => columns.find((one) => one.name === name))
    .find((one) => one !== undefined);
  if (column === undefined) {
    const message = `${files.files[0]} has no time (${timeColumns.join(', ')}) that --from-time and --to-time could choose by`;
    throw new HoldfastError('QUERY_INVALID', message);
  }
  const time = (ns: bigint): string => (column.type === 'BIGINT' ? String(ns) : `make_timestamp_ns(${ns})`);
  const name = sqlName(column.name);
  const conditions = [
    ...(files.where === undefined ? [] : [files.where]),
    ...(from === undefined ? [] : [from > MAX_TABLE_TIME ? 'false' : `${name} > ${time(from - 1n)}`]),
    // Later than any possible row; DuckDB treats the last time as infinity.
    ...(to === undefined || to >= MAX_TABLE_TIME ? [] : [`${name} <= ${time(to)}`]),
  ];
  return conditions.length === 0 ? files : { ...files, where: conditions.join(' AND ') };
}

/** The error for an unknown view, with the existing ones. */
function withNames(
  error: HoldfastError,
  names: ReadonlySet<string>,
  views: readonly QueryView[],
): HoldfastError {
  const known = new Set(views.map(({ name }) => name.toLowerCase()));
  if ([...names].every((name) => known.has(name))) return error;
  const some = views.slice(0, HINT_NAMES).map(({ name }) => sqlName(name));
  const more = views.length > HINT_NAMES ? ', ...' : '';
  const there =
    some.length === 0
      ? 'there are no views: nothing is recorded there, or nothing of what was chosen'
      : `views: ${some.join(', ')}${more}`;
  return new HoldfastError(error.code, `${error.message}\n${there} (holdfast query --list shows all)`, {
    facts: error.facts,
  });
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

/** Every view with its columns; views with the same content together. */
export async function listViews(engine: QueryEngine, source: QuerySource): Promise<ListedView[]> {
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
      ? tables.reduce((sum, table) => sum + present(table.rows), 0)
      : undefined;
    const files = prepared?.filesOf(tables);
    listed.push({
      name,
      also,
      types: [...new Set(tables.map(({ type }) => type))].filter((type) => type !== ''),
      robots: [...new Set(tables.map(({ robot }) => robot))].filter((robot) => robot !== ''),
      ...defined({ rows }),
      columns: files === undefined ? knownColumns(view) : await engine.columnsOf(files),
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
