import { humanCount } from '../../core/human-numbers.js';
import { present } from '../../core/present.js';
import { lineClass } from './chart.js';
import type { ReportData, Track, TrackPlot } from './report-data.js';
import { html, type SafeHtml } from './safe-html.js';
import { numberTicks, tickLabel } from './ticks.js';

const WIDTH = 560;
const HEIGHT = 420;
const MARGIN = { left: 84, right: 14, top: 12, bottom: 30 };
const METRES_PER_DEGREE = 111_195;
/** Minimum side of the shown area, metres: a standing robot is a dot and not noise over the whole plot. */
const LEAST_M = 2;

/** The paths of the robots. */
export function trackSection(data: ReportData): SafeHtml | undefined {
  if (data.tracks.length === 0) return undefined;
  return html`<section class="panel" id="tracks" aria-labelledby="tracks-h">
    <div class="panel-head">
      <h2 id="tracks-h">Where they went</h2>
      <span class="panel-aside">circle: begin, square: end; both axes have one scale</span>
    </div>
    <div class="tracks">${data.tracks.map((plot) => trackFigure(plot))}</div>
  </section>`;
}

interface View {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly xs: readonly number[];
  readonly ys: readonly number[];
  /** Pixels per metre. */
  readonly metrePx: number;
}

function trackFigure(plot: TrackPlot): SafeHtml {
  const { title, kind, tracks } = plot;
  const isGeographic = kind === 'geographic';
  const view = viewOf(plot);
  const lines = tracks.map((track) => ({ label: labelOf(track, tracks), className: classOf(track, tracks) }));
  // Noise in satellite positions would make the paths too long.
  const spoken = lines
    .map(({ label }, i) => (isGeographic ? label : `${label}: ${metres(tracks[i]!.lengthM)}`))
    .join('; ');
  const rows = tracks.map(
    (track, i) =>
      html`<tr>
        <td>
          <svg width="18" height="10" aria-hidden="true">
            <line class="line ${lines[i]!.className}" x2="18" y1="5" y2="5" />
          </svg>
          <bdi>${lines[i]!.label}</bdi>
        </td>
        ${!isGeographic && html`<td class="num">${metres(track.lengthM)}</td>`}
        <td class="num">${humanCount(track.count)}</td>
      </tr>`,
  );
  return html`<figure class="track">
    <figcaption><h3>${title}</h3></figcaption>
    <svg class="map" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}: ${spoken}">
      <g>${gridLines(view, isGeographic)}</g>
      ${tracks.map((track) => html`<path class="line ${classOf(track, tracks)}" d="${trackPath(track, view)}" />`)}${tracks.map((track) => ends(track, view, classOf(track, tracks)))}${isGeographic && scaleBar(view)}
      <text class="axis" x="${WIDTH - MARGIN.right}" y="${HEIGHT - MARGIN.bottom - 6}" text-anchor="end">
        ${isGeographic ? 'longitude °' : 'x, m'}
      </text>
      <text class="axis" x="${MARGIN.left + 6}" y="${MARGIN.top + 12}">
        ${isGeographic ? 'latitude °' : 'y, m'}
      </text>
    </svg>
    <table class="grid small">
      <caption class="unseen">
        ${title}: tracks
      </caption>
      <thead>
        <tr>
          <th scope="col">track</th>
          ${!isGeographic && html`<th scope="col" class="num">way</th>`}
          <th scope="col" class="num">positions</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </figure>`;
}

function gridLines(view: View, isGeographic: boolean): SafeHtml[] {
  return [
    ...view.xs.map((value) => {
      const x = view.x(value).toFixed(1);
      return html`<line
          class="grid"
          x1="${x}"
          x2="${x}"
          y1="${MARGIN.top}"
          y2="${HEIGHT - MARGIN.bottom}"
        /><text x="${x}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle"
          >${axisLabel(value, view.xs, isGeographic)}</text
        >`;
    }),
    ...view.ys.map((value) => {
      const y = view.y(value).toFixed(1);
      return html`<line
          class="grid"
          x1="${MARGIN.left}"
          x2="${WIDTH - MARGIN.right}"
          y1="${y}"
          y2="${y}"
        /><text x="${MARGIN.left - 6}" y="${y}" dy="4" text-anchor="end"
          >${axisLabel(value, view.ys, isGeographic)}</text
        >`;
    }),
  ];
}

