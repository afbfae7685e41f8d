import { defined } from '../../core/defined.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Store } from '../../core/store.js';
import { parseBucketUri } from '../bucket-uri.js';
import type { StoreOptionTexts } from '../option-reader.js';
import { refuseFaults } from '../refuse-faults.js';
import { parseS3Options, type S3Options } from './s3-options.js';

const RULES = {
  form: 's3://bucket/prefix',
  credentials: 'they come from the AWS credential chain alone (environment, profile, role)',
  // It names a key and does not contain it.
  harmless: ['sse_kms_key_id'],
} as const;

/** Opens the bucket of an `s3:` URI without contacting it. Throws `CONFIG_INVALID` with all faults together. */
export async function openS3(
  uri: string,
  options: StoreOptionTexts,
  ports: { readonly fileSystem: Pick<FileSystem, 'readFile'> },
): Promise<Store> {
  const faults: string[] = [];
  const { authority, path, texts } = parseBucketUri(uri, options, RULES, faults);
  const parsed = parseS3Options(authority, path, texts, faults);
  const ca = parsed.caFile === undefined ? undefined : await readCa(parsed.caFile, ports.fileSystem, faults);
  refuseFaults('s3:', faults);
  // Loaded only now: a folder as a store needs none of the client's start-up time and memory.
  const { S3Store } = await import('./s3-store.js');
  const store = new S3Store({ uri: describe(parsed), options: parsed, ...defined({ ca }) });
  await store.requireRegion();
  return store;
}

async function readCa(
  path: string,
  fileSystem: Pick<FileSystem, 'readFile'>,
  faults: string[],
): Promise<string | undefined> {
  try {
    return await fileSystem.readFile(path, 'utf8');
  } catch (error) {
    faults.push(`ca_file ${JSON.stringify(path)} cannot be read (${(error as Error).message})`);
    return undefined;
  }
}

/** The URI as status and errors show it: it identifies the store. */
function describe({ bucket, prefix, endpoint, region }: S3Options): string {
  const query = [
    ...(endpoint === undefined ? [] : [`endpoint=${endpoint}`]),
    ...(region === undefined ? [] : [`region=${region}`]),
  ];
  return `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}${query.length > 0 ? `?${query.join('&')}` : ''}`;
}
