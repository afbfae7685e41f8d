import { storedToken } from '../net/token.js';

const TIMEOUT_MS = 10_000;

/** What the ground answers to a question: the JSON, or in words why not, and the status of HTTP if there is one. */
export type Answer<T> = { readonly value: T } | { readonly why: string; readonly status?: number };

/** Asks the ground. Never rejects. */
export async function ask<T>(path: string): Promise<Answer<T>> {
  const token = storedToken();
  try {
    const answer = await fetch(path, {
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      cache: 'no-store',
    });
    if (answer.ok) return { value: (await answer.json()) as T };
    const { error } = (await answer.json()) as { error?: { message?: string } };
    return { why: error?.message ?? `the ground answered ${answer.status}`, status: answer.status };
  } catch {
    return { why: 'the ground could not be reached' };
  }
}
