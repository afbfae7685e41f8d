import { describeError, HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { INFLUX_TOKEN } from './influx-options.js';

/** A scheme that the server may want instead of `Token`. */
const SCHEME = /^(Basic|Bearer|Token) /;
const PRINTABLE = /^[\x20-\x7e]{1,4096}$/;

/**
 * The value of the header `Authorization`: the token with `Token` before it, unless it names a scheme itself.
 * Undefined if no token is set. The file is read each time, so that a token can be replaced. Throws
 * `STORE_ACCESS_DENIED` for a file that cannot be read or holds no token; the token is never part of the message.
 */
export async function readAuthorization(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  fs: Pick<FileSystem, 'readFile'>,
): Promise<string | undefined> {
  const token = file === undefined ? (environment[INFLUX_TOKEN] ?? '') : await readToken(file, fs);
  const text = token.trim();
  if (text === '' && file === undefined) return undefined;
  const where = file === undefined ? INFLUX_TOKEN : `token_file ${file}`;
  if (!PRINTABLE.test(text)) throw denied(`${where} holds no token: one line of at most 4,096 characters`);
  return SCHEME.test(text) ? text : `Token ${text}`;
}

async function readToken(file: string, fs: Pick<FileSystem, 'readFile'>): Promise<string> {
  try {
    return (await fs.readFile(file)).toString('utf8');
  } catch (error) {
    throw denied(`token_file ${file} cannot be read: ${describeError(error)}`);
  }
}

function denied(message: string): HoldfastError {
  return new HoldfastError('STORE_ACCESS_DENIED', message);
}
