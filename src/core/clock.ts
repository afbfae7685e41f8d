/** A scheduled call. */
export interface Timer {
  /** Cancels the call and its repetitions. Idempotent. */
  cancel(): void;
}

/** Options of a timer. */
export interface TimerOptions {
  /** The process may exit before the call. Default: false. */
  readonly background?: boolean;
}

/** Timers, injected: below app/, no code sets a system timer. */
export interface Timers {
  /** Calls once, after `ms` milliseconds. */
  after(ms: number, run: () => void, options?: TimerOptions): Timer;
  /** Calls every `ms` milliseconds. */
  every(ms: number, run: () => void, options?: TimerOptions): Timer;
  /** Calls once the I/O that is ready has been handled. */
  soon(run: () => void): void;
}

/** Resolves once the I/O that is ready has been handled. */
export function nextTurn(timers: Timers): Promise<void> {
  return new Promise((resolve) => {
    timers.soon(resolve);
  });
}

/** Time, injected: below app/, no code reads the system clock. */
export interface Clock extends Timers {
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

/** Formats nanoseconds since the Unix epoch as `2026-11-21T08:15:30.123456789Z`. */
export function formatTime(timeNs: bigint): string {
  const ms = timeNs / NS_PER_MS;
  const nanos = String(timeNs % NS_PER_S).padStart(9, '0');
  const date = new Date(Number(ms));
  if (Number.isNaN(date.getTime())) return `${timeNs} ns`;
  return `${date.toISOString().slice(0, 19)}.${nanos}Z`;
}
