import { isHoldfastError } from '../../core/errors.js';

const UNIQUE_VIOLATION = '23505';

/** Whether a statement failed because a row is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return isHoldfastError(error, 'GROUND_DATABASE_FAILED') && error.facts['sqlState'] === UNIQUE_VIOLATION;
}
