import { NS_PER_S } from '../../core/clock.js';

export const TIME_FORM =
  '2026-11-21T08:15:30.5Z, or seconds since 1970 (1795249530.5), or nanoseconds (19 digits)';

/** Nanoseconds since the Unix epoch of {@link TIME_FORM}; `undefined` for anything else. */
export function parseTime(text: string): bigint | undefined {
  if (/^\d{16,19}$/.test(text)) return BigInt(text);
  const seconds = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds) return BigInt(seconds[1]!) * NS_PER_S + fraction(seconds[2]);
  const iso = /^(\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?)?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})?$/.exec(
    text,
  );
  if (!iso) return undefined;
  // Without a zone it is UTC, like every time the product prints.
  const whole = iso[1]!.includes('T') ? `${iso[1]}${iso[3] ?? 'Z'}` : iso[1]!;
  const ms = Date.parse(whole);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + fraction(iso[2]);
}

function fraction(digits: string | undefined): bigint {
  return BigInt((digits ?? '').padEnd(9, '0'));
}
