import type { Clock } from '../../core/clock.js';

/** The result of a call of the client, which may never settle. Throws with the name of the call after `ms` milliseconds. */
export async function within<T>(
  clock: Pick<Clock, 'sleep'>,
  ms: number,
  what: string,
  call: Promise<T>,
): Promise<T> {
  const patience = new AbortController();
  call.catch(() => undefined);
  const late = clock.sleep(ms, patience.signal).then(
    () => {
      throw new Error(`${what}: no answer within ${Math.round(ms / 1_000)} s`);
    },
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([call, late]);
  } finally {
    patience.abort();
  }
}
