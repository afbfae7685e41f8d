import { defined } from '../../core/defined.js';
import { boundsOf, timeChart } from './chart.js';
import type { Plot, ReportData } from './report-data.js';
import { html, type SafeHtml } from './safe-html.js';
import type { TimeAxis } from './time-axis.js';
import { counted } from './words.js';

/** Without a known rhythm, charts join values that are at most this share of the range apart. */
const JOIN_SHARE = 0.02;

/** Numeric fields of messages. The same topic of several robots shares a chart. */
export function fieldSection(data: ReportData, axis: TimeAxis, factor: number): SafeHtml | undefined {
  if (data.plots.length === 0) return undefined;
  const groups = new Map<string, Plot[]>();
  for (const plot of data.plots) {
    const name = plot.chosen ? 'Chosen' : relativeName(plot);
    groups.set(name, [...(groups.get(name) ?? []), plot]);
  }
  const blocks = [...groups].map(([name, plots], index) => {
    const titles = [...new Set(plots.map(({ title }) => title))];
    const rows = titles.map((title) => {
      const same = plots.filter((plot) => plot.title === title);
      const bounds = boundsOf(same.flatMap(({ series }) => series));
      return html`<div class="charts">
        ${same.map((plot) => fieldChart(plot, data, axis, factor, name === 'Chosen' ? undefined : bounds))}
      </div>`;
    });
    return html`<section class="group" aria-labelledby="field-${index}">
      <h3 id="field-${index}"><bdi>${name}</bdi></h3>
      ${rows}
    </section>`;
  });
  return html`<section class="panel" id="values" aria-labelledby="values-h">
    <div class="panel-head">
      <h2 id="values-h">Values</h2>
      <span class="panel-aside"
        >smallest and largest value of each moment; charts in a row have one scale</span
      >
    </div>
    ${blocks}${data.plotsOmitted > 0 && html`<p class="note">${counted(data.plotsOmitted, 'chart')} more would be too many for one page: choose with --topics or --plot.</p>`}
  </section>`;
}

function fieldChart(
  { robot, topic, title, unit, series, chosen }: Plot,
  data: ReportData,
  axis: TimeAxis,
  factor: number,
  bounds: readonly [number, number] | undefined,
): SafeHtml {
  const name = chosen ? `${topic} ${title}` : robot === '' ? title : `${robot}: ${title}`;
  const prefix = commonPrefix(series.map(({ label }) => label));
  return timeChart({
    data,
    axis,
    title: name,
    unit,
    lines: series.map((one, index) => ({
      label: one.label.slice(prefix.length),
      // A single line has the colour of its robot.
      colour: series.length === 1 ? one.robot : index,
      series: one,
    })),
    joinS: joinOf(data, robot, topic, axis),
    ...defined({ bounds }),
    factor,
    topic,
    robot,
  });
}

export function joinOf(data: ReportData, robot: string, topic: string, axis: TimeAxis): number {
  const facts = data.topics.find((one) => one.robot === robot && one.topic === topic);
  return facts?.silenceAfterS ?? JOIN_SHARE * axis.lengthS;
}

/** `/imu` of `/robot1/imu`: the name that the topic of another robot has too. */
export function relativeName({ robot, topic }: { readonly robot: string; readonly topic: string }): string {
  return robot !== '' && topic.startsWith(`/${robot}/`) ? topic.slice(robot.length + 2) : topic;
}

/** The dotted prefix that all names share. */
function commonPrefix(names: readonly string[]): string {
  if (names.length < 2) return '';
  const [first = ''] = names;
  let at = first.lastIndexOf('.');
  while (at > 0 && !names.every((name) => name.startsWith(first.slice(0, at + 1))))
    at = first.lastIndexOf('.', at - 1);
  return at > 0 ? first.slice(0, at + 1) : '';
}
