import { describeError, isHoldfastError } from '../../core/errors.js';
import type { Store } from '../../core/store.js';
import type { ConfigFault } from '../parameters/fault.js';
import type { Resolved } from '../parameters/resolve.js';
import { compileSyncSettings, type SyncSettings } from '../parameters/sync-settings.js';
import type { SystemPorts } from '../system/ports.js';
import { openConfiguredStore } from './open-configured-store.js';

export interface SyncSetup {
  readonly settings: SyncSettings;
  /** Not contacted yet; the caller's to dispose. */
  readonly store: Store;
}

/**
 * Sync's settings and its store. What is wrong with the store's URI is reported together with everything
 * else: throws `CONFIG_INVALID`.
 */
export async function prepareSync(resolved: Resolved, ports: SystemPorts): Promise<SyncSetup> {
  const uri = resolved.values['store.uri'];
  const faults: ConfigFault[] = [...resolved.faults];
  let store: Store | undefined;
  if (uri !== '') {
    try {
      store = await openConfiguredStore(uri, resolved, ports);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      // The URI is not repeated: it may hold a secret, and the message says what is wrong with it.
      const allowed = describeError(error);
      faults.push({ where: resolved.origin['store.uri'], path: 'store.uri', value: undefined, allowed });
    }
  }
  try {
    const settings = compileSyncSettings({ ...resolved, faults });
    if (store !== undefined) return { settings, store };
    throw new Error('without a store there was a fault');
  } catch (error) {
    await store?.[Symbol.asyncDispose]();
    throw error;
  }
}
