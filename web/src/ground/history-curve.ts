import type { FieldPast } from './wire.js';

/** A field over time. All columns have the length of `times`; null: nothing is known, or there was no value. */
export interface FieldCurve {
  /** Seconds since the Unix epoch, on the clock of the robot. */
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
  /** Of roll-ups the smallest and largest value; otherwise the value. */
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
}

export const noCurve: FieldCurve = { times: [], values: [], low: [], high: [] };

interface Columns {
  readonly times: number[];
  readonly values: (number | null)[];
  readonly low: (number | null)[];
  readonly high: (number | null)[];
}

/** Farther apart than so many steps, two points have nothing between them. */
const SILENT_STEPS = 1.9;

/** The curve of what the ground answered. A point of roll-ups is drawn in the middle of its time. */
export function curveOf(past: FieldPast): FieldCurve {
  const columns: Columns = { times: [], values: [], low: [], high: [] };
  const points = past.series.flatMap(({ points: some, turn, periodMs }) =>
    some.map((point) => ({ ...point, ms: Date.parse(point.at), turn, periodMs })),
  );
  // One series for each threshold that was in use: together they are the field.
  points.sort((a, b) => a.ms - b.ms);
  let before: number | undefined;
  for (const { ms, value, mean = value, min = mean, max = mean, turn, periodMs } of points) {
    const s = (ms + past.stepMs / 2) / 1_000;
    const step = Math.max(past.stepMs, periodMs) / 1_000;
    const last = columns.values.at(-1) ?? null;
    const isWrapped = turn > 0 && mean !== null && last !== null && Math.abs(mean - last) > turn / 2;
    if (before !== undefined && (s - before > SILENT_STEPS * step || isWrapped)) push(columns, before, null);
    // The smallest and largest heading say nothing where it turns over north.
    const [low, high] = turn > 0 ? [mean, mean] : [min, max];
    push(columns, s, mean, low, high);
    before = s;
  }
  return columns;
}

/** Times of a curve must increase. */
const LEAST_S = 0.001;

function push(
  columns: Columns,
  s: number,
  value: number | null,
  low: number | null = value,
  high: number | null = value,
): void {
  const last = columns.times.at(-1);
  columns.times.push(last === undefined ? s : Math.max(s, last + LEAST_S));
  columns.values.push(value);
  columns.low.push(low);
  columns.high.push(high);
}

/** The history, and after it what the page has seen live. Only what is in the time. */
export function withLive(past: FieldCurve, live: FieldCurve, fromS: number): FieldCurve {
  const last = past.times.at(-1) ?? -Infinity;
  const at = live.times.findIndex((s) => s > last && s >= fromS);
  if (at < 0) return past;
  const join = <T>(a: readonly T[], b: readonly T[]): readonly T[] => [...a, ...b.slice(at)];
  return {
    times: join(past.times, live.times),
    values: join(past.values, live.values),
    low: join(past.low, live.low),
    high: join(past.high, live.high),
  };
}
