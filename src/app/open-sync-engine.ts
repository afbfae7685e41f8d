import type { Store } from '../core/store.js';
import { SyncEngine } from '../sync/sync-engine.js';
import type { SyncSettings } from './parameters/sync-settings.js';
import type { SystemPorts } from './system/ports.js';
import { version } from './system/version.js';

/** The engine of this process for a data folder. Throws what {@link SyncEngine.open} throws. */
export function openSyncEngine(
  { data, options }: Pick<SyncSettings, 'data' | 'options'>,
  store: Store,
  { fs, clock, random, logger }: SystemPorts,
): Promise<SyncEngine> {
  return SyncEngine.open({
    dataFolder: data,
    store,
    fs,
    clock,
    random,
    logger,
    version,
    pid: process.pid,
    options,
  });
}
