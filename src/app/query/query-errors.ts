import { describeError, HoldfastError, isHoldfastError } from '../../core/errors.js';

/**
 * What is not the fault of the SQL. DuckDB's Node.js binding gives the kind of an error only as the first words of its
 * message (`Out of Memory Error: ...`), which DuckDB makes from the kind's name.
 */
const NOT_OF_THE_SQL = /^(Out of Memory|IO|INTERNAL|FATAL|Interrupt|HTTP) Error:/i;

/** DuckDB's words under a code of ours: the SQL is wrong, or running it failed. */
export function queryError(cause: unknown): HoldfastError {
  if (isHoldfastError(cause)) return cause;
  const message = describeError(cause)
    .replace(/^Failed to extract statements: /, '')
    // What follows an assertion of DuckDB's own.
    .replace(/\n\nStack Trace:[\s\S]*$/, '')
    .trimEnd();
  const code = NOT_OF_THE_SQL.test(message) ? 'QUERY_FAILED' : 'QUERY_INVALID';
  return new HoldfastError(code, message);
}

/** A text literal of SQL. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
