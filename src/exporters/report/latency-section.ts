import { humanCount } from '../../core/human-numbers.js';
import { present } from '../../core/present.js';
import { timeChart } from './chart.js';
import { joinOf, relativeName } from './field-section.js';
import type { LatencyFacts, ReportData, TopicFacts } from './report-data.js';
import { gridTable, num } from './grid-table.js';
import { html, type SafeHtml } from './safe-html.js';
import type { TimeAxis } from './time-axis.js';
import { latencyText } from './words.js';

type WithLatency = TopicFacts & { readonly latency: LatencyFacts };
const BINS_WIDTH = 160;
const BINS_HEIGHT = 22;
const CHARTS_MAX = 60;

/** Receipt minus header stamp: distribution, and course over time. */
export function latencySection(data: ReportData, axis: TimeAxis, factor: number): SafeHtml | undefined {
  const topics = data.topics.filter((topic): topic is WithLatency => topic.latency !== undefined);
  if (topics.length === 0) return undefined;
  const rows = topics.map((topic) => {
    const { latency } = topic;
    const cells =
      latency.count === 0
        ? html`<td colspan="6" class="dim">stamps are never set</td>`
        : html`<td>${histogram(latency)}</td>
            ${[latency.minMs, latency.p50Ms, latency.p95Ms, latency.p99Ms, latency.maxMs].map((ms) => html`<td class="num${ms < 0 && ' tone-warn'}">${latencyText(ms)}</td>`)}`;
    return html`<tr data-topic="${topic.topic}" data-robot="${topic.robot}">
      <th scope="row">
        <bdi class="breakable">${topic.topic}</bdi
        >${latency.unset > 0 && latency.count > 0 && html` <small class="type">${humanCount(latency.unset)} stamps not set</small>`}
      </th>
      ${cells}
    </tr>`;
  });
  const groups = new Map<string, WithLatency[]>();
  for (const topic of topics.filter(({ latency }) => latency.count > 1).slice(0, CHARTS_MAX)) {
    const name = relativeName(topic);
    groups.set(name, [...(groups.get(name) ?? []), topic]);
  }
  const charts = [...groups].map(([name, same]) =>
    timeChart({
      data,
      axis,
      title: name,
      unit: 'ms',
      lines: same.map(({ robot, latency: { series } }) => ({ label: robot, colour: series.robot, series })),
      joinS: Math.max(...same.map(({ robot, topic }) => joinOf(data, robot, topic, axis))),
      factor,
      topic: same.map(({ topic }) => topic).join(' '),
    }),
  );
  return html`<section class="panel" id="latency" aria-labelledby="latency-h">
    <div class="panel-head">
      <h2 id="latency-h">Latency</h2>
      <span class="panel-aside">receipt by the recorder minus the header's stamp</span>
    </div>
    <p class="note">
      Below zero the stamps are ahead of the recorder's clock: the clocks of the two machines differ. Times
      from a sensor's own clock show as a large constant.
    </p>
    ${gridTable({ label: 'Latency by topic', kind: 'latency', columns: ['topic', 'distribution', num('least'), num('median'), num('95 %'), num('99 %'), num('most')], rows })}
    <details open>
      <summary>Latency over time</summary>
      <div class="charts">${charts}</div>
    </details>
  </section>`;
}

/** Bars from the smallest to the largest value; far outliers are listed separately. */
function histogram({ bins, boundsMs }: LatencyFacts): SafeHtml {
  const most = Math.max(...bins);
  const width = BINS_WIDTH / bins.length;
  let path = '';
  bins.forEach((count, i) => {
    if (count === 0) return;
    // The square root keeps rare values visible beside frequent ones.
    const height = Math.max(1.5, Math.sqrt(count / most) * BINS_HEIGHT).toFixed(1);
    path += `M${(i * width).toFixed(1)} ${BINS_HEIGHT}v-${height}h${(width - 0.5).toFixed(1)}v${height}z`;
  });
  const label = `from ${latencyText(boundsMs[0]!)} to ${latencyText(present(boundsMs.at(-1)))}`;
  return html`<svg
    class="bins"
    width="${BINS_WIDTH}"
    height="${BINS_HEIGHT}"
    role="img"
    aria-label="distribution ${label}"
  >
    <title>${label}; heights are square roots of counts</title>
    <path class="rate" d="${path}" />
  </svg>`;
}
