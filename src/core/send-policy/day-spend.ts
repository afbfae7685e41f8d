/** Bytes sent on one local day. */
export interface DaySpend {
  /** `2026-12-01`. */
  readonly day: string;
  readonly bytes: number;
}

/**
 * Days that are kept. A clock that jumps back finds the bytes that it already sent on that day, so a jump over
 * midnight and back gives no second budget.
 */
export const DAYS_KEPT = 8;

export function spentOn(days: readonly DaySpend[], day: string): number {
  return days.find((one) => one.day === day)?.bytes ?? 0;
}

/** Adds bytes to a day; the days that were used last are kept, the latest at the end. */
export function addSpend(days: readonly DaySpend[], day: string, bytes: number): DaySpend[] {
  const others = days.filter((one) => one.day !== day);
  return [...others, { day, bytes: spentOn(days, day) + bytes }].slice(-DAYS_KEPT);
}
