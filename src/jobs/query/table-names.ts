/** Functions that name tables by texts. */
const NAMING = new Set(['query', 'query_table']);

/**
 * Names of the tables in a parse tree of DuckDB's `json_serialize_sql`, in lower case; undefined if a
 * function may name others.
 */
export function namesInTree(tree: unknown): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  let complete = true as boolean;
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
    const { type, table_name: table, function_name: called } = node as Record<string, unknown>;
    if (type === 'BASE_TABLE' && typeof table === 'string') names.add(table.toLowerCase());
    if (typeof called === 'string' && NAMING.has(called.toLowerCase())) complete = false;
    Object.values(node).forEach(visit);
  };
  visit(tree);
  return complete ? names : undefined;
}

/** Those of the known names that occur in the text as a word. Too many are better than too few. */
export function namesInText(sql: string, known: readonly string[]): ReadonlySet<string> {
  const text = sql.toLowerCase();
  const isWord = (char: string | undefined): boolean => char !== undefined && /[\p{L}\p{N}_]/u.test(char);
  const names = new Set<string>();
  for (const one of known) {
    const name = one.toLowerCase();
    const escaped = name.replaceAll('"', '""');
    for (let at = text.indexOf(escaped); at >= 0; at = text.indexOf(escaped, at + 1)) {
      if (isWord(text[at - 1]) || isWord(text[at + escaped.length])) continue;
      names.add(name);
      break;
    }
  }
  return names;
}
