import { HoldfastError } from '../core/errors.js';

/** Throws `CONFIG_INVALID` with all faults of a store's URI, if there are any. */
export function refuseFaults(what: string, faults: readonly string[]): void {
  if (faults.length === 0) return;
  throw new HoldfastError('CONFIG_INVALID', `store ${what} ${faults.join('; ')}`, { facts: { faults } });
}
