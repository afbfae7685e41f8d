import { defined } from '../../core/defined.js';

/** Environment variables, as of a process. */
export type AzureEnvironment = Readonly<Record<string, string | undefined>>;

/** What signs the requests, and where the account is. */
export interface AzureAccess {
  /** Address of the blob service of the account. */
  readonly endpoint: string;
  /** Base64. */
  readonly accountKey?: string;
  /** A shared access signature, without the question mark. */
  readonly signature?: string;
}

const NAMES = 'AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN';

/**
 * The access to an account from the variables that Azure's own command line reads, in its order: connection
 * string, key, shared access signature. Collects faults, which never show a value.
 *
 * @param endpoint - As the URI gives it; otherwise that of the connection string, or Azure's own.
 */
export function azureAccess(
  account: string,
  endpoint: string | undefined,
  env: AzureEnvironment,
  faults: string[],
): AzureAccess {
  const fromText = parseConnectionString(env['AZURE_STORAGE_CONNECTION_STRING'] ?? '');
  const named = fromText.get('AccountName') ?? env['AZURE_STORAGE_ACCOUNT'];
  if (named !== undefined && named !== '' && named !== account) {
    faults.push(`the environment has the credentials of another account than ${account}`);
  }
  const has = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
  const isString = fromText.size > 0;
  const accountKey = has(isString ? fromText.get('AccountKey') : env['AZURE_STORAGE_KEY']);
  const signature = has(
    isString ? fromText.get('SharedAccessSignature') : env['AZURE_STORAGE_SAS_TOKEN'],
  )?.replace(/^\?/, '');
  const where = endpoint ?? serviceOf(account, fromText);
  if (accountKey === undefined && signature === undefined) faults.push(`no credentials: set ${NAMES}`);
  if (accountKey !== undefined && !/^[A-Za-z0-9+/]+={0,2}$/.test(accountKey)) {
    faults.push('the account key is not Base64');
  }
  if (accountKey === undefined && signature !== undefined && isOpenToRead(where)) {
    faults.push('an http endpoint would show the shared access signature to everybody on the way: use https');
  }
  // One of them: a key can do all that a signature can.
  return { endpoint: where, ...(accountKey === undefined ? defined({ signature }) : { accountKey }) };
}

/** `Name=value;...`; a value may hold equals signs. */
function parseConnectionString(text: string): ReadonlyMap<string, string> {
  const pairs = text.split(';').flatMap((part): [string, string][] => {
    const at = part.indexOf('=');
    return at < 1 ? [] : [[part.slice(0, at).trim(), part.slice(at + 1).trim()]];
  });
  return new Map(pairs);
}

function serviceOf(account: string, given: ReadonlyMap<string, string>): string {
  const blob = given.get('BlobEndpoint')?.replace(/\/+$/, '');
  if (blob !== undefined) return blob;
  const protocol = given.get('DefaultEndpointsProtocol') ?? 'https';
  return `${protocol}://${account}.blob.${given.get('EndpointSuffix') ?? 'core.windows.net'}`;
}

function isOpenToRead(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { protocol, hostname } = new URL(endpoint);
  return protocol === 'http:' && !/^(localhost|127\..*|\[::1\])$/.test(hostname);
}
