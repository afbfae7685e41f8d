import assert from 'node:assert/strict';

type Tuple<T, N extends number, Found extends T[] = []> = Found['length'] extends N
  ? Found
  : Tuple<T, N, [...Found, T]>;

/**
 * The first `count` elements of a list that a test knows to have as many, as a tuple to take apart:
 * `const [first, second] = firstOf(2, segments)`. Fails if there are fewer, if one of them is `undefined` (as
 * an optional group of a match may be), or if there is no list (as of a pattern that did not match).
 */
export function firstOf<T, const N extends number>(
  count: N,
  list: Iterable<T> | null,
): Tuple<NonNullable<T>, N> {
  const all = [...(list ?? [])];
  const found = all.slice(0, count).filter((one) => one !== undefined && one !== null);
  assert.equal(found.length, count, `${found.length} of ${count} elements, in a list of ${all.length}`);
  return found as Tuple<NonNullable<T>, N>;
}
