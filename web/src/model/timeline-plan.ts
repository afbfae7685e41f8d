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
  readonly axis: Span;
  readonly lanes: readonly Lane[];
  /** Within the axis and not drawn, because there are too many. */
  readonly hidden: number;
}

/** Drawn at most, newest first: more could not be told apart. */
const BARS_MAX = 900;
const SHORTEST_AXIS_MS = 60_000;
/** The axis ends at round times, so that it does not creep with every update. */
const STEPS = 150;

/** Where everything is drawn. `spanMin` 0: as long as what there is, up to a day. */
export function planTimeline(
  segments: readonly TimelineSegment[],
  robots: readonly string[],
  spanMin: number,
  status: Status | undefined,
  nowMs: number,
): TimelinePlan {
  const timed = segments
    .map((segment) => ({ segment, span: spanOf(segment, status, nowMs) }))
    .filter((one): one is { segment: TimelineSegment; span: Span } => one.span !== undefined);
  const axis = axisOf(
    timed.map(({ span }) => span),
    spanMin,
    nowMs,
  );
  const inside = timed.filter(({ span }) => span.toMs >= axis.fromMs && span.fromMs <= axis.toMs);
  let room = BARS_MAX;
  let hidden = 0;
  const lanes = robots.map((robot) => ({ robot, bars: [] as Bar[] }));
  for (const { segment, span } of inside.reverse()) {
    for (const lane of lanes) {
      if (segment.robot !== undefined && segment.robot !== lane.robot) continue;
      if (room-- <= 0) hidden++;
      else lane.bars.push({ ...span, segment, gaps: gapsOf(segment, span, axis) });
    }
  }
  return { axis, lanes, hidden };
}

function axisOf(spans: readonly Span[], spanMin: number, nowMs: number): Span {
  const oldest = spans.reduce((least, { fromMs }) => Math.min(least, fromMs), nowMs);
  const wanted = spanMin > 0 ? spanMin * 60_000 : Math.min(86_400_000, (nowMs - oldest) * 1.02);
  const lengthMs = Math.max(SHORTEST_AXIS_MS, wanted);
  const step = Math.max(500, lengthMs / STEPS);
  const toMs = Math.ceil(nowMs / step) * step;
  return { fromMs: toMs - lengthMs, toMs };
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
