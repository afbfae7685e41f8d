import { humanBytes, humanCount, humanDuration } from '../../core/human-numbers.js';
import { present } from '../../core/present.js';
import type { ReportData, SegmentFact } from './report-data.js';
import { gridTable, num } from './grid-table.js';
import { html, type SafeHtml } from './safe-html.js';
import { spanRect, STRIP_TICKS, timeLabels, type TimeAxis } from './time-axis.js';
import { counted, duration, timeOfDay } from './words.js';

/** What each state of a segment means. */
const states: Readonly<Record<string, string>> = {
  open: 'being recorded, not part of this report',
  waiting: 'waiting to be sealed, not part of this report',
  sealed: 'sealed, on this disk only',
  uploaded: 'in a store',
  evicted: 'deleted by policy before its upload',
  deleted: 'deleted on request',
  quarantined: 'damaged, set aside',
  unfinished: 'without a manifest: its seal or upload was interrupted',
  file: 'a file',
};
const SHOWN = 12;

/** Segments: their sizes and their places. */
export function storageSection(data: ReportData, axis: TimeAxis | undefined): SafeHtml {
  const { storage } = data;
  const { payloadBytes, fileBytes, totals, segments } = storage;
  const lines = totals.map(
    ({ state, segments: count, messages, bytes }) =>
      html`<li>
        <strong>${counted(count, state === 'file' ? 'file' : 'segment')}</strong
        >${state === 'file' ? '' : ` ${states[state] ?? state}`}: ${counted(messages, 'message')},
        ${humanBytes(bytes)}
      </li>`,
  );
  const ratio =
    fileBytes > 0 && payloadBytes > 0
      ? html`<li>
          ${humanBytes(payloadBytes)} of payload in ${humanBytes(fileBytes)} of files:
          ${payloadBytes > fileBytes ? `${(payloadBytes / fileBytes).toFixed(2)} to 1` : `${Math.round(100 * (fileBytes / payloadBytes - 1))} % more, for index and checksums`}
        </li>`
      : undefined;
  const uploads = uploadLine(segments);
  const table = (part: readonly SegmentFact[], label: string): SafeHtml => segmentTable(part, label, axis);
  const rest = segments.slice(SHOWN);
  return html`<section class="panel" id="storage" aria-labelledby="storage-h">
    <div class="panel-head"><h2 id="storage-h">Storage and sync</h2></div>
    <ul class="plain">
      ${lines}${ratio}${uploads !== undefined && html`<li>${uploads}</li>`}
    </ul>
    ${axis !== undefined && segments.some(({ fromS }) => fromS !== undefined) && lanes(data, axis)}
    ${segments.length > 0 && table(segments.slice(0, SHOWN), 'Segments')}${
      rest.length > 0 &&
      html`<details>
        <summary>${counted(rest.length, 'more segment')}</summary>
        ${table(rest, 'More segments')}
      </details>`
    }${storage.omitted > 0 && html`<p class="note">${counted(storage.omitted, 'later segment')} counted above and not listed.</p>`}
  </section>`;
}

/** How long segments existed on one disk only. */
function uploadLine(segments: readonly SegmentFact[]): string | undefined {
  const delays = segments
    .flatMap(({ stores }) => stores.flatMap(({ delayMs }) => delayMs ?? []))
    .sort((a, b) => a - b);
  if (delays.length === 0) return undefined;
  const median = delays[Math.floor((delays.length - 1) / 2)]!;
  return `Verified in the store ${humanDuration(median)} after the seal in the median, ${humanDuration(present(delays.at(-1)))} at most`;
}

