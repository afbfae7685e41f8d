import { humanCount } from '../../core/human-numbers.js';
import type { ReportData } from './report-data.js';
import { gridTable, num } from './grid-table.js';
import { html, type SafeHtml } from './safe-html.js';
import type { TimeAxis } from './time-axis.js';
import { counted, duration, reasonText, timeOfDay } from './words.js';

const SILENCES_MAX = 100;
/** Number of losses shown at once; a click shows the others. */
const SHOWN = 12;

/** Losses with their reasons, silences, and messages that could not be read or decoded. */
export function lossSection(data: ReportData, axis: TimeAxis | undefined): SafeHtml {
  return html`<section class="panel" id="losses" aria-labelledby="losses-h">
    <div class="panel-head"><h2 id="losses-h">Losses</h2></div>
    ${gapTables(data, axis)}${silenceTable(data, axis)}${undecodedTable(data)}${problemTable(data)}
  </section>`;
}

function gapTables({ gaps, sourceKind, topics }: ReportData, axis: TimeAxis | undefined): SafeHtml {
  if (gaps.totals.length === 0) {
    return html`<p class="empty">
      ${sourceKind === 'mcap' && topics.length > 0 ? 'The files report no loss; recorders other than Holdfast do not count what they lose.' : 'No loss was counted.'}
    </p>`;
  }
  const rows = gaps.list.map(
    ({ reason, robot, topic, count, fromS, toS, detail }) =>
      html`<tr>
        <td class="nowrap">
          ${axis === undefined || fromS === undefined ? '–' : timeOfDay(axis.startNs, fromS)}
        </td>
        <td class="num">
          ${fromS === undefined || toS === undefined || toS <= fromS ? '–' : duration(toS - fromS)}
        </td>
        <td><bdi>${robot}</bdi></td>
        <td><bdi class="breakable">${topic ?? 'all topics'}</bdi></td>
        <td class="num">${count === undefined ? 'not known' : humanCount(count)}</td>
        <td>${reasonText(reason)}${detail !== undefined && html`<small class="type">${detail}</small>`}</td>
      </tr>`,
  );
  const table = (part: readonly SafeHtml[], label: string): SafeHtml =>
    gridTable({
      label,
      columns: ['from, UTC', num('for'), 'robot', 'topic', num('messages'), 'what became of them'],
      rows: part,
    });
  const totals = html`<ul class="plain">
    ${gaps.totals.map(
      ({ reason, messages, unknown, gaps: count }) =>
        html`<li>
          <strong
            >${messages > 0 || unknown === 0 ? counted(messages, 'message') : 'Messages, how many is not known,'}</strong
          >
          ${reasonText(reason)}
          <span class="dim"
            >(${counted(count, 'gap')}${unknown > 0 && messages > 0 && `, ${counted(unknown, 'of them', 'of them')} without a number`})</span
          >
        </li>`,
    )}
  </ul>`;
  const rest = rows.slice(SHOWN);
  return html`<h3>Counted</h3>
    ${totals}${table(rows.slice(0, SHOWN), 'Counted losses')}${
      rest.length > 0 &&
      html`<details>
        <summary>${counted(rest.length, 'more loss', 'more losses')}</summary>
        ${table(rest, 'More counted losses')}
      </details>`
    }${gaps.omitted > 0 && html`<p class="note">${counted(gaps.omitted, 'later gap')} counted above and not listed.</p>`}`;
}

function silenceTable({ topics }: ReportData, axis: TimeAxis | undefined): SafeHtml | undefined {
  const all = topics
    .flatMap((topic) => topic.silences.map((silence) => ({ topic, ...silence })))
    .sort((a, b) => b.toS - b.fromS - (a.toS - a.fromS));
  if (all.length === 0 || axis === undefined) return undefined;
  const rows = all.slice(0, SILENCES_MAX).map(
    ({ topic, fromS, toS, kind }) =>
      html`<tr data-topic="${topic.topic}" data-robot="${topic.robot}">
        <td class="num">${duration(toS - fromS)}</td>
        <td class="nowrap">${timeOfDay(axis.startNs, fromS)}</td>
        <td><bdi class="breakable">${topic.topic}</bdi></td>
        <td>
          ${kind === 'silence' ? 'silent' : kind === 'late start' ? 'first message came late' : 'no message up to the end'}
        </td>
      </tr>`,
  );
  return html`<h3>Silences</h3><p class="note">Stretches without a message where some were expected: nothing was sent, or it did not reach the recorder.</p><details${all.length <= SHOWN && ' open'}><summary>${counted(all.length, 'silence')}, the longest ${duration(all[0]!.toS - all[0]!.fromS)}</summary>${gridTable({ label: 'Silences', caption: 'Silences, longest first', columns: [num('for'), 'from, UTC', 'topic', 'what'], rows })}${all.length > SILENCES_MAX && html`<p class="note">The longest ${SILENCES_MAX} of ${humanCount(all.length)}.</p>`}</details>`;
}

function undecodedTable({ topics }: ReportData): SafeHtml | undefined {
  const some = topics.filter(({ undecoded }) => undecoded > 0);
  if (some.length === 0) return undefined;
  const rows = some.map(
    ({ topic, undecoded, messages, reason }) =>
      html`<tr data-topic="${topic}">
        <td><bdi class="breakable">${topic}</bdi></td>
        <td class="num">${humanCount(undecoded)} of ${humanCount(messages)}</td>
        <td class="breakable">${reason ?? ''}</td>
      </tr>`,
  );
  return html`<h3>Recorded and not decoded</h3>
    ${gridTable({ label: 'Not decoded', caption: 'Topics whose messages could not be decoded', columns: ['topic', num('messages'), 'why'], rows })}`;
}

function problemTable({ problems, problemsOmitted }: ReportData): SafeHtml | undefined {
  if (problems.length === 0) return undefined;
  const rows = problems.map(
    ({ where, reason }) =>
      html`<tr>
        <td class="breakable">${where}</td>
        <td class="breakable">${reason}</td>
      </tr>`,
  );
  return html`<h3>Not readable</h3>
    ${gridTable({ label: 'Not readable', caption: 'What could not be read', columns: ['where', 'why'], rows })}
    ${problemsOmitted > 0 && html`<p class="note">${counted(problemsOmitted, 'more problem')}.</p>`}`;
}
