/** A field of a message: names from the outermost inwards. Lists on the way stand for all of their elements. */
export interface FieldPath {
  readonly names: readonly string[];
  /** Types without this field pass unchanged; otherwise they are a fault. */
  readonly optional: boolean;
}

const PATH = /^[^\s,.:+?=]+(?:\.[^\s,.:+?=]+)*(\??)$/;

/** Parses names with dots between them, and `?` at the end for an optional field; undefined if it has another form. */
export function parseFieldPath(value: string): FieldPath | undefined {
  const [found, mark] = PATH.exec(value) ?? [];
  if (found === undefined) return undefined;
  const optional = mark === '?';
  return { names: (optional ? found.slice(0, -1) : found).split('.'), optional };
}