function lanes({ storage, robots }: ReportData, axis: TimeAxis): SafeHtml {
  const names = [...new Set(storage.segments.map(({ robot }) => robot ?? ''))].sort(
    (a, b) => robots.indexOf(a) - robots.indexOf(b),
  );
  const rows = names.map((name) => {
    const own = storage.segments.filter(({ robot, fromS }) => (robot ?? '') === name && fromS !== undefined);
    const rects = own.map(({ fromS, toS, state, messages = 0, bytes, uncleanEnd }) =>
      spanRect(
        present(fromS),
        toS ?? present(fromS),
        axis,
        `seg seg-${state}`,
        `${states[state] ?? state}: ${counted(messages, 'message')}, ${humanBytes(bytes)}, ${timeOfDay(axis.startNs, present(fromS))} for ${duration((toS ?? present(fromS)) - present(fromS))}${uncleanEnd ? ', ended without a stop' : ''}`,
      ),
    );
    const ends = own
      .filter(({ uncleanEnd }) => uncleanEnd)
      .map(({ toS }) => spanRect(toS ?? 0, toS ?? 0, axis, 'cut', 'ended without a stop'));
    return html`<tr>
      <th scope="row"><bdi>${name || 'files'}</bdi></th>
      <td class="strip-col">
        <svg class="strip" height="22" role="img" aria-label="${counted(own.length, 'segment')}">
          ${rects}${ends}
        </svg>
      </td>
    </tr>`;
  });
  const shown = [...new Set(storage.segments.map(({ state }) => state))];
  const keys = shown.map(
    (state) =>
      html`<span class="key"
        ><svg width="18" height="12" aria-hidden="true">
          <rect class="seg seg-${state}" width="18" height="12" /></svg
        >${state === 'file' ? 'file' : state}</span
      >`,
  );
  const hasCut = storage.segments.some(({ uncleanEnd }) => uncleanEnd);
  const cut = html`<span class="key"
    ><svg width="6" height="12" aria-hidden="true"><rect class="cut" width="4" height="12" /></svg>ended
    without a stop</span
  >`;
  return html`<p class="legend">${keys}${hasCut && cut}</p>
    <table class="grid topics lanes">
      <caption class="unseen">
        Segments over time
      </caption>
      <thead>
        <tr>
          <th scope="col">robot</th>
          <th scope="col" class="strip-col">
            <span class="unseen">segments over time</span>${timeLabels(axis, STRIP_TICKS)}
          </th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}

function segmentTable(segments: readonly SegmentFact[], label: string, axis: TimeAxis | undefined): SafeHtml {
  const rows = segments.map((one) => {
    const {
      name,
      robot,
      state,
      fromS,
      toS,
      messages,
      bytes,
      payloadBytes,
      compression,
      stores,
      uncleanEnd,
      evicted,
    } = one;
    const where = stores.map(
      ({ uri, verification, delayMs }) =>
        html`<small class="type"
          ><bdi class="breakable">${uri}</bdi
          >${verification !== undefined && `, verified by ${verification === 'read-back' ? 'reading it back' : "the store's checksum"}`}${delayMs !== undefined && `, ${humanDuration(Math.max(0, delayMs))} after the seal`}</small
        >`,
    );
    return html`<tr>
      <th scope="row"><bdi class="breakable mono">${shortName(name)}</bdi></th>
      <td><bdi>${robot ?? ''}</bdi></td>
      <td class="nowrap">
        ${axis === undefined || fromS === undefined ? '–' : timeOfDay(axis.startNs, fromS)}
      </td>
      <td class="num">${fromS === undefined || toS === undefined ? '–' : duration(toS - fromS)}</td>
      <td class="num">${messages === undefined ? '–' : humanCount(messages)}</td>
      <td class="num">${humanBytes(bytes)}</td>
      <td class="num dim">
        ${payloadBytes === undefined || bytes === 0 ? '–' : `${compression ?? ''} ${(payloadBytes / bytes).toFixed(2)}`}
      </td>
      <td>
        ${state}${evicted !== undefined && ` (${evicted})`}${uncleanEnd && html` <span class="tag tag-warn">ended without a stop</span>`}${where}
      </td>
    </tr>`;
  });
  return gridTable({
    label,
    columns: [
      'segment',
      'robot',
      'from, UTC',
      num('for'),
      num('messages'),
      num('size'),
      num('ratio'),
      'state',
    ],
    rows,
  });
}

/** Number and first digits of the id identify it. */
function shortName(name: string): string {
  const match = /^0*(\d+)-([0-9a-f]{6})[0-9a-f]{26}/.exec(name);
  return match === null ? name : `${match[1]}-${match[2]}…`;
}
