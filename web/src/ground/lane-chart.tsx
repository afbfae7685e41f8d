import { hourMinute, timeOfDay } from '../model/format.js';
import { ticksOf, type Span } from '../model/timeline-plan.js';

const DAY_MS = 86_400_000;

/** Something that was recorded from a time to another. */
export interface LaneBar extends Span {
  readonly key: string;
  readonly state: string;
  /** Class of its colour. */
  readonly style: string;
  readonly title: string;
  readonly hasGaps: boolean;
  /** The page about it. */
  readonly address?: string;
}

export interface Lane {
  readonly name: string;
  readonly bars: readonly LaneBar[];
}

/** Bars on one axis of time. A table beside it must have the same content as text. */
export function LaneChart({ lanes, label }: { readonly lanes: readonly Lane[]; readonly label: string }) {
  const axis = axisOf(lanes);
  if (axis === undefined) return null;
  const title = `${label} from ${timeOfDay(axis.fromMs)} to ${timeOfDay(axis.toMs)}; the table below has the same content as text`;
  return (
    <div class="timeline" role="img" aria-label={title}>
      {lanes.map(({ name, bars }) => (
        <div key={name} class="lane" data-lane={name}>
          <span class="lane-name">{name}</span>
          <div class="lane-track">
            {bars.map((bar) => (
              <BarView key={bar.key} bar={bar} axis={axis} />
            ))}
          </div>
        </div>
      ))}
      <Axis axis={axis} />
    </div>
  );
}

function BarView({ bar, axis }: { readonly bar: LaneBar; readonly axis: Span }) {
  const { state, style, title, hasGaps, address, fromMs, toMs } = bar;
  return (
    <span
      class={`bar ${style}${address === undefined ? '' : ' bar-link'}`}
      data-state={state}
      title={title}
      style={{ left: place(fromMs, axis), right: rest(toMs, axis) }}
      onClick={() => {
        if (address !== undefined) location.hash = address;
      }}
    >
      {hasGaps ? <span class="bar-gap bar-gap-some" /> : null}
    </span>
  );
}

function Axis({ axis }: { readonly axis: Span }) {
  const isLong = axis.toMs - axis.fromMs > DAY_MS;
  const isShort = axis.toMs - axis.fromMs < 300_000;
  return (
    <div class="lane lane-axis">
      <span class="lane-name" />
      <div class="lane-track">
        {ticksOf(axis, isLong ? 3 : 6)
          .slice(0, 12)
          .map((at) => (
            <span key={at} class="tick" style={{ left: place(at, axis) }}>
              {isLong || isShort ? timeOfDay(at) : hourMinute(at)}
            </span>
          ))}
      </div>
    </div>
  );
}

function axisOf(lanes: readonly Lane[]): Span | undefined {
  let [fromMs, toMs] = [Infinity, -Infinity];
  for (const { bars } of lanes)
    for (const bar of bars) {
      fromMs = Math.min(fromMs, bar.fromMs);
      toMs = Math.max(toMs, bar.toMs);
    }
  return fromMs > toMs ? undefined : { fromMs, toMs: Math.max(toMs, fromMs + 1_000) };
}

function place(at: number, { fromMs, toMs }: Span): string {
  return `${(((at - fromMs) / (toMs - fromMs)) * 100).toFixed(3)}%`;
}

function rest(at: number, { fromMs, toMs }: Span): string {
  return `${(((toMs - at) / (toMs - fromMs)) * 100).toFixed(3)}%`;
}
