import { NS_PER_S } from './clock.js';

export const TIME_FORM =
  '2026-11-21T08:15:30.5Z, or seconds since 1970 (1795249530.5), or nanoseconds (16 to 20 digits)';

/** MCAP has unsigned 64-bit times: until the year 2554. */
const MAX_TIME = 2n ** 64n - 1n;

/** Nanoseconds since the Unix epoch of `TIME_FORM`, until the year 2554; `undefined` for anything else. */
export function parseTime(text: string): bigint | undefined {
  const time = readTime(text);
  return time !== undefined && time <= MAX_TIME ? time : undefined;
}

function readTime(text: string): bigint | undefined {
  if (/^\d{16,20}$/.test(text)) return BigInt(text);
  const seconds = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds) return BigInt(seconds[1]!) * NS_PER_S + fraction(seconds[2]);
  const iso = /^(\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?)?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})?$/.exec(
    text,
  );
  if (!iso) return undefined;
  // A time without a zone is UTC, like every time that Holdfast prints.
  const whole = iso[1]!.includes('T') ? `${iso[1]}${iso[3] ?? 'Z'}` : iso[1]!;
  const ms = Date.parse(whole);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + fraction(iso[2]);
}

function fraction(digits: string | undefined): bigint {
  return BigInt((digits ?? '').padEnd(9, '0'));
}
