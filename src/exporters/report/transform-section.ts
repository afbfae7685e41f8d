import { humanBytes, humanCount } from '../../core/human-numbers.js';
import type { ReportData } from './report-data.js';
import { gridTable, num } from './grid-table.js';
import { html, type SafeHtml } from './safe-html.js';
import { counted } from './words.js';

/** What `sync.transform` changed before segments left the robot. */
export function transformSection({ transform }: ReportData): SafeHtml | undefined {
  if (transform === undefined) return undefined;
  const { segments, counted: known, messagesIn, messagesOut, bytesIn, bytesOut, stages } = transform;
  const rows = stages.map(
    ({ name, rule, programs, segments: count, unchanged, changed, dropped, made }) =>
      html`<tr>
        <th scope="row">
          <bdi class="breakable mono">${rule}</bdi
          >${programs.length > 0 && html`<small class="type"><bdi class="breakable">${programs.join(', ')}</bdi></small>`}
        </th>
        <td>${name}</td>
        <td class="num">${humanCount(count)}</td>
        ${[unchanged, changed, dropped, made].map((number) => html`<td class="num">${count === 0 ? '–' : humanCount(number)}</td>`)}
      </tr>`,
  );
  const columns = ['rule', 'stage', ...['segments', 'as they were', 'changed', 'left out', 'added'].map(num)];
  return html`<section class="panel" id="transform" aria-labelledby="transform-h">
    <div class="panel-head"><h2 id="transform-h">Changes before sending</h2></div>
    <ul class="plain">
      <li><strong>${counted(segments, 'segment')}</strong> changed by sync.transform</li>
      ${
        known > 0 &&
        html`<li>
          ${counted(messagesIn, 'message')} with ${humanBytes(bytesIn)} became
          ${counted(messagesOut, 'message')} with ${humanBytes(bytesOut)}
        </li>`
      }
    </ul>
    ${rows.length > 0 && gridTable({ label: 'Messages by rule', caption: 'Messages by rule, in the order of the rules', columns, rows })}
    ${known < segments && html`<p class="note">The numbers are of ${counted(known, 'segment')}: the data folder no longer has the other copies. A report of the store has all.</p>`}
  </section>`;
}
