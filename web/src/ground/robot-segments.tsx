import { bytes, counted, msOf, segmentName, timeOfDay } from '../model/format.js';
import { Panel } from '../ui/panel.js';
import { LaneChart, type LaneBar } from './lane-chart.js';
import type { RobotDetail } from './wire.js';

const SEGMENTS_SHOWN = 40;

type Segment = RobotDetail['segments'][number];

/** What the robot has recorded, and where it is: as a timeline, and the newest as a table. */
export function RobotSegments({ detail }: { readonly detail: RobotDetail }) {
  const { segments } = detail;
  const newest = [...segments].reverse().slice(0, SEGMENTS_SHOWN);
  return (
    <Panel title="Segments" area="segments" aside={counted(segments.length, 'segment')}>
      {newest.length === 0 ? (
        <p class="empty">It has not reported any.</p>
      ) : (
        <>
          <SegmentTimeline segments={segments} />
          <SegmentTable newest={newest} />
        </>
      )}
    </Panel>
  );
}

/** In the order of a segment's life. */
const lanes: readonly (readonly [name: string, states: readonly Segment['state'][]])[] = [
  ['on the robot', ['open', 'waiting', 'sealed', 'uploading', 'quarantined']],
  ['in the store', ['uploaded']],
  ['evicted', ['evicted']],
];

function SegmentTimeline({ segments }: { readonly segments: readonly Segment[] }) {
  const filled = lanes.map(([name, states]) => ({
    name,
    bars: segments.filter(({ state }) => states.includes(state)).flatMap(barsOf),
  }));
  const used = filled.filter(({ bars }) => bars.length > 0);
  if (used.length === 0) return null;
  return (
    <div class="recording-timeline">
      <LaneChart lanes={used} label="Segments" />
    </div>
  );
}

/** None: its times are not known. */
function barsOf({
  segment,
  priority,
  state,
  firstLogTime,
  lastLogTime,
  bytes: size,
  gaps,
}: Segment): LaneBar[] {
  if (firstLogTime === undefined || lastLogTime === undefined) return [];
  const [fromMs, toMs] = [msOf(firstLogTime), msOf(lastLogTime)];
  const times = `${timeOfDay(fromMs)} to ${timeOfDay(toMs)}`;
  const title = `Segment ${segmentName(segment)}: ${state} · ${times} · ${bytes(size)}`;
  const key = `${segment} ${priority ?? ''}`;
  return [{ key, fromMs, toMs, state, style: `seg-${state}`, title, hasGaps: gaps > 0 }];
}

const segmentTones: Readonly<Record<string, string>> = { quarantined: 'tone-bad', uploaded: 'tone-ok' };

function SegmentTable({ newest }: { readonly newest: readonly Segment[] }) {
  return (
    <div class="scroll side-scroll" role="region" aria-label="Table of segments" tabIndex={0}>
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">Segment</th>
            <th scope="col">Where</th>
            <th scope="col">Ends</th>
            <th scope="col" class="num">
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {newest.map((one) => (
            <tr key={`${one.segment} ${one.priority ?? ''}`}>
              <th scope="row">{segmentName(one.segment)}</th>
              <td class={segmentTones[one.state]}>{one.state}</td>
              <td>{one.lastLogTime === undefined ? '–' : timeOfDay(msOf(one.lastLogTime))}</td>
              <td class="num">{bytes(one.bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