/** One colour per robot; further lines of the same robot are dashed. */
function classOf(track: Track, tracks: readonly Track[]): string {
  const isFirst = tracks.find(({ robotIndex }) => robotIndex === track.robotIndex) === track;
  return lineClass(track.robotIndex, !isFirst);
}

function labelOf({ robot, label }: Track, tracks: readonly Track[]): string {
  const same = tracks.filter((one) => one.robot === robot);
  return same.length === 1 && robot !== '' ? robot : label;
}

function viewOf({ kind, tracks }: TrackPlot): View {
  let [minX, maxX, minY, maxY] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { points } of tracks) {
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = [points[i]!, points[i + 1]!];
      if (Number.isNaN(x)) continue;
      [minX, maxX] = [Math.min(minX, x), Math.max(maxX, x)];
      [minY, maxY] = [Math.min(minY, y), Math.max(maxY, y)];
    }
  }
  const middle = [(minX + maxX) / 2, (minY + maxY) / 2] as const;
  // Metres per unit, in both directions.
  const unitY = kind === 'geographic' ? METRES_PER_DEGREE : 1;
  const unitX =
    kind === 'geographic' ? METRES_PER_DEGREE * Math.max(0.01, Math.cos((middle[1] * Math.PI) / 180)) : 1;
  const [wide, high] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const needX = Math.max(LEAST_M, 1.1 * (maxX - minX) * unitX);
  const needY = Math.max(LEAST_M, 1.1 * (maxY - minY) * unitY);
  const metrePx = Math.min(wide / needX, high / needY);
  const [halfX, halfY] = [wide / metrePx / unitX / 2, high / metrePx / unitY / 2];
  return {
    x: (value) => MARGIN.left + wide / 2 + (value - middle[0]) * unitX * metrePx,
    y: (value) => MARGIN.top + high / 2 - (value - middle[1]) * unitY * metrePx,
    xs: numberTicks(middle[0] - halfX, middle[0] + halfX, kind === 'geographic' ? 4 : 6),
    ys: numberTicks(middle[1] - halfY, middle[1] + halfY, 5),
    metrePx,
  };
}

function axisLabel(value: number, ticks: readonly number[], isGeographic: boolean): string {
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : 0;
  return isGeographic
    ? value.toFixed(Math.max(2, Math.min(7, Math.ceil(-Math.log10(step || 1e-5)))))
    : tickLabel(value, step);
}

/** Rounded to half a pixel; points at the same place are drawn once. */
function trackPath({ points }: Track, view: View): string {
  let path = '';
  let [lastX, lastY] = [NaN, NaN];
  let isUp = true;
  for (let i = 0; i < points.length; i += 2) {
    if (Number.isNaN(points[i]!)) {
      isUp = true;
      continue;
    }
    const [x, y] = [Math.round(2 * view.x(points[i]!)) / 2, Math.round(2 * view.y(points[i + 1]!)) / 2];
    if (isUp) path += `M${x} ${y}h0`;
    else if (x !== lastX || y !== lastY) path += `L${x} ${y}`;
    [lastX, lastY, isUp] = [x, y, false];
  }
  return path;
}

/** The shape marks start and end. */
function ends({ points }: Track, view: View, className: string): SafeHtml | undefined {
  if (points.length < 2) return undefined;
  const [x, y] = [view.x(points[0]!), view.y(points[1]!)];
  const [endX, endY] = [view.x(present(points.at(-2))), view.y(present(points.at(-1)))];
  return html`<circle class="end ${className}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4.5" /><rect
      class="end ${className}"
      x="${(endX - 4).toFixed(1)}"
      y="${(endY - 4).toFixed(1)}"
      width="8"
      height="8"
    />`;
}

function scaleBar({ metrePx }: View): SafeHtml {
  const wanted = 110 / metrePx;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const length = power * ([5, 2, 1].find((factor) => factor * power <= wanted) ?? 1);
  const [x, y] = [MARGIN.left + 10, HEIGHT - MARGIN.bottom - 12];
  return html`<path class="scale" d="M${x} ${y - 4}v4h${(length * metrePx).toFixed(1)}v-4" /><text
      x="${(x + (length * metrePx) / 2).toFixed(1)}"
      y="${y - 5}"
      text-anchor="middle"
      >${metres(length)}</text
    >`;
}

function metres(length: number): string {
  if (length >= 9_995) return `${(length / 1_000).toFixed(1)} km`;
  return `${length >= 99.95 ? Math.round(length).toLocaleString('en') : Number(length.toPrecision(3))} m`;
}
