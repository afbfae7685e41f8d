/** The content of a query's table: the messages of one topic of one robot, or files without topics. */
export interface QueryTable {
  readonly robot: string;
  /** A topic, or the name of something else. */
  readonly topic: string;
  readonly type: string;
  /** If it is known without reading the files. */
  readonly rows?: number;
  /** Flat, as listed in a manifest. */
  readonly columns?: readonly { readonly name: string; readonly type: string }[];
}

/** A name that SQL can use. */
export interface QueryView {
  readonly name: string;
  readonly tables: readonly QueryTable[];
}

/**
 * The SQL names of topics: `/robot1/imu` itself (in double quotes), the identifier `robot1_imu`, `imu` for
 * that topic of all robots, and `sensor_msgs/msg/Imu` for every topic of a type. Names that differ only by
 * case are equal in SQL: the earlier kind, and within it the earlier name, keeps it.
 */
export function planViews(tables: readonly QueryTable[]): QueryView[] {
  const views = new Map<string, QueryView>();
  const add = (groups: ReadonlyMap<string, QueryTable[]>): void => {
    for (const [name, members] of groups) {
      const key = name.toLowerCase();
      if (name !== '' && !views.has(key)) views.set(key, { name, tables: members });
    }
  };
  add(grouped(tables, ({ topic }) => topic));
  add(ofOneType(grouped(tables, ({ topic }) => identifier(topic))));
  add(ofOneType(grouped(tables, (table) => identifier(withoutRobot(table)))));
  add(grouped(tables, ({ type }) => type));
  return [...views.values()];
}

/** Text in SQL's double quotes, if it needs them. */
export function sqlName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/i.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** `/robot1/camera/image` without the robot's own namespace: the name of the topic on each robot. */
function withoutRobot({ robot, topic }: QueryTable): string {
  const prefix = `/${robot}/`;
  return robot !== '' && topic.startsWith(prefix) ? topic.slice(prefix.length) : topic;
}

function identifier(name: string): string {
  return name.replaceAll(/[^\p{L}\p{N}]+/gu, '_').replaceAll(/^_+|_+$/g, '');
}

function grouped(
  tables: readonly QueryTable[],
  nameOf: (table: QueryTable) => string,
): Map<string, QueryTable[]> {
  const groups = new Map<string, QueryTable[]>();
  for (const table of tables) {
    const name = nameOf(table);
    const members = groups.get(name);
    if (members === undefined) groups.set(name, [table]);
    else members.push(table);
  }
  return groups;
}

/** A short name with two meanings is not used. */
function ofOneType(groups: Map<string, QueryTable[]>): Map<string, QueryTable[]> {
  return new Map([...groups].filter(([, members]) => members.every(({ type }) => type === members[0]!.type)));
}
