import { bytes, counted, duration, msOf, segmentName, timeOfDay } from '../model/format.js';
import type { LaneBar } from './lane-chart.js';
import { recordingAddress } from './model.js';
import type { FoundRecording, HoleView, RobotDetail } from './wire.js';

export type ReportedSegment = RobotDetail['segments'][number];

/** Where a segment is. `left`: it is not on the robot any more, and no catalogue knows it. */
export type Whereabouts = 'robot' | 'store' | 'left' | 'gone' | 'missing';

/** A segment as the robot reports it, as the catalogue has it, or both. */
export interface PlacedSegment {
  readonly key: string;
  readonly segment: string;
  readonly places: readonly Whereabouts[];
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly bytes: number;
  readonly gaps: number;
  /** In the words of the robot, or of the catalogue. */
  readonly state: string;
  /** Of the catalogue. */
  readonly recording?: number;
}

/** Lanes of the timeline, from the disk of the robot to lost files. */
export const whereabouts: Readonly<Record<Whereabouts, { readonly lane: string; readonly style: string }>> = {
  robot: { lane: 'on the robot', style: 'seg-sealed' },
  store: { lane: 'in the store', style: 'seg-uploaded' },
  left: { lane: 'left the robot', style: 'seg-remote' },
  gone: { lane: 'gone', style: 'seg-evicted' },
  missing: { lane: 'missing', style: 'seg-quarantined' },
};

const ofReport: Readonly<Record<ReportedSegment['state'], readonly Whereabouts[]>> = {
  open: ['robot'],
  waiting: ['robot'],
  sealed: ['robot'],
  uploading: ['robot'],
  quarantined: ['robot'],
  uploaded: ['robot', 'store'],
  evicted: ['left'],
};
const ofCatalogue: Readonly<Record<FoundRecording['state'], readonly Whereabouts[]>> = {
  ...{ stored: ['store'], local: ['robot'], missing: ['missing'], evicted: ['gone'] },
};

/** One list of what robot and catalogue know, the newest first. The catalogue has looked into the store itself. */
export function placeSegments(
  reported: readonly ReportedSegment[],
  found: readonly FoundRecording[],
): readonly PlacedSegment[] {
  const placed = new Map<string, PlacedSegment>();
  for (const one of reported) {
    const { segment, priority, state, firstLogTime: first, lastLogTime: last = first, gaps } = one;
    // Prepared for what comes next, or left by a recorder that was killed: nothing was recorded.
    if (state === 'waiting' && one.bytes === 0) continue;
    const key = `${segment.split('.')[0] ?? ''} ${priority ?? 'normal'}`;
    const times = { fromMs: msOrNot(first), toMs: msOrNot(last) };
    placed.set(key, { key, segment, places: ofReport[state], ...times, bytes: one.bytes, gaps, state });
  }
  for (const one of found) {
    const { segment, priority, state, firstLogTime: first, lastLogTime: last, gaps, recording } = one;
    const key = `${segment} ${priority}`;
    const before = placed.get(key);
    const onRobot = state !== 'evicted' && before?.places.includes('robot') === true ? before : undefined;
    // What it knows from the robot only is older than the report.
    const inReport = state === 'local' && onRobot !== undefined ? onRobot.places : [];
    const places = [...(onRobot === undefined ? [] : ['robot' as const]), ...ofCatalogue[state], ...inReport];
    placed.set(key, {
      ...{ key, segment, places: [...new Set(places)], bytes: one.bytes, gaps, recording },
      ...{ fromMs: msOrNot(first ?? undefined), toMs: msOrNot(last ?? undefined) },
      state: onRobot === undefined || state === 'missing' ? state : onRobot.state,
    });
  }
  return [...placed.values()].sort((a, b) => (a.segment > b.segment ? -1 : 1));
}

/** None: its times are not known. */
export function barOf(one: PlacedSegment, place: Whereabouts): readonly LaneBar[] {
  const { key, segment, fromMs, toMs, state, gaps, recording } = one;
  if (fromMs === undefined || toMs === undefined) return [];
  const facts = [
    `Segment ${segmentName(segment)}: ${state}`,
    `${timeOfDay(fromMs)}, ${duration(toMs - fromMs)}`,
    bytes(one.bytes),
    ...(gaps > 0 ? [counted(gaps, 'gap')] : []),
  ];
  const style =
    place === 'robot' && state !== 'uploaded' ? `seg-${styleOf(state)}` : whereabouts[place].style;
  const address = recording === undefined ? {} : { address: recordingAddress(recording) };
  return [{ key, fromMs, toMs, state, style, title: facts.join(' · '), hasGaps: gaps > 0, ...address }];
}

/** What waits on the robot has the colours of the recorder's page. */
function styleOf(state: string): string {
  return Object.hasOwn(ofReport, state) ? state : 'sealed';
}

const holeWords: Readonly<Record<HoleView['state'], string>> = {
  open: 'it waits for its segments',
  filled: 'filled in from segments',
  lost: 'lost: older than samples are kept',
};
const holeStyles: Readonly<Record<HoleView['state'], string>> = {
  ...{ open: 'seg-waiting', filled: 'seg-remote', lost: 'seg-evicted' },
};

/** A time of the history of which the robot had removed the samples. */
export function barOfHole({ from, to, state }: HoleView): LaneBar {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  const title = `Hole of the history: ${timeOfDay(fromMs)}, ${duration(toMs - fromMs)} · ${holeWords[state]}`;
  return { key: `${from} ${to}`, fromMs, toMs, state, style: holeStyles[state], title, hasGaps: false };
}

function msOrNot(ns: string | undefined): number | undefined {
  return ns === undefined ? undefined : msOf(ns);
}
