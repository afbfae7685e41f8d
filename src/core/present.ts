import { HoldfastError } from './errors.js';

/**
 * Returns a value that the surrounding code guarantees. Throws `INTERNAL` if it is missing. Unlike `value!`,
 * which fails later and elsewhere, it also checks at run time.
 */
export function present<T>(value: T): NonNullable<T> {
  if (value === undefined || value === null)
    throw new HoldfastError('INTERNAL', 'a value that must be set is missing');
  return value;
}
