/** The columns of one table of a lake in one segment. */
export interface TableSchema {
  readonly table: 'topics' | 'events';
  /** The topic, or the type of the events with these payloads. */
  readonly name: string;
  /** Path and type of each column: `position.x`, `float64`; `[]` stands for the elements of a list. */
  readonly columns: readonly (readonly [path: string, type: string])[];
}

/** The difference between a table's columns and those of an earlier segment. */
export interface SchemaChange {
  readonly table: TableSchema['table'];
  readonly name: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** With both types. */
  readonly retyped: readonly string[];
}

/** Undefined if the columns are the same, in any order. */
export function compareSchemas(before: TableSchema, now: TableSchema): SchemaChange | undefined {
  const was = new Map(before.columns);
  const is = new Map(now.columns);
  const added = [...is.keys()].filter((path) => !was.has(path));
  const removed = [...was.keys()].filter((path) => !is.has(path));
  const retyped = [...is].flatMap(([path, type]) => {
    const old = was.get(path);
    return old === undefined || old === type ? [] : [`${path} ${old} -> ${type}`];
  });
  if (added.length + removed.length + retyped.length === 0) return undefined;
  return { table: now.table, name: now.name, added, removed, retyped };
}

const SHOWN = 10;

/** One line: `/imu: added a, b; removed c; x int32 -> int64`. */
export function describeSchemaChange({ name, added, removed, retyped }: SchemaChange): string {
  const list = (paths: readonly string[]): string =>
    paths.slice(0, SHOWN).join(', ') + (paths.length > SHOWN ? `, and ${paths.length - SHOWN} more` : '');
  const parts = [
    added.length > 0 ? `added ${list(added)}` : '',
    removed.length > 0 ? `removed ${list(removed)}` : '',
    list(retyped),
  ];
  return `${name}: ${parts.filter((part) => part !== '').join('; ')}`;
}
