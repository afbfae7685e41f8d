import { systemCode } from '../core/errors.js';

export interface PortChoice {
  /** The first port that is tried; 0: any free one. */
  readonly port: number;
  /** How many are tried, one after the other. */
  readonly tries: number;
  /** Ports that are another's, even while nobody listens on them. */
  readonly avoid?: ReadonlySet<number>;
}

/**
 * Calls `listen` with one port after the other until one is free; resolves with what `listen` gave. Rejects
 * with the last error where all are taken, or at once on an error that another port would not cure.
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
  throw last ?? new Error(`no port from ${first} on can be used`);
}
