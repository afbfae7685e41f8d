import {
  bytes,
  count,
  counted,
  duration,
  hourMinute,
  msOf,
  segmentName,
  timeOfDay,
} from '../model/format.js';
import { ticksOf, type Span } from '../model/timeline-plan.js';
import { recordingAddress } from './model.js';
import type { FoundRecording } from './wire.js';

/** More could not be told apart. */
const LANES_MAX = 40;
const BARS_MAX = 1_500;
const DAY_MS = 86_400_000;

const states: readonly (readonly [FoundRecording['state'], string, string])[] = [
  ['stored', 'in the store', 'seg-uploaded'],
  ['local', 'on the robot only', 'seg-sealed'],
  ['missing', 'missing in the store', 'seg-quarantined'],
  ['evicted', 'evicted, never uploaded', 'seg-evicted'],
];

/** When the found recordings of each robot were recorded, and where they are. */
export function RecordingTimeline({ recordings }: { readonly recordings: readonly FoundRecording[] }) {
  const timed = recordings.filter(
    ({ firstLogTime: first, lastLogTime: last }) => first !== null && last !== null,
  );
  const shown = timed.slice(0, BARS_MAX);
  const robots = [...new Set(shown.map(({ robot }) => robot))].sort();
  if (shown.length === 0) return null;
  const axis = axisOf(shown);
  const title = `Timeline from ${timeOfDay(axis.fromMs)} to ${timeOfDay(axis.toMs)}; the table below has the same content as text`;
  return (
    <div class="recording-timeline">
      <Legend recordings={recordings} />
      <div class="timeline" role="img" aria-label={title}>
        {robots.slice(0, LANES_MAX).map((robot) => (
          <div key={robot} class="lane" data-lane={robot}>
            <span class="lane-name">{robot}</span>
            <div class="lane-track">
              {shown
                .filter((one) => one.robot === robot)
                .map((one) => (
                  <Bar key={one.recording} one={one} axis={axis} />
                ))}
            </div>
          </div>
        ))}
        <Axis axis={axis} />
      </div>
      {robots.length > LANES_MAX ? (
        <p class="empty">{counted(robots.length - LANES_MAX, 'more robot')} not drawn: search by robot.</p>
      ) : null}
    </div>
  );
}

function Legend({ recordings }: { readonly recordings: readonly FoundRecording[] }) {
  const gaps = recordings.reduce((sum, one) => sum + one.gaps, 0);
  return (
    <ul class="legend" role="list">
      {states.map(([state, name, style]) => {
        const found = recordings.filter((one) => one.state === state).length;
        return found === 0 ? null : (
          <li key={state}>
            <span class={`chip ${style}`} aria-hidden="true" />
            {count(found)} {name}
          </li>
        );
      })}
      {gaps > 0 ? (
        <li>
          <span class="chip chip-gap" aria-hidden="true" />
          {counted(gaps, 'gap')}
        </li>
      ) : null}
    </ul>
  );
}

function Bar({ one, axis }: { readonly one: FoundRecording; readonly axis: Span }) {
  const [first, last] = [msOf(one.firstLogTime ?? '0'), msOf(one.lastLogTime ?? '0')];
  const [, name, style] = states.find(([state]) => state === one.state) ?? ['', one.state, ''];
  const facts = [
    `Segment ${segmentName(one.segment)}: ${name}`,
    `${timeOfDay(first)}, ${duration(last - first)}`,
    bytes(one.bytes),
    counted(one.messages, 'message'),
    ...(one.gaps > 0 ? [counted(one.gaps, 'gap')] : []),
  ];
  return (
    <span
      class={`bar ${style}`}
      data-state={one.state}
      title={facts.join(' · ')}
      style={{ left: place(first, axis), right: rest(last, axis) }}
      onClick={() => (location.hash = recordingAddress(one.recording))}
    >
      {one.gaps > 0 ? <span class="bar-gap bar-gap-some" /> : null}
    </span>
  );
}

function Axis({ axis }: { readonly axis: Span }) {
  const isLong = axis.toMs - axis.fromMs > DAY_MS;
  return (
    <div class="lane lane-axis">
      <span class="lane-name" />
      <div class="lane-track">
        {ticksOf(axis, isLong ? 3 : 6)
          .slice(0, 12)
          .map((at) => (
            <span key={at} class="tick" style={{ left: place(at, axis) }}>
              {isLong ? timeOfDay(at) : hourMinute(at)}
            </span>
          ))}
      </div>
    </div>
  );
}

function axisOf(shown: readonly FoundRecording[]): Span {
  let [fromMs, toMs] = [Infinity, -Infinity];
  for (const { firstLogTime, lastLogTime } of shown) {
    fromMs = Math.min(fromMs, msOf(firstLogTime ?? '0'));
    toMs = Math.max(toMs, msOf(lastLogTime ?? '0'));
  }
  return { fromMs, toMs: Math.max(toMs, fromMs + 1_000) };
}

function place(at: number, { fromMs, toMs }: Span): string {
  return `${(((at - fromMs) / (toMs - fromMs)) * 100).toFixed(3)}%`;
}

function rest(at: number, { fromMs, toMs }: Span): string {
  return `${(((toMs - at) / (toMs - fromMs)) * 100).toFixed(3)}%`;
}
