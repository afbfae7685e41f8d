import { humanCount } from '../../core/human-numbers.js';
import { boundsOf, timeChart } from './chart.js';
import { joinOf } from './field-section.js';
import { TIME_BUCKETS, type DiagnosticLane, type Plot, type ReportData } from './report-data.js';
import { gridTable, num } from './grid-table.js';
import { html, type SafeHtml } from './safe-html.js';
import { CHART_TICKS, eventMarks, timeLabels, type TimeAxis } from './time-axis.js';
import { counted, timeOfDay } from './words.js';

const LEVELS = ['OK', 'WARN', 'ERROR', 'STALE'] as const;
const SAID_NOTHING = 255;
/** Height of a mark by level, so that levels differ by shape as well as colour. */
const HEIGHTS = [5, 11, 18, 18] as const;
const LANE = 18;

/** Batteries and diagnostics. */
export function healthSection(data: ReportData, axis: TimeAxis, factor: number): SafeHtml | undefined {
  const { battery, diagnostics } = data;
  if (battery.length === 0 && diagnostics.lanes.length === 0) return undefined;
  return html`<section class="panel" id="health" aria-labelledby="health-h">
    <div class="panel-head"><h2 id="health-h">Battery and diagnostics</h2></div>
    ${batteryCharts(data, axis, factor)}${diagnosticTable(data, axis)}
  </section>`;
}

/** All robots in one chart, so that their charges can be compared. */
function batteryCharts(data: ReportData, axis: TimeAxis, factor: number): SafeHtml | undefined {
  const titles = [...new Set(data.battery.map(({ title }) => title))];
  if (titles.length === 0) return undefined;
  const charts = titles.map((title) => {
    const same = data.battery.filter((plot) => plot.title === title);
    const label = labeller(same);
    return timeChart({
      data,
      axis,
      title,
      unit: same[0]!.unit,
      lines: same.map((plot, i) => ({
        label: label(plot),
        colour: new Set(same.map(({ robot }) => robot)).size === same.length ? plot.series[0]!.robot : i,
        series: plot.series[0]!,
      })),
      joinS: Math.max(...same.map(({ robot, topic }) => joinOf(data, robot, topic, axis))),
      bounds: chargeBounds(title, same),
      factor,
      topic: same.map(({ topic }) => topic).join(' '),
    });
  });
  return html`<h3>Battery</h3>
    <div class="charts">${charts}</div>`;
}

function labeller(plots: readonly Plot[]): (plot: Plot) => string {
  return ({ robot, topic }) =>
    robot !== '' && plots.filter((one) => one.robot === robot).length === 1 ? robot : topic;
}

/** A charge has the axis from empty to full, as long as its values match its type. */
function chargeBounds(title: string, plots: readonly Plot[]): readonly [number, number] {
  const bounds = boundsOf(plots.flatMap(({ series }) => series));
  return title === 'charge' && bounds[0] >= -5 && bounds[1] <= 110 ? [0, Math.max(104, bounds[1])] : bounds;
}

function diagnosticTable(data: ReportData, axis: TimeAxis): SafeHtml | undefined {
  const { lanes, omitted } = data.diagnostics;
  if (lanes.length === 0) return undefined;
  const rows = lanes.map((lane) => {
    const [ok, warn, error, stale] = lane.counts;
    const bad = lane.worst === 2 ? 'tone-bad' : lane.worst > 0 ? 'tone-warn' : 'tone-ok';
    return html`<tr data-robot="${lane.robot}">
      <th scope="row">
        <bdi class="breakable">${lane.name || 'no name'}</bdi
        ><small class="type"
          ><bdi>${[lane.robot, lane.hardware].filter((text) => text !== '').join(', ')}</bdi></small
        >
      </th>
      <td class="strip-col">
        <svg
          class="strip"
          height="22"
          role="img"
          aria-label="${LEVELS.map((level, i) => `${level} ${lane.counts[i]}`).join(', ')}"
        >
          <svg
            class="zoomed"
            width="100%"
            height="22"
            viewBox="0 0 ${TIME_BUCKETS} ${LANE + 2}"
            preserveAspectRatio="none"
          >
            ${lanePaths(lane)}</svg
          >${eventMarks(data, axis)}
        </svg>
      </td>
      <td class="num dim">${humanCount(ok)}</td>
      <td class="num${warn > 0 && ' tone-warn'}">${humanCount(warn)}</td>
      <td class="num${error > 0 && ' tone-bad'}">${humanCount(error)}</td>
      <td class="num">${humanCount(stale)}</td>
      <td>
        <span class="${bad}">${LEVELS[lane.worst] ?? '–'}</span>
        <bdi class="breakable">${lane.worstMessage}</bdi
        >${lane.worst > 0 && html`<small class="type">first at ${timeOfDay(axis.startNs, lane.worstAtS)}</small>`}
      </td>
    </tr>`;
  });
  return html`<h3>Diagnostics</h3>
    <p class="legend">
      ${LEVELS.map(
        (level, i) =>
          html`<span class="key"
            ><svg width="14" height="18" aria-hidden="true">
              <rect class="level-${i}" y="${LANE - HEIGHTS[i]!}" width="14" height="${HEIGHTS[i]}" /></svg
            >${level}</span
          >`,
      )}
    </p>
    ${gridTable({
      label: 'Diagnostics',
      caption: 'Diagnostics with their levels over time, worst first',
      kind: 'topics diagnostics',
      columns: [
        'status',
        html`<th scope="col" class="strip-col">
          <span class="unseen">over time</span>${timeLabels(axis, CHART_TICKS)}
        </th>`,
        ...LEVELS.map((level) => num(level)),
        'worst message',
      ],
      rows,
    })}
    ${omitted > 0 && html`<p class="note">${counted(omitted, 'further status', 'further statuses')} not shown.</p>`}`;
}

/** A level holds until the next message, at most for the usual interval between such messages. */
function lanePaths({ levels }: DiagnosticLane): SafeHtml[] {
  const hold = usualDistance(levels);
  const paths = ['', '', '', ''];
  for (let i = 0; i < TIME_BUCKETS; i++) {
    const level = levels[i]!;
    if (level === SAID_NOTHING) continue;
    let end = i + 1;
    while (end < TIME_BUCKETS && end - i < hold && levels[end] === SAID_NOTHING) end++;
    const from = i;
    // Consecutive buckets of one level are one box.
    while (end < TIME_BUCKETS && levels[end] === level) {
      i = end;
      end++;
      while (end < TIME_BUCKETS && end - i < hold && levels[end] === SAID_NOTHING) end++;
    }
    const height = HEIGHTS[level]!;
    paths[level] = `${paths[level]!}M${from} ${LANE}v-${height}h${end - from}v${height}z`;
    i = end - 1;
  }
  return paths.map(
    (path, level) => html`${path !== '' && html`<path class="level-${level}" d="${path}" />`}`,
  );
}

function usualDistance(levels: Uint8Array): number {
  const distances: number[] = [];
  let last = -1;
  levels.forEach((level, i) => {
    if (level === SAID_NOTHING) return;
    if (last >= 0) distances.push(i - last);
    last = i;
  });
  distances.sort((a, b) => a - b);
  return 1.5 * (distances[Math.floor(distances.length / 2)] ?? 1) + 1;
}
