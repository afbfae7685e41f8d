import type { Series } from './report-data.js';

/** Height of a chart in its own units: one unit is half a pixel. */
export const PATH_HEIGHT = 256;

/** The same range in fewer buckets; extremes are kept. */
export function coarser(
  { min, max }: Pick<Series, 'min' | 'max'>,
  factor: number,
): { min: Float64Array; max: Float64Array } {
  if (factor <= 1) return { min, max };
  const length = Math.ceil(min.length / factor);
  const [low, high] = [new Float64Array(length).fill(NaN), new Float64Array(length).fill(NaN)];
  for (let i = 0; i < min.length; i++) {
    const at = Math.floor(i / factor);
    if (!(low[at]! <= min[i]!) && !Number.isNaN(min[i]!)) low[at] = min[i]!;
    if (!(high[at]! >= max[i]!) && !Number.isNaN(max[i]!)) high[at] = max[i]!;
  }
  return { min: low, max: high };
}

/**
 * A line through the smallest and largest value of each bucket, one unit wide per bucket, in relative steps:
 * `M0 120l1-3v5` and so on. The line continues across up to `join` empty buckets; more leave a gap.
 */
export function seriesPath(
  { min, max }: { readonly min: Float64Array; readonly max: Float64Array },
  [bottom, top]: readonly [number, number],
  join: number,
): string {
  const place = (value: number): number => Math.round(((top - value) / (top - bottom)) * PATH_HEIGHT);
  let path = '';
  let x = 0;
  let y = 0;
  let last = -Infinity;
  for (let i = 0; i < min.length; i++) {
    if (Number.isNaN(min[i]!)) continue;
    const [low, high] = [place(min[i]!), place(max[i]!)];
    // The nearer end comes first.
    const [first, second] = Math.abs(low - y) <= Math.abs(high - y) ? [low, high] : [high, low];
    if (last === -Infinity) path += `M${i} ${first}`;
    else path += `${i - last > join ? 'm' : 'l'}${i - x}${signed(first - y)}`;
    // A single value is a dot: a line of length zero has round ends.
    if (first === second && (last === -Infinity || i - last > join)) path += 'h0';
    else if (first !== second) path += `v${second - first}`;
    [x, y, last] = [i, second, i];
  }
  return path;
}

function signed(value: number): string {
  return value < 0 ? String(value) : ` ${value}`;
}
