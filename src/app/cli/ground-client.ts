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

/** Throws `REQUEST_INVALID` for an address that is not allowed. */
export async function groundClient({ options, ports }: Invocation): Promise<GroundClient> {
  const url = String(options['ground']);
  if (!/^https?:\/\/[^/]/.test(url))
    throw new HoldfastError('REQUEST_INVALID', `--ground is "${url}", allowed: http(s)://...`);
  const file = options['groundTokenFile'] as string | undefined;
  const token = file === undefined ? undefined : (await ports.fs.readFile(file, 'utf8')).trim();
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
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      const why = describeError(cause);
      throw new HoldfastError('GROUND_UNREACHABLE', `${url} does not answer: ${why}`, { cause });
    }
    const said = (await answer.json().catch(() => ({}))) as { error?: { message?: string } };
    if (answer.ok) return said;
    const why = said.error?.message ?? `status ${answer.status}`;
    const code = answer.status === 401 || answer.status === 403 ? 'GROUND_REFUSED' : 'STATE_REFUSED';
    throw new HoldfastError(code, `the ground refuses it: ${why}`, { facts: { status: answer.status } });
  };
  return { base, ask };
}
