import { describeError, HoldfastError } from './errors.js';

export interface OptionalPackage {
  /** Its name in npm. */
  readonly name: string;
  /** What it is for, as in "the client of Kafka". */
  readonly what: string;
  /** The code of the error if it cannot be loaded. */
  readonly code: 'QUERY_UNAVAILABLE' | 'STORE_UNAVAILABLE';
}

/** Loads an optional dependency of npm. Throws an error that says how to install it if it cannot be loaded. */
export async function loadOptional<T>(
  { name, what, code }: OptionalPackage,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const [reason] = describeError(cause).split('\n');
    throw new HoldfastError(code, `${what} cannot be loaded (npm install ${name}): ${reason}`, {
      facts: { reason },
    });
  }
}
