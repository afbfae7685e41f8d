import { defined } from '../../core/defined.js';
import type { SyncSetup } from './prepare-sync.js';
import { SyncFolders, type SyncFoldersPorts } from './sync-folders.js';
import { HostNetwork } from '../../host/network/host-network.js';
import { KernelNetwork } from '../../host/network/kernel-network.js';
import { SystemBus } from '../../host/network/system-bus.js';
import type { SystemPorts } from '../../host/ports.js';

/** This process as the sync of its data folders. Throws the errors of {@link SyncFolders.open}. */
export function openSync(
  { settings, sinks }: SyncSetup,
  { fs, clock, random, logger }: SystemPorts,
  listen: SyncFoldersPorts['listen'],
  only?: ReadonlySet<string>,
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
    network: new HostNetwork(
      new KernelNetwork(fs),
      new SystemBus(process.env['DBUS_SYSTEM_BUS_ADDRESS']),
      clock,
    ),
    listen,
    ...defined({ only }),
  });
}
