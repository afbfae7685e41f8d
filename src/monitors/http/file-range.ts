/** Bytes of a file, from `start` (inclusive) to `end` (exclusive). */
export interface FileRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of a file that a header `Range` wants (RFC 9110, 14.2). Undefined: the whole, also for what this
 * server does not support, such as several parts. `outside`: nothing of the file.
 */
export function parseRange(header: string | undefined, bytes: number): FileRange | 'outside' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? 'outside' : { start: bytes - length, end: bytes };
  }
  const start = Number(first);
  const end = last === '' ? bytes : Math.min(Number(last) + 1, bytes);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= bytes ? 'outside' : { start, end };
}
