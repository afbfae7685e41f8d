import type { Store } from '../../core/store.js';
import { s3OptionTexts } from '../../settings/sync-settings.js';
import type { Resolved } from '../../settings/resolve.js';
import { storePorts } from '../../host/store-ports.js';
import type { SystemPorts } from '../../host/ports.js';

/** The store of a URI, with the `s3.` parameters if it is an S3 store. Nothing is contacted yet. */
export async function openConfiguredStore(
  uri: string,
  resolved: Resolved,
  ports: SystemPorts,
): Promise<Store> {
  const { openStore } = await import('../../stores/open-store.js');
  return openStore(uri, s3OptionTexts(resolved, uri), storePorts(ports));
}
