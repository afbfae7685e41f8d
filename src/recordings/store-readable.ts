import { readAhead, shortRead, type Readable } from '../core/mcap/readable.js';
import type { Store } from '../core/store.js';

/** How much more than requested is read from a store: a request costs as much as some hundred kilobytes. */
export const STORE_READ_AHEAD_BYTES = 4 * 1024 * 1024;

/**
 * An object of a store, read by ranges. Holds one window of `readAheadBytes`.
 *
 * @param bytes the object's size, from the listing or its head
 */
export function storeReadable(
  store: Store,
  key: string,
  bytes: number,
  options: { readonly readAheadBytes?: number; readonly signal?: AbortSignal } = {},
): Readable {
  const { readAheadBytes = STORE_READ_AHEAD_BYTES, signal } = options;
  const ranged: Readable = {
    size: () => Promise.resolve(BigInt(bytes)),
    async read(offset, size) {
      const whole = Buffer.allocUnsafeSlow(Number(size));
      let at = 0;
      const range = { start: Number(offset), end: Number(offset + size) };
      if (size > 0n) {
        for await (const part of store.read(key, range, signal === undefined ? {} : { signal })) {
          const fits = part.subarray(0, whole.byteLength - at);
          whole.set(fits, at);
          at += fits.byteLength;
          if (at >= whole.byteLength) break;
        }
      }
      if (at < whole.byteLength) throw shortRead(key, offset, size, at);
      return whole;
    },
  };
  return readAheadBytes > 0 ? readAhead(ranged, readAheadBytes) : ranged;
}

/** A small object as a whole; undefined if it does not exist, or is larger than `maxBytes`. */
export async function readSmallObject(
  store: Store,
  key: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const options = signal === undefined ? {} : { signal };
  return storeReadable(store, key, bytes, { ...options, readAheadBytes: 0 }).read(0n, BigInt(bytes));
}
