import { humanCount } from '../../core/human-numbers.js';
import type { ReportData } from './report-data.js';
import { gridTable, num } from './grid-table.js';
import { html, type SafeHtml } from './safe-html.js';
import type { TimeAxis } from './time-axis.js';
import { duration, latencyText, timeOfDay } from './words.js';

/** Marked events. */
export function eventSection({ events }: ReportData, axis: TimeAxis): SafeHtml | undefined {
  if (events.length === 0) return undefined;
  const rows = events.map(
    ({ label, atS, fromS, toS }) =>
      html`<tr>
        <td class="nowrap">${timeOfDay(axis.startNs, atS)}</td>
        <td><bdi class="breakable">${label || 'no label'}</bdi></td>
        <td class="nowrap">${timeOfDay(axis.startNs, fromS)} to ${timeOfDay(axis.startNs, toS)}</td>
        <td class="num">${duration(toS - fromS)}</td>
      </tr>`,
  );
  return html`<section class="panel" id="events" aria-labelledby="events-h">
    <div class="panel-head"><h2 id="events-h">Marked events</h2></div>
    ${gridTable({ label: 'Marked events', columns: ['at, UTC', 'label', 'window', num('length')], rows })}
  </section>`;
}

/** Recorder, times and versions of the recording; clock steps. */
export function identitySection(
  { sessions, clockSteps, tags }: ReportData,
  axis: TimeAxis | undefined,
): SafeHtml | undefined {
  if (sessions.length === 0) return undefined;
  const at = (seconds: number | undefined): string =>
    axis === undefined || seconds === undefined ? '–' : timeOfDay(axis.startNs, seconds);
  const rows = sessions.map(
    ({ session, machine, boot, hostname, software, robots, segments, fromS, toS, uncleanEnds }) =>
      html`<tr>
        <th scope="row" class="mono">${session === '' ? 'not said' : session.slice(0, 8)}</th>
        <td><bdi class="breakable">${hostname || '–'}</bdi></td>
        <td class="mono">${machine.slice(0, 8) || '–'}</td>
        <td class="mono">${boot.slice(0, 8) || '–'}</td>
        <td><bdi class="breakable">${software || '–'}</bdi></td>
        <td><bdi class="breakable">${robots.join(', ') || '–'}</bdi></td>
        <td class="nowrap">${at(fromS)} to ${at(toS)}</td>
        <td class="num">${humanCount(segments)}</td>
        <td class="num${uncleanEnds > 0 && ' tone-warn'}">${humanCount(uncleanEnds)}</td>
      </tr>`,
  );
  const tagged = tags.map(
    ({ text, robots, segments, fromS, toS }) =>
      html`<tr>
        <th scope="row"><bdi class="breakable">${text}</bdi></th>
        <td><bdi class="breakable">${robots.join(', ')}</bdi></td>
        <td class="nowrap">${at(fromS)} to ${at(toS)}</td>
        <td class="num">${humanCount(segments)}</td>
      </tr>`,
  );
  const steps = clockSteps.map(
    ({ atS, stepMs, session }) =>
      html`<tr>
        <td class="nowrap">${at(atS)}</td>
        <td class="num">${stepMs < 0 ? '' : '+'}${latencyText(stepMs)}</td>
        <td class="mono">${session.slice(0, 8)}</td>
      </tr>`,
  );
  return html`<section class="panel" id="identity" aria-labelledby="identity-h">
    <div class="panel-head">
      <h2 id="identity-h">Who recorded it</h2>
      <span class="panel-aside">one row for each run of a recorder; ids by their first digits</span>
    </div>
    ${gridTable({ label: 'Runs of the recorder', columns: ['session', 'host', 'machine', 'boot', 'software', 'robots', 'from, to, UTC', num('segments'), num('ended without a stop')], rows })}
    ${
      tagged.length > 0 &&
      html`<h3>Tags</h3>
        ${gridTable({ label: 'Tags', columns: ['tags', 'robots', 'from, to, UTC', num('segments')], rows: tagged })}`
    }
    ${
      steps.length > 0 &&
      html`<h3>Clock steps</h3>
        ${gridTable({ label: 'Clock steps', caption: 'Jumps of the wall clock against monotonic time', kind: 'small', columns: ['at, UTC', num('step'), 'session'], rows: steps })}`
    }
  </section>`;
}
