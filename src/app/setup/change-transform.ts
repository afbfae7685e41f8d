import { HoldfastError } from '../../core/errors.js';
import type { TransformRule } from '../../core/transform/rule.js';
import { show } from '../../settings/fault.js';
import { parameterNamed } from '../../settings/parameter-table.js';
import type { SyncSetup } from './prepare-sync.js';
import type { SyncFolders } from './sync-folders.js';

/**
 * Sets `sync.transform` while sync runs, and tries the segments again to which the rules so far could not be applied.
 * Throws `REQUEST_INVALID` for rules of another form, and `STATE_REFUSED` with the reason.
 */
export function changeTransform(
  given: unknown,
  setup: Pick<SyncSetup, 'changeTransform'>,
  sync: Pick<SyncFolders, 'transformChanged'>,
): void {
  const row = parameterNamed('sync.transform');
  const rules = row.parse(given) as readonly TransformRule[] | undefined;
  if (rules === undefined) {
    throw new HoldfastError('REQUEST_INVALID', `sync.transform is ${show(given)}; allowed: ${row.allowed}`);
  }
  setup.changeTransform(rules);
  sync.transformChanged();
}
