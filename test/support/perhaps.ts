/**
 * A `let` of a suite in its `after`, which also runs if a hook before it failed or skipped the suite: TypeScript
 * takes the variable for set. `await perhaps(server)?.stop()`.
 */
export function perhaps<T>(value: T): T | undefined {
  return value;
}
