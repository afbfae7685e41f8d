import type { Status, TimelineGap, TimelineSegment } from '../wire.js';
import { msOf } from './format.js';

/** A stretch of time on the page's axis, milliseconds since the Unix epoch. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Bar extends Span {
  readonly segment: TimelineSegment;
  readonly gaps: readonly (Span & { readonly gap: TimelineGap })[];
}

export interface Lane {
  readonly robot: string;
  readonly bars: readonly Bar[];
}

export interface TimelinePlan {
  readonly lanes: readonly Lane[];
  /** Within the axis and not drawn, because there are too many. */
  readonly hidden: number;
}

/** Drawn at most, newest first: more could not be told apart. */
const BARS_MAX = 900;
const SHORTEST_AXIS_MS = 60_000;
const DAY_MS = 86_400_000;
/** The axis ends at round times, so that it does not creep with every update. */
const STEPS = 150;

/**
 * What is shown. `spanMin` 0: what there is, up to a day. Begin and end are round, so that they stay the same
 * from one update to the next and nothing has to be drawn anew.
 */
export function axisOf(segments: readonly TimelineSegment[], spanMin: number, nowMs: number): Span {
  const oldestMs = segments.reduce(
    (least, { firstLogTime }) => (firstLogTime === undefined ? least : Math.min(least, msOf(firstLogTime))),
    nowMs - SHORTEST_AXIS_MS,
  );
  const wanted = spanMin > 0 ? spanMin * 60_000 : Math.min(DAY_MS, nowMs - oldestMs);
  const step = Math.max(500, 2 ** Math.floor(Math.log2(wanted / STEPS)));
  const toMs = Math.ceil(nowMs / step) * step;
  const isFit = spanMin === 0 && wanted < DAY_MS;
  return { fromMs: isFit ? (Math.floor(oldestMs / step) - 1) * step : toMs - wanted, toMs };
}

/** Where everything is drawn on an axis that ends now. */
export function planTimeline(
  segments: readonly TimelineSegment[],
  robots: readonly string[],
  axis: Span,
  status: Status | undefined,
): TimelinePlan {
  const lanes = robots.map((robot) => ({ robot, bars: [] as Bar[] }));
  let room = BARS_MAX;
  let hidden = 0;
  for (const segment of [...segments].reverse()) {
    const span = spanOf(segment, status, axis.toMs);
    if (span === undefined || span.toMs < axis.fromMs || span.fromMs > axis.toMs) continue;
    for (const lane of lanes) {
      if (segment.robot !== undefined && segment.robot !== lane.robot) continue;
      if (room-- <= 0) hidden++;
      else lane.bars.push({ ...span, segment, gaps: gapsOf(segment, span, axis) });
    }
  }
  return { lanes, hidden };
}

/** When the segment's messages came; `undefined` where that is not known. */
function spanOf(segment: TimelineSegment, status: Status | undefined, nowMs: number): Span | undefined {
  const { firstLogTime, lastLogTime, state } = segment;
  if (state === 'open') {
    const ageMs = status?.recorder.wal.segmentAgeMs ?? 0;
    return { fromMs: firstLogTime === undefined ? nowMs - ageMs : msOf(firstLogTime), toMs: nowMs };
  }
  if (firstLogTime === undefined || lastLogTime === undefined) return undefined;
  return { fromMs: msOf(firstLogTime), toMs: msOf(lastLogTime) };
}

function gapsOf(segment: TimelineSegment, bar: Span, axis: Span): Bar['gaps'] {
  return segment.gaps.map((gap) => {
    const first = gap.firstTime ?? gap.lastTime;
    const last = gap.lastTime ?? gap.firstTime;
    // Without times it is known only that it is in here: shown at the end.
    const fromMs = first === undefined ? bar.toMs : msOf(first);
    const toMs = last === undefined ? bar.toMs : msOf(last);
    return { gap, fromMs: Math.max(fromMs, axis.fromMs), toMs: Math.max(toMs, axis.fromMs) };
  });
}

const tickSteps = [10, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600].map((s) => s * 1_000);

/** Round times for the labels of an axis. */
export function ticksOf({ fromMs, toMs }: Span, most: number): number[] {
  const step = tickSteps.find((one) => (toMs - fromMs) / one <= most) ?? 43_200_000;
  const ticks: number[] = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs; at += step) ticks.push(at);
  return ticks;
}
