import type { MarkedEvent, Status, TimelineGap, TimelineSegment } from '../wire.js';
import { msOf } from './format.js';

/** A period on the page's axis, milliseconds since the Unix epoch. */
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

/** A marked event: a time window, and the time of the mark. */
export interface Mark extends Span {
  readonly event: MarkedEvent;
  readonly atMs: number;
}

export interface TimelinePlan {
  /** Oldest first. */
  readonly marks: readonly Mark[];
  readonly lanes: readonly Lane[];
  /** Number of those within the axis that are not drawn, because there are too many. */
  readonly hidden: number;
}

/** Maximum number that is drawn, newest first; more could not be distinguished. */
const BARS_MAX = 900;
const SHORTEST_AXIS_MS = 60_000;
const DAY_MS = 86_400_000;
/** The axis ends at round times, so that it does not creep with every update. */
const STEPS = 150;

/**
 * The shown period. `spanMin` 0: everything there is, up to a day. Start and end are round, so that they stay
 * the same from one update to the next and nothing is drawn again.
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

/** The positions of everything on an axis that ends now. */
export function planTimeline(
  segments: readonly TimelineSegment[],
  robots: readonly string[],
  axis: Span,
  status: Status | undefined,
): TimelinePlan {
  const lanes = robots.map((robot) => ({ robot, bars: [] as Bar[] }));
  const waiting = spansOfWaiting(segments, status);
  let room = BARS_MAX;
  let hidden = 0;
  for (const segment of [...segments].reverse()) {
    const span = waiting.get(segment) ?? spanOf(segment, status, axis.toMs);
    if (span === undefined || span.toMs < axis.fromMs || span.fromMs > axis.toMs) continue;
    for (const lane of lanes) {
      if (segment.robot !== undefined && segment.robot !== lane.robot) continue;
      if (room-- <= 0) hidden++;
      else lane.bars.push({ ...span, segment, gaps: gapsOf(segment, span, axis) });
    }
  }
  return { lanes, hidden, marks: marksOf(segments, axis) };
}

/** When the messages of the segment were received; `undefined` if that is unknown. */
function spanOf(segment: TimelineSegment, status: Status | undefined, nowMs: number): Span | undefined {
  const { firstLogTime, lastLogTime, state } = segment;
  if (state === 'open') return { fromMs: openedAt(segment, status, nowMs), toMs: nowMs };
  if (firstLogTime === undefined || lastLogTime === undefined) return undefined;
  return { fromMs: msOf(firstLogTime), toMs: msOf(lastLogTime) };
}

function openedAt({ firstLogTime }: TimelineSegment, status: Status | undefined, nowMs: number): number {
  if (firstLogTime !== undefined) return msOf(firstLogTime);
  return status === undefined ? nowMs : status.atMs - status.recorder.wal.segmentAgeMs;
}

/**
 * The times of a segment that waits to be sealed are not known yet. Without it there would be an apparent
 * gap, so it is drawn between the last sealed segment and the open one.
 */
function spansOfWaiting(
  segments: readonly TimelineSegment[],
  status: Status | undefined,
): ReadonlyMap<TimelineSegment, Span> {
  const waiting = segments.filter((one) => one.state === 'waiting' && one.firstLogTime === undefined);
  const first = waiting[0];
  if (first === undefined || status === undefined) return new Map();
  const before = segments.filter((one) => (one.number ?? 0) < (first.number ?? 0));
  const fromMs = Math.max(
    ...before.map(({ lastLogTime }) => (lastLogTime === undefined ? 0 : msOf(lastLogTime))),
    msOf(status.recorder.startedAt),
  );
  const open = segments.find(({ state }) => state === 'open');
  const toMs = open === undefined ? status.atMs : openedAt(open, status, status.atMs);
  const each = Math.max(0, toMs - fromMs) / waiting.length;
  return new Map(
    waiting.map((one, index) => [one, { fromMs: fromMs + index * each, toMs: fromMs + (index + 1) * each }]),
  );
}

/** Each event once, although every segment in its window has it. */
function marksOf(segments: readonly TimelineSegment[], axis: Span): Mark[] {
  const events = new Map(segments.flatMap(({ events = [] }) => events.map((event) => [event.id, event])));
  return [...events.values()]
    .map((event) => ({ event, atMs: msOf(event.at), fromMs: msOf(event.from), toMs: msOf(event.to) }))
    .filter(({ fromMs, toMs }) => toMs >= axis.fromMs && fromMs <= axis.toMs)
    .sort((a, b) => a.atMs - b.atMs);
}

function gapsOf(segment: TimelineSegment, bar: Span, axis: Span): Bar['gaps'] {
  return segment.gaps.map((gap) => {
    const first = gap.firstTime ?? gap.lastTime;
    const last = gap.lastTime ?? gap.firstTime;
    // Without times, only its presence is known, so it is shown at the end.
    const fromMs = first === undefined ? bar.toMs : msOf(first);
    const toMs = last === undefined ? bar.toMs : msOf(last);
    return { gap, fromMs: Math.max(fromMs, axis.fromMs), toMs: Math.max(toMs, axis.fromMs) };
  });
}

const tickSteps = [10, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600].map((s) => s * 1_000);

/** Round times for the labels of an axis, except those that would be cut off at its end. */
export function ticksOf({ fromMs, toMs }: Span, most: number): number[] {
  const step = tickSteps.find((one) => (toMs - fromMs) / one <= most) ?? 43_200_000;
  const ticks: number[] = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs - 0.04 * (toMs - fromMs); at += step)
    ticks.push(at);
  return ticks;
}
