/** Time, injected: nothing below app/ asks the system. */
export interface Clock {
  /** Wall clock, nanoseconds since the Unix epoch; may jump. */
  now(): bigint;
  /** Monotonic, nanoseconds since an arbitrary origin; never jumps. */
  monotonic(): bigint;
  /** Resolves after `ms` milliseconds, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Nanoseconds per unit, for the bigint times used everywhere. */
export const NS_PER_MS = 1_000_000n;
export const NS_PER_S = 1_000_000_000n;

/** `2026-11-21T08:15:30.123456789Z` for nanoseconds since the Unix epoch. */
export function formatTime(timeNs: bigint): string {
  const ms = timeNs / NS_PER_MS;
  const nanos = String(timeNs % NS_PER_S).padStart(9, '0');
  const date = new Date(Number(ms));
  if (Number.isNaN(date.getTime())) return `${timeNs} ns`;
  return `${date.toISOString().slice(0, 19)}.${nanos}Z`;
}
