/** Round values of an axis. It has no imports, because the page's script uses it too. */

/** About `wanted` round values within the bounds. */
export function numberTicks(from: number, to: number, wanted: number): number[] {
  const rough = (to - from) / Math.max(1, wanted);
  if (!(rough > 0) || !Number.isFinite(rough)) return [from];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  const ticks: number[] = [];
  for (let i = first; i <= last && ticks.length < 100; i++) ticks.push(clean(i * step));
  return ticks;
}

/** Removes rounding errors of binary fractions. */
function clean(value: number): number {
  return Number(value.toPrecision(12));
}

export interface TimeTick {
  /** Seconds since the start of the range. */
  readonly atS: number;
  readonly label: string;
}

const STEPS_S = [
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600],
  ...[7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 31_536_000],
];

/**
 * Round times of day, UTC, within a part of a range.
 *
 * @param startMs - Start of the range, milliseconds since the Unix epoch.
 * @param fromS - Start of the part, seconds since the start of the range.
 */
export function timeTicks(startMs: number, fromS: number, toS: number, wanted: number): TimeTick[] {
  const rough = (toS - fromS) / Math.max(1, wanted);
  const step = STEPS_S.find((one) => one >= rough) ?? rough;
  // Counted from a whole day, so that the sum of large and small numbers stays exact.
  const dayMs = Math.floor(startMs / 86_400_000) * 86_400_000;
  const offsetS = (startMs - dayMs) / 1_000;
  const ticks: TimeTick[] = [];
  for (let i = Math.ceil((fromS + offsetS) / step); ticks.length < 50; i++) {
    const atS = i * step - offsetS;
    if (atS > toS) break;
    ticks.push({ atS, label: timeLabel(dayMs + Math.round(i * step * 1_000), step) });
  }
  return ticks;
}

function timeLabel(ms: number, stepS: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return '';
  const text = date.toISOString();
  if (stepS >= 86_400) return text.slice(0, 10);
  if (stepS >= 60) return text.slice(11, 16);
  if (stepS >= 1) return text.slice(11, 19);
  return text.slice(11, 19) + text.slice(19, 23).replace(/0+$/, '');
}

/** A number with as few digits as distinguish it from its neighbours. */
export function tickLabel(value: number, step: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4)
    return value
      .toExponential(2)
      .replace(/\.?0+e/, 'e')
      .replace('e+', 'e');
  const decimals = Math.max(0, Math.min(10, Math.ceil(-Math.log10(step || size) - 1e-9)));
  return value.toFixed(decimals);
}
