import { TIME_BUCKETS, type ReportData, type Series } from './report-data.js';
import { html, type SafeHtml } from './safe-html.js';
import { coarser, PATH_HEIGHT, seriesPath } from './series-path.js';
import { numberTicks, tickLabel } from './ticks.js';
import { CHART_TICKS, eventMarks, timeGrid, timeLabels, type TimeAxis } from './time-axis.js';

const CHART_PX = 128;
/** Number of colours; further lines differ by their dashes. */
const COLOURS = 6;

export interface ChartLine {
  readonly label: string;
  /** Index of the colour, from 0. */
  readonly colour: number;
  readonly series: Pick<Series, 'min' | 'max' | 'count' | 'notFinite'>;
}

export interface ChartOptions {
  readonly data: ReportData;
  readonly axis: TimeAxis;
  /** Title of the figure. Hidden if a heading above shows it. */
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly ChartLine[];
  /** The line continues across silences up to this length, seconds. */
  readonly joinS: number;
  /** Fixed bounds, for charts that are compared with each other. */
  readonly bounds?: readonly [number, number];
  /** Number of buckets that are merged into one, to bound the page. */
  readonly factor: number;
  /** Names that the filter matches. */
  readonly topic?: string;
  readonly robot?: string;
}

/** A chart over time. It is drawn on the server, so it needs no script. */
export function timeChart(options: ChartOptions): SafeHtml {
  const { data, axis, title, unit, lines, joinS, factor, topic, robot } = options;
  const bounds = options.bounds ?? boundsOf(lines.map(({ series }) => series));
  const ticks = numberTicks(bounds[0], bounds[1], 3);
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : 0;
  const y = (value: number): string =>
    `${((100 * (bounds[1] - value)) / (bounds[1] - bounds[0])).toFixed(2)}%`;
  const columns = Math.ceil(TIME_BUCKETS / factor);
  const join = Math.max(1.5, (joinS / axis.lengthS) * columns);
  const paths = lines.map(({ label, series, colour }) => {
    const drawn = coarser(series, factor);
    return html`<path
      class="line ${lineClass(colour)}"
      data-label="${label}"
      d="${seriesPath(drawn, bounds, join)}"
    />`;
  });
  const spoken = lines
    .map(({ label, series }) => `${label || title}: ${rangeText(series)}${unit === '' ? '' : ` ${unit}`}`)
    .join('; ');
  return html`<figure class="chart" data-topic="${topic ?? ''}" data-robot="${robot ?? ''}">
    <figcaption>
      <span class="chart-title"
        ><bdi>${title}</bdi>${unit !== '' && html` <span class="dim">${unit}</span>`}</span
      >${lines.length > 1 && legend(lines)}
    </figcaption>
    <div class="chart-grid">
      <svg class="ylabels" height="${CHART_PX}" aria-hidden="true">
        ${ticks.map((tick) => html`<text x="100%" y="${y(tick)}" dy="4" text-anchor="end">${tickLabel(tick, step)}</text>`)}
      </svg>
      <svg
        class="plot"
        height="${CHART_PX}"
        role="img"
        aria-label="${spoken}"
        data-lo="${bounds[0]}"
        data-hi="${bounds[1]}"
        data-unit="${unit}"
      >
        ${ticks.map((tick) => html`<line class="grid${tick === 0 && ' zero'}" x2="100%" y1="${y(tick)}" y2="${y(tick)}" />`)}${timeGrid(axis, CHART_TICKS)}${eventMarks(data, axis)}<svg
          class="zoomed"
          width="100%"
          height="100%"
          viewBox="0 0 ${columns} ${PATH_HEIGHT}"
          preserveAspectRatio="none"
        >
          ${paths}
        </svg>
      </svg>
      <span></span>${timeLabels(axis, CHART_TICKS)}
    </div>
    ${notFinite(lines)}
  </figure>`;
}

export function lineClass(colour: number, isDashed = colour >= COLOURS): string {
  return `c${(colour % COLOURS) + 1}${isDashed ? ' dashed' : ''}`;
}

export function legend(lines: readonly { readonly label: string; readonly colour: number }[]): SafeHtml {
  return html`<span class="keys"
    >${lines.map(
      ({ label, colour }) =>
        html`<span class="key"
          ><svg width="18" height="10" aria-hidden="true">
            <line class="line ${lineClass(colour)}" x2="18" y1="5" y2="5" /></svg
          ><bdi>${label}</bdi></span
        >`,
    )}</span
  >`;
}

/** The smallest and largest value of several series, with a margin; also around a constant. */
export function boundsOf(series: readonly Pick<Series, 'min' | 'max'>[]): readonly [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const { min, max } of series) {
    for (let i = 0; i < min.length; i++) {
      if (min[i]! < low) low = min[i]!;
      if (max[i]! > high) high = max[i]!;
    }
  }
  if (!(low <= high)) return [0, 1];
  const air = high > low ? 0.04 * (high - low) : Math.max(Math.abs(high) * 0.05, 1e-9, high === 0 ? 1 : 0);
  const [from, to] = [low - air, high + air];
  // The largest doubles leave no space for a margin.
  return Number.isFinite(to - from) && to > from ? [from, to] : [low / 2 - 1, high / 2 + 1];
}

function rangeText({ min, max, count }: ChartLine['series']): string {
  if (count === 0) return 'no value';
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < min.length; i++) {
    if (min[i]! < low) low = min[i]!;
    if (max[i]! > high) high = max[i]!;
  }
  return `${Number(low.toPrecision(4))} to ${Number(high.toPrecision(4))}`;
}

function notFinite(lines: readonly ChartLine[]): SafeHtml | undefined {
  const count = lines.reduce((sum, { series }) => sum + series.notFinite, 0);
  return count === 0
    ? undefined
    : html`<p class="note">${count.toLocaleString('en')} values are NaN or infinite and not drawn.</p>`;
}
