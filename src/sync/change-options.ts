import { HoldfastError } from '../core/errors.js';
import { liveSyncOptions, parseSyncOptions, type SyncOptions } from './sync-options.js';

export interface ChangedOptions {
  readonly options: SyncOptions;
  /** Names of those whose values differ. */
  readonly changed: readonly (keyof SyncOptions)[];
}

/**
 * The options of a running engine with the given ones in place of theirs. Throws `CONFIG_INVALID`, or
 * `STATE_REFUSED` if a fixed option would change (all except {@link liveSyncOptions}).
 */
export function changeOptions(before: SyncOptions, given: Partial<SyncOptions>): ChangedOptions {
  const options = parseSyncOptions({ ...before, ...given });
  const names = Object.keys(options) as (keyof SyncOptions)[];
  const changed = names.filter((name) => options[name] !== before[name]);
  const live: readonly (keyof SyncOptions)[] = liveSyncOptions;
  const fixed = changed.filter((name) => !live.includes(name));
  if (fixed.length > 0) {
    throw new HoldfastError('STATE_REFUSED', `fixed while sync runs: ${fixed.join(', ')}`, {
      facts: { fixed },
    });
  }
  return { options, changed };
}
