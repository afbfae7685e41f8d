import { bytes, counted, duration, msOf, segmentName, timeOfDay } from '../model/format.js';
import { Legend } from '../ui/legend.js';
import { LaneChart, type LaneBar } from './lane-chart.js';
import { recordingAddress } from './model.js';
import type { FoundRecording } from './wire.js';

/** More could not be told apart. */
const LANES_MAX = 40;
const BARS_MAX = 1_500;

const states: readonly (readonly [FoundRecording['state'], string, string])[] = [
  ['stored', 'in the store', 'seg-uploaded'],
  ['local', 'on the robot only', 'seg-sealed'],
  ['missing', 'missing in the store', 'seg-quarantined'],
  ['evicted', 'evicted, never uploaded', 'seg-evicted'],
];

/** When the found recordings of each robot were recorded, and where they are. */
export function RecordingTimeline({ recordings }: { readonly recordings: readonly FoundRecording[] }) {
  const bars = new Map<string, LaneBar[]>();
  for (const one of recordings.slice(0, BARS_MAX)) {
    const bar = barOf(one);
    if (bar !== undefined) bars.set(one.robot, [...(bars.get(one.robot) ?? []), bar]);
  }
  if (bars.size === 0) return null;
  const lanes = [...bars].map(([name, list]) => ({ name, bars: list }));
  lanes.sort((a, b) => (a.name < b.name ? -1 : 1));
  const entries = states.map(([state, name, style]) => ({
    ...{ key: state, name, style },
    count: recordings.filter((one) => one.state === state).length,
  }));
  return (
    <div class="recording-timeline">
      <Legend entries={entries} gaps={recordings.reduce((sum, one) => sum + one.gaps, 0)} />
      <LaneChart lanes={lanes.slice(0, LANES_MAX)} label="Timeline" />
      {lanes.length > LANES_MAX ? (
        <p class="empty">{counted(lanes.length - LANES_MAX, 'more robot')} not drawn: search by robot.</p>
      ) : null}
    </div>
  );
}

/** Undefined: it has no messages. */
function barOf(one: FoundRecording): LaneBar | undefined {
  const { firstLogTime, lastLogTime, state, gaps } = one;
  if (firstLogTime === null || lastLogTime === null) return undefined;
  const [fromMs, toMs] = [msOf(firstLogTime), msOf(lastLogTime)];
  const [, name, style] = states.find(([known]) => known === state) ?? ['', state, ''];
  const facts = [
    `Segment ${segmentName(one.segment)}: ${name}`,
    `${timeOfDay(fromMs)}, ${duration(toMs - fromMs)}`,
    bytes(one.bytes),
    counted(one.messages, 'message'),
    ...(gaps > 0 ? [counted(gaps, 'gap')] : []),
  ];
  const address = recordingAddress(one.recording);
  return {
    ...{ key: String(one.recording), fromMs, toMs, state, style, address },
    ...{ title: facts.join(' · '), hasGaps: gaps > 0 },
  };
}
