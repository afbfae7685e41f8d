import { describeError, HoldfastError, isHoldfastError } from '../../core/errors.js';

/**
 * Errors that are not faults of the SQL. DuckDB's Node.js binding reports the kind of an error only as the
 * first words of its message (`Out of Memory Error: ...`), which DuckDB derives from the kind's name.
 */
const NOT_OF_THE_SQL = /^(Out of Memory|IO|INTERNAL|FATAL|Interrupt|HTTP) Error:/i;

/** DuckDB's message under a code of Holdfast: the SQL is wrong, or running it failed. */
export function queryError(cause: unknown): HoldfastError {
  if (isHoldfastError(cause)) return cause;
  const message = describeError(cause)
    .replace(/^Failed to extract statements: /, '')
    // What follows DuckDB's own assertions.
    .replace(/\n\nStack Trace:[\s\S]*$/, '')
    // DuckDB's advice is about settings that are locked here.
    .replace(/\n+Possible solutions:[\s\S]*$/, '. Raise --memory-limit, or ask for less')
    .trimEnd();
  const code = NOT_OF_THE_SQL.test(message) ? 'QUERY_FAILED' : 'QUERY_INVALID';
  return new HoldfastError(code, message);
}

/** A text literal of SQL. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
