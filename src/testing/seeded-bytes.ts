import type { RandomBytes } from '../core/identity.js';

/**
 * Random bytes for tests: different at every call, the same in every run, and stable for ever, because golden
 * files are made of them. For numbers use `Random` of `core/random.ts`.
 */
export function seededBytes(seed = 1): RandomBytes {
  let state = seed >>> 0;
  return (size) => {
    const bytes = Buffer.allocUnsafe(size);
    for (let i = 0; i < size; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      bytes[i] = state >>> 24;
    }
    return bytes;
  };
}

/** Deterministic bytes that do not repeat near a part boundary. */
export function bytesOf(length: number, seed = 1): Buffer {
  return seededBytes(seed || 1)(length) as Buffer;
}
