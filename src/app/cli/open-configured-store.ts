import type { Store } from '../../core/store.js';
import { s3OptionTexts } from '../parameters/sync-settings.js';
import type { Resolved } from '../parameters/resolve.js';
import type { SystemPorts } from '../system/ports.js';

/** The store behind a URI, with the `s3.` parameters where it is one. Nothing is contacted yet. */
export async function openConfiguredStore(
  uri: string,
  resolved: Resolved,
  ports: SystemPorts,
): Promise<Store> {
  const { openStore } = await import('../../stores/open-store.js');
  const { fs, clock, random } = ports;
  return openStore(uri, s3OptionTexts(resolved, uri), { fileSystem: fs, clock, random });
}
