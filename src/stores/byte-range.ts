import { HoldfastError } from '../core/errors.js';

/** Bytes from `start` (inclusive) to `end` (exclusive). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Throws `STORE_REJECTED` for a range that no object can have. */
export function checkRange(key: string, range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { start, end } = range;
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start) return;
  throw new HoldfastError(
    'STORE_REJECTED',
    `range ${start}..${end} of ${key}: allowed are whole numbers with 0 <= start <= end`,
    { facts: { key, start, end } },
  );
}
