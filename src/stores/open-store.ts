import { defined } from '../core/defined.js';
import { HoldfastError } from '../core/errors.js';
import type { Store } from '../core/store.js';
import { DirectoryStore, type DirectoryStorePorts } from './directory/directory-store.js';
import { parseS3Options, type S3OptionTexts, type S3Options } from './s3/s3-options.js';

export type StorePorts = DirectoryStorePorts;

/** Names that belong into the AWS credential chain only. */
const CREDENTIALS = /key|secret|token|password|credential/i;

/**
 * Opens the store of a URI without contacting it.
 *
 * - `dir:PATH`: a folder; everything after `dir:` is the path, taken literally.
 * - `s3://bucket/prefix?endpoint=...&region=...`: see {@link S3Options} for the options; `options` overrides
 *   the query.
 *
 * Throws `STORE_UNKNOWN`, or `CONFIG_INVALID` with all faults together. Credentials in a URI are refused and
 * never repeated.
 */
export async function openStore(uri: string, options: S3OptionTexts, ports: StorePorts): Promise<Store> {
  if (uri.startsWith('dir:')) return openDirectory(uri.slice('dir:'.length), options, ports);
  if (uri.startsWith('s3:')) return openS3(uri, options, ports);
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(uri)?.[0] ?? 'no scheme';
  throw new HoldfastError('STORE_UNKNOWN', `no store understands ${scheme}, allowed: dir:PATH, s3://bucket`, {
    facts: { scheme },
  });
}

function openDirectory(path: string, options: S3OptionTexts, ports: StorePorts): Store {
  const faults: string[] = [];
  if (path === '') faults.push('dir: has no path, allowed: dir:PATH');
  if (path.includes('\0')) faults.push('the path holds a zero byte');
  if (/^~/.test(path)) faults.push(`the path begins with "~", which only a shell expands: write it out`);
  const given = Object.keys(options).filter((name) => options[name] !== undefined);
  if (given.length > 0) faults.push(`a folder has no options, given: ${given.join(', ')}`);
  refuse('dir:', faults);
  return new DirectoryStore(path, ports);
}

async function openS3(uri: string, options: S3OptionTexts, ports: StorePorts): Promise<Store> {
  const faults: string[] = [];
  const parsed = parseS3Uri(uri, options, faults);
  const ca = parsed.caFile === undefined ? undefined : await readCa(parsed.caFile, ports, faults);
  refuse('s3:', faults);
  // Loaded only now: a folder as a store needs none of the client's start-up time and memory.
  const { S3Store } = await import('./s3/s3-store.js');
  const store = new S3Store({ uri: describe(parsed), options: parsed, ...defined({ ca }) });
  await store.requireRegion();
  return store;
}

function parseS3Uri(uri: string, options: S3OptionTexts, faults: string[]): S3Options {
  const match = /^s3:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/.exec(uri);
  if (!match) faults.push('the URI is not of the form s3://bucket/prefix?option=value');
  const [authority, path, query] = [match?.[1] ?? '', match?.[2] ?? '', match?.[3] ?? ''];
  const texts: Record<string, string | number | boolean | undefined> = {};
  for (const [name, value] of [...new URLSearchParams(query), ...Object.entries(options)]) {
    if (value === undefined) continue;
    // Neither name nor value is shown: either may be the secret.
    if (CREDENTIALS.test(name)) faults.push(credentials('an option'));
    else texts[name] = value;
  }
  const at = authority.lastIndexOf('@');
  if (at >= 0) faults.push(credentials('the part before "@"'));
  return parseS3Options(authority.slice(at + 1), decodePrefix(path, faults), texts, faults);
}

function credentials(where: string): string {
  return `${where} looks like credentials; they come from the AWS credential chain alone (environment, profile, role)`;
}

function decodePrefix(path: string, faults: string[]): string {
  try {
    return decodeURIComponent(path);
  } catch {
    faults.push('the prefix has a "%" that is no percent-encoding');
    return '';
  }
}

async function readCa(path: string, ports: StorePorts, faults: string[]): Promise<string | undefined> {
  try {
    return await ports.fileSystem.readFile(path, 'utf8');
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

function refuse(what: string, faults: readonly string[]): void {
  if (faults.length === 0) return;
  throw new HoldfastError('CONFIG_INVALID', `store ${what} ${faults.join('; ')}`, { facts: { faults } });
}
