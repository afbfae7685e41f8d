import { defined } from '../../core/defined.js';
import { cleanPrefix } from '../bucket-uri.js';
import { checkEndpoint, OptionReader, showValue, type StoreOptionTexts } from '../option-reader.js';

/** Access tiers that can be read at any time; the archive tier cannot. */
export const azureTiers = ['hot', 'cool', 'cold'] as const;
export type AzureTier = (typeof azureTiers)[number];

/** All options of an Azure store except the credentials, which come from the environment only. */
export interface AzureOptions {
  readonly account: string;
  readonly container: string;
  /** All keys lie below it, without leading or trailing slash; empty: the container's root. */
  readonly prefix: string;
  /** Address of the blob service, with the account in its path if it has no host of its own. */
  readonly endpoint?: string;
  /** Access tier of new objects. Absent: the default of the account. */
  readonly tier?: AzureTier;
  /** Milliseconds without any byte moved until a call fails. Default 60,000, limits 100 to 3,600,000. */
  readonly timeoutMs: number;
}

/** Names of the options, as in the query of a URI. */
export const azureOptionNames = ['endpoint', 'tier', 'timeout_ms'] as const;

export const AZURE_CREDENTIALS =
  'they come from AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN alone';

const ACCOUNT = /^[a-z0-9]{3,24}$/;
const CONTAINER = /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/;
const ENDPOINT = 'http(s)://host[:port][/account]';

/**
 * Parses all options and collects every fault; the result is valid only if there are none.
 *
 * @param path - Container and prefix.
 */
export function parseAzureOptions(
  account: string,
  path: string,
  texts: StoreOptionTexts,
  faults: string[],
): AzureOptions {
  const read = new OptionReader(texts, azureOptionNames, faults);
  const [container = '', ...rest] = path.replace(/^\//, '').split('/');
  if (!ACCOUNT.test(account)) {
    faults.push(`account is ${showValue(account)}, allowed: 3 to 24 lower-case letters and digits`);
  }
  if (!CONTAINER.test(container)) {
    const allowed = '3 to 63 lower-case letters, digits and single "-" between them';
    faults.push(`container is ${showValue(container)}, allowed: ${allowed}`);
  }
  const endpoint = read.text('endpoint');
  if (endpoint !== undefined) checkEndpoint(endpoint, ENDPOINT, AZURE_CREDENTIALS, faults);
  return {
    account,
    container,
    prefix: cleanPrefix(rest.join('/'), faults),
    timeoutMs: read.count('timeout_ms', 60_000, 100, 3_600_000),
    ...defined({ endpoint: endpoint?.replace(/\/+$/, ''), tier: read.choice('tier', azureTiers) }),
  };
}

/** The URI as status and errors show it: it identifies the store. */
export function describeAzure({ account, container, prefix, endpoint }: AzureOptions): string {
  const path = prefix === '' ? container : `${container}/${prefix}`;
  return `azure://${account}/${path}${endpoint === undefined ? '' : `?endpoint=${endpoint}`}`;
}
