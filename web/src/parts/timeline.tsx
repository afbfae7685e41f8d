import { useMemo } from 'preact/hooks';
import { secondTick, segments, serverNow, status } from '../model/live.js';
import {
  bytes,
  count,
  counted,
  hourMinute,
  msOf,
  reasonInWords,
  segmentName,
  share,
  timeOfDay,
} from '../model/format.js';
import { changeView, view } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { axisOf, planTimeline, ticksOf, type Bar, type Span } from '../model/timeline-plan.js';
import { Icon } from '../ui/icon.js';
import { Legend } from '../ui/legend.js';
import { Meter, Panel } from '../ui/panel.js';
import type { TimelineGap, TimelineSegment } from '../wire.js';

/** A segment that left this disk is either lost or in a store: the two must look different. */
type State = TimelineSegment['state'] | 'remote';

function stateOf({ state, stores = [] }: TimelineSegment): State {
  return state === 'evicted' && stores.length > 0 ? 'remote' : state;
}

function nameOf(segment: TimelineSegment): string {
  return states.find(([state]) => state === stateOf(segment))?.[1] ?? segment.state;
}

/** In the order of a segment's life, with the names of the legend. */
const states: readonly (readonly [State, string])[] = [
  ['open', 'open'],
  ['waiting', 'waits to be sealed'],
  ['sealed', 'sealed, only here'],
  ['uploading', 'uploading'],
  ['uploaded', 'uploaded'],
  ['remote', 'in the store only'],
  ['evicted', 'evicted, never uploaded'],
  ['quarantined', 'quarantined'],
];

const spans: readonly (readonly [number, string])[] = [
  [0, 'Fit'],
  [15, '15 min'],
  [60, '1 h'],
  [360, '6 h'],
  [1_440, '24 h'],
];

const LISTED_MAX = 60;
/** Number of events named below the timeline, the newest. */
const MARKS_MAX = 6;

export function Timeline() {
  const { list, omitted } = useStore(segments);
  const now = useStore(status);
  const { robot, spanMin } = useStore(view);
  useStore(secondTick);
  const shown = useMemo(
    () => (robot === '' ? list : list.filter((one) => one.robot === undefined || one.robot === robot)),
    [list, robot],
  );
  return (
    <Panel
      title="Segments"
      area="timeline"
      aside={
        <div class="choices" role="group" aria-label="Time shown">
          {spans.map(([minutes, name]) => (
            <button
              key={minutes}
              type="button"
              class="choice"
              aria-pressed={spanMin === minutes}
              onClick={() => changeView({ spanMin: minutes })}
            >
              {name}
            </button>
          ))}
        </div>
      }
    >
      <StateLegend list={shown} />
      <Lanes
        list={shown}
        robots={robot === '' ? (now?.recorder.robots ?? []).map((one) => one.robot) : [robot]}
      />
      {omitted > 0 ? <p class="empty">{count(omitted)} older segments are not shown.</p> : null}
      <details class="segment-list">
        <summary>List of segments</summary>
        <SegmentTable list={shown} />
      </details>
    </Panel>
  );
}

/** The legend with the number of each state. */
function StateLegend({ list }: { readonly list: readonly TimelineSegment[] }) {
  const entries = states.map(([state, name]) => ({
    ...{ key: state, name, style: `seg-${state}` },
    count: list.filter((one) => stateOf(one) === state).length,
  }));
  return (
    <Legend entries={entries} gaps={list.reduce((sum, one) => sum + one.gaps.length + one.moreGaps, 0)} />
  );
}

function Lanes({
  list,
  robots,
}: {
  readonly list: readonly TimelineSegment[];
  readonly robots: readonly string[];
}) {
  const { spanMin } = useStore(view);
  const { fromMs, toMs } = axisOf(list, spanMin, serverNow());
  // There may be hundreds of bars, so they change only with a segment or the axis.
  return useMemo(
    () => <Drawing list={list} robots={robots} axis={{ fromMs, toMs }} />,
    [list, robots.join('\n'), fromMs, toMs],
  );
}

function Drawing({
  list,
  robots,
  axis,
}: {
  readonly list: readonly TimelineSegment[];
  readonly robots: readonly string[];
  readonly axis: Span;
}) {
  const { lanes, hidden, marks } = planTimeline(list, robots, axis, status.get());
  if (lanes.length === 0) return <p class="empty">Nothing has been recorded yet.</p>;
  return (
    <>
      <div
        class="timeline"
        role="img"
        aria-label={`Timeline from ${hourMinute(axis.fromMs)} to now; the list of segments below has the same content as text`}
      >
        {marks.length === 0 ? null : (
          <div class="lane lane-marks">
            <span class="lane-name">marked</span>
            <div class="lane-track">
              {marks.map((mark) => (
                <span
                  key={mark.event.id}
                  class="mark-window"
                  title={`${mark.event.label}, ${timeOfDay(mark.atMs)}`}
                  style={{ left: place(mark.fromMs, axis), right: rest(mark.toMs, axis) }}
                />
              ))}
            </div>
          </div>
        )}
        {lanes.map(({ robot, bars }) => (
          <div key={robot} class="lane">
            <span class="lane-name">{robot}</span>
            <div class="lane-track">
              {bars.map((bar) => (
                <BarView key={bar.segment.segment} bar={bar} axis={axis} />
              ))}
            </div>
          </div>
        ))}
        <div class="lane lane-axis">
          <span class="lane-name" />
          <div class="lane-track">
            {ticksOf(axis, 6).map((at) => (
              <span key={at} class="tick" style={{ left: place(at, axis) }}>
                {axis.toMs - axis.fromMs < 300_000 ? timeOfDay(at) : hourMinute(at)}
              </span>
            ))}
          </div>
        </div>
      </div>
      {marks.length === 0 ? null : (
        <ul class="marks" role="list" aria-label="Marked events">
          {marks.slice(-MARKS_MAX).map(({ event, atMs }) => (
            <li key={event.id}>
              <Icon name="flag" />
              {event.label} <time>{timeOfDay(atMs)}</time>
            </li>
          ))}
        </ul>
      )}
      {hidden > 0 ? <p class="empty">{count(hidden)} older segments in this time are not drawn.</p> : null}
    </>
  );
}

