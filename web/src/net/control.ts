import { serverName } from './feed.js';
import { storedToken } from './token.js';

/** The server's answer to a request: done, or the reason why not, in words. */
export type Outcome =
  { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly why: string };

const TIMEOUT_MS = 60_000;

/** Asks the recorder to do something. Never rejects. */
export function control(action: string, body: unknown = {}): Promise<Outcome> {
  return post(`control/${action}`, body);
}

/** Asks the server to do something. Never rejects. */
export async function post(path: string, body: unknown): Promise<Outcome> {
  const token = storedToken();
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      cache: 'no-store',
    });
    const text = await answer.text();
    const parsed: unknown = text === '' ? undefined : JSON.parse(text);
    return answer.ok ? { ok: true, result: parsed } : { ok: false, why: reasonOf(parsed, answer.status) };
  } catch (error) {
    const timedOut = error instanceof DOMException && error.name === 'TimeoutError';
    return {
      ok: false,
      why: timedOut ? 'no answer within a minute' : `the ${serverName()} could not be reached`,
    };
  }
}

function reasonOf(body: unknown, statusCode: number): string {
  const error = (body as { error?: unknown } | undefined)?.error;
  const message = (error as { message?: unknown } | undefined)?.message;
  if (typeof message === 'string') return message;
  const plain = (body as { message?: unknown } | undefined)?.message;
  if (typeof plain === 'string') return plain;
  if (statusCode === 401) return 'a token is needed';
  if (statusCode === 403) return 'this token is read-only';
  return `the ${serverName()} answered ${statusCode}`;
}
