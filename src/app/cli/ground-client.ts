import { describeError, HoldfastError } from '../../core/errors.js';
import type { Invocation } from './command-definition.js';

const TIMEOUT_MS = 10_000;

/** A ground over HTTP. */
export interface GroundClient {
  /** Its address, with a slash at the end. */
  readonly base: string;
  readonly ask: AskGround;
}

/** Resolves with the JSON of the answer. Rejects with `GROUND_UNREACHABLE`, `GROUND_REFUSED` or `STATE_REFUSED`. */
export type AskGround = (method: 'GET' | 'POST', path: string, body?: object) => Promise<unknown>;

/** The options that have the address and the token. */
export interface GroundClientOptions {
  readonly url: 'ground' | 'url';
  readonly tokenFile: 'groundTokenFile' | 'tokenFile';
  /** Of one question. */
  readonly timeoutMs: number;
}

/** Throws `REQUEST_INVALID` if the file cannot be read. */
async function readToken(
  fs: Invocation['ports']['fs'],
  file: string,
  option: GroundClientOptions['tokenFile'],
): Promise<string> {
  try {
    return (await fs.readFile(file, 'utf8')).trim();
  } catch (cause) {
    const flag = option === 'tokenFile' ? 'token-file' : 'ground-token-file';
    const message = `--${flag} is "${file}", allowed: a file with a token: ${describeError(cause)}`;
    throw new HoldfastError('REQUEST_INVALID', message, { cause });
  }
}

const ofFetch: GroundClientOptions = {
  ...{ url: 'ground', tokenFile: 'groundTokenFile', timeoutMs: TIMEOUT_MS },
};

/** Throws `REQUEST_INVALID` for an address that is not allowed. */
export async function groundClient(
  { options, ports }: Invocation,
  { url: flag, tokenFile, timeoutMs } = ofFetch,
): Promise<GroundClient> {
  const url = String(options[flag]);
  if (!/^https?:\/\/[^/]/.test(url))
    throw new HoldfastError('REQUEST_INVALID', `--${flag} is "${url}", allowed: http(s)://...`);
  const file = options[tokenFile] as string | undefined;
  const token = file === undefined ? undefined : await readToken(ports.fs, file, tokenFile);
  const base = url.endsWith('/') ? url : `${url}/`;
  const ask: AskGround = async (method, path, body) => {
    let answer: Response;
    try {
      answer = await fetch(new URL(path, base), {
        method,
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (cause) {
      const why = describeError(cause);
      throw new HoldfastError('GROUND_UNREACHABLE', `${url} does not answer: ${why}`, { cause });
    }
    const said = (await answer.json().catch(() => ({}))) as { error?: { message?: string } };
    if (answer.ok) return said;
    const why = said.error?.message ?? `it answers ${path} with status ${answer.status}; is ${url} a ground?`;
    const code = answer.status === 401 || answer.status === 403 ? 'GROUND_REFUSED' : 'STATE_REFUSED';
    throw new HoldfastError(code, `the ground refuses it: ${why}`, { facts: { status: answer.status } });
  };
  return { base, ask };
}
