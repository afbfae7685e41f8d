import { bytes, counted, segmentName, timeOfDay } from '../model/format.js';
import { Legend } from '../ui/legend.js';
import { Panel } from '../ui/panel.js';
import { LaneChart, type Lane } from './lane-chart.js';
import { recordingAddress } from './model.js';
import { usePoll } from './use-poll.js';
import {
  barOf,
  barOfHole,
  placeSegments,
  whereabouts,
  type PlacedSegment,
  type Whereabouts,
} from './where-recorded.js';
import type { FoundRecording, HoleView, RobotDetail } from './wire.js';

const SEGMENTS_SHOWN = 40;
const CATALOGUE_MS = 10_000;
const FOUND_MAX = 300;

/** What the robot has recorded, and where it is: as a timeline, and the newest as a table. */
export function RobotSegments(props: { readonly detail: RobotDetail; readonly holes: readonly HoleView[] }) {
  const { detail, holes } = props;
  const query = new URLSearchParams({ robot: detail.robot, limit: String(FOUND_MAX) });
  // A ground without stores has no catalogue: then there is only what the robot reports.
  const { value } = usePoll<{ readonly recordings: readonly FoundRecording[] }>(
    `api/recordings?${query.toString()}`,
    CATALOGUE_MS,
  );
  const placed = placeSegments(detail.segments, value?.recordings ?? []);
  return (
    <Panel title="Recorded, and where it is" area="segments" aside={counted(placed.length, 'segment')}>
      {placed.length === 0 && holes.length === 0 ? (
        <p class="empty">It has not reported any.</p>
      ) : (
        <>
          <SegmentTimeline placed={placed} holes={holes} />
          <SegmentTable newest={placed.slice(0, SEGMENTS_SHOWN)} />
        </>
      )}
    </Panel>
  );
}

const places = Object.keys(whereabouts) as readonly Whereabouts[];

function SegmentTimeline(props: {
  readonly placed: readonly PlacedSegment[];
  readonly holes: readonly HoleView[];
}) {
  const { placed, holes } = props;
  const at = (place: Whereabouts): readonly PlacedSegment[] =>
    placed.filter((one) => one.places.includes(place));
  const lanes: readonly Lane[] = places.map((place) => ({
    name: whereabouts[place].lane,
    bars: at(place).flatMap((one) => barOf(one, place)),
  }));
  const used = [...lanes, { name: 'holes', bars: holes.map(barOfHole) }].filter(
    ({ bars }) => bars.length > 0,
  );
  if (used.length === 0) return null;
  const entries = places.map((place) => ({
    ...{ key: place, style: whereabouts[place].style, name: whereabouts[place].lane },
    count: at(place).length,
  }));
  const hole = { key: 'hole', style: 'seg-waiting', name: 'holes of the history', count: holes.length };
  return (
    <div class="recording-timeline">
      <Legend entries={[...entries, hole]} gaps={placed.reduce((sum, { gaps }) => sum + gaps, 0)} />
      <LaneChart lanes={used} label="Segments" />
    </div>
  );
}

const tones: Readonly<Partial<Record<Whereabouts, string>>> = {
  ...{ missing: 'tone-bad', gone: 'tone-warn', store: 'tone-ok' },
};

function SegmentTable({ newest }: { readonly newest: readonly PlacedSegment[] }) {
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
          {newest.map(({ key, segment, places: where, state, toMs, bytes: size, recording }) => (
            <tr key={key} data-segment={segment}>
              <th scope="row">
                {recording === undefined ? (
                  segmentName(segment)
                ) : (
                  <a href={recordingAddress(recording)}>{segmentName(segment)}</a>
                )}
              </th>
              <td class={tones[where.at(-1) ?? 'robot']}>
                {where.map((place) => whereabouts[place].lane).join(', ')}
                {where.length === 1 && where[0] === 'robot' ? <span class="dim"> ({state})</span> : null}
              </td>
              <td>{toMs === undefined ? '–' : timeOfDay(toMs)}</td>
              <td class="num">{bytes(size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
