import { systemCode } from '../core/errors.js';

export interface PortChoice {
  /** The first port that is tried; 0: any free one. */
  readonly port: number;
  /** Number of ports that are tried, one after the other. */
  readonly tries: number;
  /** Ports of other servers, even while they do not listen. */
  readonly avoid?: ReadonlySet<number>;
}

/**
 * Calls `listen` with successive ports until one is free; resolves with its result. Rejects with the last
 * error if all are taken, or at once on an error that another port would not avoid.
 */
export async function listenOnFreePort<T>(
  choice: PortChoice,
  listen: (port: number) => Promise<T>,
): Promise<T> {
  const { port: first, tries, avoid } = choice;
  let last: unknown;
  for (let port = first, left = tries; left > 0 && port <= 65_535; port++) {
    if (avoid?.has(port)) continue;
    left--;
    try {
      return await listen(port);
    } catch (error) {
      last = error;
      const code = systemCode(error);
      if (first === 0 || (code !== 'EADDRINUSE' && code !== 'EACCES')) throw error;
    }
  }
  throw (last as Error | undefined) ?? new Error(`no port from ${first} on can be used`);
}
