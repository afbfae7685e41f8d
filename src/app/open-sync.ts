import type { SyncSetup } from './cli/prepare-sync.js';
import { SyncFolders, type SyncFoldersPorts } from './sync-folders.js';
import type { SystemPorts } from './system/ports.js';

/** This process as the sync of its data folders. Throws what {@link SyncFolders.open} throws. */
export function openSync(
  { settings, sinks }: SyncSetup,
  { fs, clock, random, logger }: SystemPorts,
  listen: SyncFoldersPorts['listen'],
): Promise<SyncFolders> {
  const { data, moreData, options } = settings;
  return SyncFolders.open({
    folders: [data, ...moreData],
    sinks,
    options,
    fs,
    clock,
    random,
    logger,
    listen,
  });
}
