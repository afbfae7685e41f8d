import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { dayOf, hourMinute, timeOfDay } from '../model/format.js';
import { scheme } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { colour } from './colour.js';

export interface Curve {
  readonly name: string;
  /** Colour token. */
  readonly token: string;
  /** Drawn dashed, so that two curves differ by more than their colour. */
  readonly dashed?: boolean;
  readonly values: readonly (number | null)[];
  /** The smallest and largest value around each of `values`, drawn as an area. Always or never of a chart. */
  readonly band?: { readonly low: readonly (number | null)[]; readonly high: readonly (number | null)[] };
}

/** Seconds since the Unix epoch. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

const HEIGHT_PX = 118;
const SHORTEST_S = 120;

export interface ChartProps {
  readonly title: string;
  readonly times: readonly number[];
  readonly curves: readonly Curve[];
  /** A value on the axis and beside the title. */
  readonly unit: (value: number) => string;
  readonly summary: string;
  /** The axis fits the values, and spans at least this. Absent: it starts at zero. */
  readonly around?: number;
  /** Beside the title while there is no value. */
  readonly absent?: string;
  /** The time that is shown. Absent: from the first to the last. */
  readonly span?: TimeSpan | undefined;
  /** Beside the title, instead of the last value. */
  readonly now?: string | undefined;
}

/** Curves over time. A screen reader reads the sentence in `summary` instead. */
export function Chart(props: ChartProps) {
  const { title, curves, unit, summary, absent = '–', now } = props;
  const box = usePlot(props);
  return (
    <figure class="chart">
      <figcaption class="chart-head">
        <h3>{title}</h3>
        <span class="chart-now">
          {curves.map((curve) => (
            <span key={curve.name} class="chart-value">
              {curves.length > 1 ? (
                <span class={`swatch swatch-${curve.token} ${curve.dashed ? 'swatch-dashed' : ''}`}>
                  {curve.name}
                </span>
              ) : null}{' '}
              <b>{now ?? lastOf(curve.values, unit, absent)}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div class="chart-box" ref={box} role="img" aria-label={summary} />
    </figure>
  );
}

/** Keeps a plot in the box: made once for each theme, with new data at each rendering. */
function usePlot({ times, curves, unit, around, span }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const colours = useStore(scheme);
  const shown = useRef(span);
  shown.current = span;

  useEffect(() => {
    const host = box.current;
    if (host === null) return;
    const look = { unit, around, spanOf: () => shown.current };
    const made = new uPlot(optionsOf(host.clientWidth, curves, look), dataOf(times, curves), host);
    plot.current = made;
    const sizes = new ResizeObserver(() => {
      if (host.clientWidth > 0) made.setSize({ width: host.clientWidth, height: HEIGHT_PX });
    });
    sizes.observe(host);
    return () => {
      sizes.disconnect();
      made.destroy();
    };
    // Colours are read when the chart is created, so another theme creates it again.
  }, [colours]);

  useEffect(() => {
    if (!document.hidden) plot.current?.setData(dataOf(times, curves));
  });
  return box;
}

function lastOf(values: readonly (number | null)[], unit: (value: number) => string, absent: string): string {
  const last = values.at(-1);
  return last === undefined || last === null ? absent : unit(last);
}

function dataOf(times: readonly number[], curves: readonly Curve[]): uPlot.AlignedData {
  const columns = curves.flatMap(({ values, band }) =>
    band === undefined ? [values] : [values, band.high, band.low],
  );
  return [times as number[], ...(columns as (number | null)[][])];
}

/** From the first to the last; a recording of a few seconds is not stretched over the whole width. */
function timesShown(times: ArrayLike<number>): [number, number] {
  const last = times[times.length - 1] ?? Date.now() / 1_000;
  return [Math.min(times[0] ?? last, last - SHORTEST_S), last];
}

/** The smallest axis that shows the values, with room, and spans at least `least`. */
function fitted(min: number | null, max: number | null, least: number): [number, number] {
  if (min === null || max === null) return [-least / 2, least / 2];
  const middle = (min + max) / 2;
  const half = Math.max(least, (max - min) * 1.24) / 2;
  return [middle - half, middle + half];
}

interface Look {
  readonly unit: (value: number) => string;
  readonly around: number | undefined;
  readonly spanOf: () => TimeSpan | undefined;
}

const DAY_S = 86_400;
/** Distances of times on the axis, seconds; those of uPlot leave one time on an axis of five minutes. */
const TICKS_S = [
  ...[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 28_800, 43_200,
  ],
  ...[1, 2, 3, 5, 7, 10, 15, 30, 60, 90, 180, 365].map((days) => days * DAY_S),
];

/** A time on the axis, as exact as the distance between two of them. */
function tickText(s: number, step: number): string {
  if (step >= DAY_S) return dayOf(s * 1_000);
  return (step < 60 ? timeOfDay : hourMinute)(s * 1_000);
}

function optionsOf(width: number, curves: readonly Curve[], look: Look): uPlot.Options {
  const { unit, around, spanOf } = look;
  const ink = colour('ink-3');
  const line = colour('line');
  const font = '11px B612, sans-serif';
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  return {
    width: Math.max(120, width),
    height: HEIGHT_PX,
    padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'holdfast' }, y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: {
      // uPlot makes a day of a single sample, so the times themselves are used.
      x: {
        time: true,
        range: ({ data: [at] }) => {
          const span = spanOf();
          return span === undefined ? timesShown(at) : [span.from, span.to];
        },
      },
      // Starts at zero, so that small changes do not look large.
      // uPlot passes null if the curves have no values, which its types do not say.
      y: {
        range: (_, min: number | null, max: number | null) =>
          around === undefined ? [0, max === null || max <= 0 ? 1 : max * 1.12] : fitted(min, max, around),
      },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 60,
        incrs: TICKS_S,
        size: 26,
        gap: 8,
        values: (_, at, __, ___, step) => at.map((s) => tickText(s, step)),
      },
      {
        ...axis,
        space: 32,
        size: around === undefined ? 62 : 84,
        gap: 6,
        values: (_, at) => at.map((value) => unit(value)),
      },
    ],
    series: [{}, ...curves.flatMap((curve) => seriesOf(curve))],
    bands: bandsOf(curves),
  };
}

/** Behind the curve of a band are its two edges, which have no line. */
function seriesOf({ name, token, dashed, band }: Curve): uPlot.Series[] {
  const stroke = colour(token);
  const look = dashed ? { dash: [5, 4] } : band === undefined ? { fill: faint(stroke) } : {};
  const common = { spanGaps: false, points: { show: false } };
  const edge = { ...common, label: name, stroke: 'transparent', width: 0 };
  const line = { ...common, ...look, label: name, stroke, width: 1.6 };
  return band === undefined ? [line] : [line, edge, edge];
}

function bandsOf(curves: readonly Curve[]): uPlot.Band[] {
  let index = 1;
  return curves.flatMap(({ token, band }) => {
    const at = index;
    index += band === undefined ? 1 : 3;
    return band === undefined ? [] : [{ series: [at + 1, at + 2], fill: `${colour(token)}33` }];
  });
}

/** The colour (six hex digits), nearly transparent. */
function faint(hex: string): string {
  return `${hex}22`;
}
