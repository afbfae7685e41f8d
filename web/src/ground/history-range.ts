/** Which time of the history is shown. */
export type HistoryRange =
  | { readonly kind: 'last'; readonly minutes: number }
  /** Milliseconds since the Unix epoch, on the clock of the robot. */
  | { readonly kind: 'between'; readonly fromMs: number; readonly toMs: number };

export interface RangeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

const MINUTE_MS = 60_000;

/** Buttons, with how often their curves are asked for again. */
export const lastRanges = [
  { minutes: 5, name: '5 min', everyMs: 10_000 },
  { minutes: 60, name: '1 h', everyMs: 30_000 },
  { minutes: 1_440, name: '1 day', everyMs: 60_000 },
] as const;

export const firstRange: HistoryRange = { kind: 'last', minutes: lastRanges[0].minutes };

/** @param nowMs - On the clock of the robot. */
export function spanOfRange(range: HistoryRange, nowMs: number): RangeSpan {
  if (range.kind === 'between') return { fromMs: range.fromMs, toMs: range.toMs };
  return { fromMs: nowMs - range.minutes * MINUTE_MS, toMs: nowMs };
}

/** Undefined: the curves do not change any more. */
export function refreshMsOf(range: HistoryRange): number | undefined {
  if (range.kind === 'between') return undefined;
  return lastRanges.find(({ minutes }) => minutes === range.minutes)?.everyMs;
}

export function rangeInWords(range: HistoryRange): string {
  if (range.kind === 'between') return 'in this time';
  return `of the last ${lastRanges.find(({ minutes }) => minutes === range.minutes)?.name ?? ''}`;
}
