import type { Clock } from '../../core/clock.js';
import type { RandomBytes } from '../../core/identity.js';
import type { Store } from '../../core/store.js';
import { parseBucketUri } from '../bucket-uri.js';
import type { StoreOptionTexts } from '../option-reader.js';
import { refuseFaults } from '../refuse-faults.js';
import { azureAccess, type AzureEnvironment } from './azure-credentials.js';
import { loadAzure } from './azure-library.js';
import { AZURE_CREDENTIALS, describeAzure, parseAzureOptions } from './azure-options.js';

export interface AzureStorePorts {
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Where credentials are. Absent: there are none. */
  readonly environment?: AzureEnvironment;
}

const RULES = { form: 'azure://account/container/prefix', credentials: AZURE_CREDENTIALS } as const;

/**
 * Opens the container of an `azure:` URI without contacting it. Throws `CONFIG_INVALID` with all faults
 * together, and `STORE_UNAVAILABLE`.
 */
export async function openAzure(
  uri: string,
  given: StoreOptionTexts,
  { clock, random, environment = {} }: AzureStorePorts,
): Promise<Store> {
  const faults: string[] = [];
  const { authority, path, texts } = parseBucketUri(uri, given, RULES, faults);
  const options = parseAzureOptions(authority, path, texts, faults);
  const access = azureAccess(options.account, options.endpoint, environment, faults);
  refuseFaults('azure:', faults);
  const library = await loadAzure();
  // Loaded only now, as the client.
  const { AzureStore } = await import('./azure-store.js');
  return new AzureStore({ uri: describeAzure(options), options, access, library, clock, random });
}
