import { HoldfastError } from '../core/errors.js';

const PATTERN = /^[0-9a-f]{32}$/;

/** A larger file is not an id object. */
export const ID_MAX_BYTES = 64;

/** The id inside an id object. Throws `STORE_MISMATCH` if it holds anything else. */
export function parseStoreId(content: string, uri: string): string {
  const id = content.trim();
  if (!PATTERN.test(id)) {
    throw new HoldfastError(
      'STORE_MISMATCH',
      `the id object of ${uri} holds ${JSON.stringify(id.slice(0, 40))} instead of 32 hex digits`,
      { facts: { uri } },
    );
  }
  return id;
}

/** Prevents writing an id that could not be read again. */
export function checkStoreId(id: string): void {
  if (!PATTERN.test(id)) {
    throw new HoldfastError('INTERNAL', `store id ${JSON.stringify(id)} is not 32 hex digits`);
  }
}