function BarView({ bar, axis }: { readonly bar: Bar; readonly axis: Span }) {
  const { segment } = bar;
  return (
    <span
      class={`bar seg-${stateOf(segment)}`}
      data-segment={segment.segment}
      data-state={stateOf(segment)}
      title={barTitle(segment)}
      style={{ left: place(bar.fromMs, axis), right: rest(bar.toMs, axis) }}
    >
      {segment.state === 'uploading' ? (
        <span class="bar-progress" style={{ width: `${((segment.progress ?? 0) * 100).toFixed(1)}%` }} />
      ) : null}
      {bar.gaps.map(({ gap, fromMs, toMs }, index) => (
        <span
          key={index}
          class={`bar-gap ${gap.topic === undefined ? 'bar-gap-all' : ''}`}
          title={gapText(gap)}
          style={within(fromMs, toMs, bar)}
        />
      ))}
    </span>
  );
}

/** The position of a time on the axis. */
function place(at: number, { fromMs, toMs }: Span): string {
  return `${clamp(((at - fromMs) / (toMs - fromMs)) * 100).toFixed(3)}%`;
}

function rest(at: number, { fromMs, toMs }: Span): string {
  return `${clamp(((toMs - at) / (toMs - fromMs)) * 100).toFixed(3)}%`;
}

function within(fromMs: number, toMs: number, bar: Span): { left: string; width: string } {
  const length = Math.max(1, bar.toMs - bar.fromMs);
  const left = clamp(((fromMs - bar.fromMs) / length) * 100);
  const width = clamp(((toMs - fromMs) / length) * 100);
  return { left: `${left.toFixed(2)}%`, width: `${Math.min(width, 100 - left).toFixed(2)}%` };
}

function clamp(value: number): number {
  return Math.min(100, Math.max(0, value));
}

function barTitle(segment: TimelineSegment): string {
  const parts = [
    `Segment ${segmentName(segment.segment)}${segment.robot === undefined ? '' : `, ${segment.robot}`}: ${nameOf(segment)}`,
    bytes(segment.bytes),
    ...(segment.messages === undefined ? [] : [counted(segment.messages, 'message')]),
    timesOf(segment),
    ...(segment.progress === undefined ? [] : [`${share(segment.progress)} sent`]),
    ...(segment.reason === undefined ? [] : [segment.reason]),
    ...(segment.gaps.length > 0 ? [counted(segment.gaps.length + segment.moreGaps, 'gap')] : []),
  ];
  return parts.join(' · ');
}

function timesOf({ firstLogTime, lastLogTime }: TimelineSegment): string {
  if (firstLogTime === undefined) return 'times unknown';
  const first = timeOfDay(msOf(firstLogTime));
  return lastLogTime === undefined ? `from ${first}` : `${first} to ${timeOfDay(msOf(lastLogTime))}`;
}

function gapText({ reason, topic, count: lost }: TimelineGap): string {
  const what = lost === undefined ? 'an unknown number of messages' : counted(lost, 'message');
  return `Gap: ${what}${topic === undefined ? '' : ` of ${topic}`}; ${reasonInWords(reason)}`;
}

function SegmentTable({ list }: { readonly list: readonly TimelineSegment[] }) {
  const newest = list.slice(-LISTED_MAX).reverse();
  return (
    <div class="scroll" role="region" aria-label="Segment table" tabIndex={0}>
      <table class="grid segment-grid">
        <thead>
          <tr>
            <th scope="col" class="num">
              Segment
            </th>
            <th scope="col">Robot</th>
            <th scope="col">State</th>
            <th scope="col">Messages from, to</th>
            <th scope="col" class="num">
              Messages
            </th>
            <th scope="col" class="num">
              Size
            </th>
            <th scope="col">Gaps</th>
          </tr>
        </thead>
        <tbody>
          {newest.map((one) => (
            <tr key={`${one.segment}/${one.robot ?? ''}`}>
              <th scope="row" class="num" title={one.segment}>
                {segmentName(one.segment)}
              </th>
              <td>{one.robot ?? 'all'}</td>
              <td>
                <span class="state-cell">
                  <span class={`chip seg-${stateOf(one)}`} aria-hidden="true" />
                  {nameOf(one)}
                  {one.state === 'uploading' ? (
                    <Meter
                      value={one.progress ?? 0}
                      label={`Upload of segment ${segmentName(one.segment)}`}
                      text={`${share(one.progress ?? 0)} sent`}
                      tone="info"
                    />
                  ) : null}
                </span>
              </td>
              <td>{timesOf(one)}</td>
              <td class="num">{one.messages === undefined ? '–' : count(one.messages)}</td>
              <td class="num">{bytes(one.bytes)}</td>
              <td>{gapsInWords(one)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function gapsInWords({ gaps, moreGaps, reason }: TimelineSegment): string {
  if (gaps.length === 0) return reason ?? 'none';
  const reasons = [...new Set(gaps.map((gap) => reasonInWords(gap.reason)))].join(', ');
  return `${count(gaps.length + moreGaps)}: ${reasons}`;
}
