import { HoldfastError } from '../core/errors.js';
import type { Store } from '../core/store.js';
import { STORE_FORMS } from '../core/store-uri.js';
import { openAzure, type AzureStorePorts } from './azure/open-azure.js';
import { DirectoryStore, type DirectoryStorePorts } from './directory/directory-store.js';
import type { StoreOptionTexts } from './option-reader.js';
import { refuseFaults } from './refuse-faults.js';
import { openS3 } from './s3/open-s3.js';
import { openSftp } from './sftp/open-sftp.js';

export type StorePorts = DirectoryStorePorts & AzureStorePorts;

/**
 * Opens the store of a URI without contacting it.
 *
 * - `dir:PATH`: a folder; everything after `dir:` is the path, taken literally.
 * - `s3://bucket/prefix?endpoint=...&region=...`: the options are those of `S3Options`.
 * - `azure://account/container/prefix?tier=...`: the options are those of `AzureOptions`.
 * - `sftp://host:port/path?user=...&host_key=...`: the options are those of `SftpOptions`.
 *
 * `options` overrides the query. Throws `STORE_UNKNOWN`, `STORE_UNAVAILABLE` if the client of an optional
 * store is not installed, or `CONFIG_INVALID` with all faults together. Credentials in a URI are refused and
 * never repeated.
 */
export async function openStore(uri: string, options: StoreOptionTexts, ports: StorePorts): Promise<Store> {
  if (uri.startsWith('dir:')) return openDirectory(uri.slice('dir:'.length), options, ports);
  if (uri.startsWith('s3:')) return openS3(uri, options, ports);
  if (uri.startsWith('azure:')) return openAzure(uri, options, ports);
  if (uri.startsWith('sftp:')) return openSftp(uri, options, ports);
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(uri)?.[0] ?? 'no scheme';
  throw new HoldfastError('STORE_UNKNOWN', `no store understands ${scheme}, allowed: ${STORE_FORMS}`, {
    facts: { scheme },
  });
}

function openDirectory(path: string, options: StoreOptionTexts, ports: StorePorts): Store {
  const faults: string[] = [];
  if (path === '') faults.push('dir: has no path, allowed: dir:PATH');
  if (path.includes('\0')) faults.push('the path holds a zero byte');
  if (/^~/.test(path)) faults.push(`the path begins with "~", which only a shell expands: write it out`);
  const given = Object.keys(options).filter((name) => options[name] !== undefined);
  if (given.length > 0) faults.push(`a folder has no options, given: ${given.join(', ')}`);
  refuseFaults('dir:', faults);
  return new DirectoryStore(path, ports);
}
