import { cleanPrefix } from '../bucket-uri.js';
import { OptionReader, showValue, type StoreOptionTexts } from '../option-reader.js';

/** All options of an SFTP store except the credentials, which come from the environment only. */
export interface SftpOptions {
  readonly host: string;
  readonly port: number;
  /** Absolute path of the folder on the server. */
  readonly path: string;
  readonly user: string;
  /** Fingerprints of the keys that the server may have, `SHA256:` and base64. At least one. */
  readonly hostKeys: readonly string[];
  /** Milliseconds until a call without an answer fails. Default 60,000, limits 100 to 3,600,000. */
  readonly timeoutMs: number;
}

/** Names of the options, as in the query of a URI. */
export const sftpOptionNames = ['user', 'host_key', 'timeout_ms'] as const;

export const SFTP_CREDENTIALS = 'they come from SFTP_KEY_FILE, SFTP_PASSWORD or SSH_AUTH_SOCK alone';
export const SFTP_FORM = 'sftp://host[:port]/path?user=NAME&host_key=SHA256:...';

const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;
const USER = /^[A-Za-z0-9._@\\-]{1,255}$/;
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;
const DEFAULT_PORT = 22;

/** Parses all options and collects every fault; the result is valid only if there are none. */
export function parseSftpOptions(
  authority: string,
  path: string,
  texts: StoreOptionTexts,
  faults: string[],
): SftpOptions {
  const read = new OptionReader(texts, sftpOptionNames, faults);
  const match = AUTHORITY.exec(authority);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (!match || port < 1 || port > 65_535) {
    faults.push(`host is ${showValue(authority)}, allowed: a name or an address, and :port`);
  }
  const clean = cleanPrefix(path, faults);
  if (clean === '') faults.push('the path is empty, allowed: the absolute path of a folder on the server');
  const user = read.text('user');
  if (user === undefined || !USER.test(user)) {
    faults.push(`user is ${showValue(user ?? '')}, allowed: the name of a user of the server`);
  }
  // A "+" in a query is a space.
  const hostKeys = (read.text('host_key') ?? '').replaceAll(' ', '+').split(',');
  const wrong = hostKeys.find((one) => !FINGERPRINT.test(one));
  if (wrong !== undefined) {
    faults.push(
      `host_key is ${showValue(wrong)}, allowed: fingerprints as ssh-keygen -lf shows them, SHA256:..., ` +
        'with commas between them',
    );
  }
  return {
    ...{ host: match?.[1] ?? match?.[2] ?? '', port, path: `/${clean}`, user: user ?? '', hostKeys },
    timeoutMs: read.count('timeout_ms', 60_000, 100, 3_600_000),
  };
}

/** The URI as status and errors show it: it identifies the store. */
export function describeSftp({ host, port, path }: SftpOptions): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return `sftp://${name}${port === DEFAULT_PORT ? '' : `:${port}`}${path}`;
}
