import { humanCount } from '../../core/human-numbers.js';
import { present } from '../../core/present.js';
import { TIME_BUCKETS, type GapFact, type ReportData, type TopicFacts } from './report-data.js';
import { gridTable, num } from './grid-table.js';
import type { SafeHtml } from './safe-html.js';
import { html } from './safe-html.js';
import { eventMarks, spanRect, STRIP_TICKS, timeLabels, type TimeAxis } from './time-axis.js';
import { counted, duration, percentText, rateText, reasonText, timeOfDay } from './words.js';

/** Height of a strip in its own units; the expected rate fills it. */
const FULL = 20;
/** Minimum number of expected messages in a part for which a rate is shown. */
const PART_MESSAGES = 16;
/** A loss within this distance explains a silence, seconds. */
const NEAR_S = 0.5;
/** Maximum number of silences drawn per topic. */
const SILENCES_MAX = 40;
/** Maximum number of losses drawn per topic. */
const GAPS_MAX = 40;

/** Every topic over time: rate, silences and losses, compared with what was expected. */
export function timelineSection(data: ReportData, axis: TimeAxis): SafeHtml {
  const bodies = data.robots
    .map((robot) => ({ robot, topics: data.topics.filter((one) => one.robot === robot) }))
    .filter(({ topics }) => topics.length > 0)
    .map(({ robot, topics }) => {
      const head =
        data.robots.length > 1 &&
        html`<tr class="robot-row">
          <th colspan="6" scope="rowgroup">
            <bdi>${robot || 'no robot'}</bdi> <span class="dim">${counted(topics.length, 'topic')}</span>
          </th>
        </tr>`;
      return html`<tbody data-robot="${robot}">
        ${head}${topics.map((topic) => topicRow(topic, data, axis))}
      </tbody>`;
    });
  return html`<section class="panel" id="timeline" aria-labelledby="timeline-h">
    <div class="panel-head">
      <h2 id="timeline-h">Topics over time</h2>
      <span class="panel-aside">the height of a strip is the rate, full height is what was expected</span>
    </div>
    <p class="legend">
      <span class="key"
        ><svg width="18" height="12" aria-hidden="true"><rect class="k-rate" width="18" height="12" /></svg
        >messages arrived</span
      >
      <span class="key"
        ><svg width="18" height="12" aria-hidden="true">
          <rect class="silence" y="-5" width="18" height="22" /></svg
        >silence</span
      >
      <span class="key"
        ><svg width="18" height="12" aria-hidden="true"><rect class="loss" width="18" height="12" /></svg
        >counted loss, reason on hover and under Losses</span
      >
      ${
        data.events.length > 0 &&
        html`<span class="key"
          ><svg width="18" height="12" aria-hidden="true"><line class="event" x1="9" x2="9" y2="12" /></svg
          >marked event</span
        >`
      }
    </p>
    ${gridTable({
      label: 'Topics over time',
      caption: 'Topics with their messages over time, rates against expected, silences and losses',
      kind: 'topics',
      columns: [
        'topic',
        html`<th scope="col" class="strip-col">
          <span class="unseen">over time</span>${timeLabels(axis, STRIP_TICKS)}
        </th>`,
        num('rate, Hz'),
        num('expected, Hz'),
        num('share'),
        num('messages'),
      ],
      rows: bodies,
      hasBodies: true,
    })}
    <p class="note">
      Expected is the deadline a publisher declares, else the median rate of the topic (of one that comes in
      bursts the mean, silences aside); the share is the number of messages against it over the whole range.
      Latched topics are published when something changes: nothing is expected. A silence is longer than 1 s,
      5 usual intervals and 3 times what nine in ten intervals do not exceed.
    </p>
  </section>`;
}

function topicRow(topic: TopicFacts, data: ReportData, axis: TimeAxis): SafeHtml {
  const { expected, messages, rateHz, type, latched, undecoded, encoding } = topic;
  const share = expected === undefined ? undefined : messages / Math.max(1, expected.hz * axis.lengthS);
  const tone = share === undefined ? '' : share < 0.9 ? ' tone-bad' : share < 0.98 ? ' tone-warn' : '';
  const losses = data.gaps.list.filter((gap) => concerns(gap, topic)).slice(0, GAPS_MAX);
  const silences = topic.silences.slice(0, SILENCES_MAX);
  const words = [
    counted(messages, 'message'),
    silences.length === 0
      ? 'no silence'
      : `${counted(topic.silences.length, 'silence')}, the longest ${duration(silences[0]!.toS - silences[0]!.fromS)}`,
    losses.length === 0 ? 'no counted loss' : counted(losses.length, 'counted loss', 'counted losses'),
  ];
  return html`<tr data-topic="${topic.topic}">
    <th scope="row">
      <bdi class="breakable">${topic.topic}</bdi
      >${latched && html` <span class="tag">latched</span>`}${undecoded > 0 && html` <span class="tag tag-warn">${humanCount(undecoded)} not decoded</span>`}<small
        class="type"
        >${type || `${encoding}, no schema`}</small
      >
    </th>
    <td class="strip-col">
      <svg class="strip" height="22" role="img" aria-label="${words.join('; ')}">
        ${silences.map(({ fromS, toS, kind }) =>
          spanRect(
            fromS,
            toS,
            axis,
            'silence',
            `${kind}: ${duration(toS - fromS)} from ${timeOfDay(axis.startNs, fromS)}`,
          ),
        )}<svg
          class="zoomed"
          width="100%"
          height="22"
          viewBox="0 0 ${TIME_BUCKETS} ${FULL}"
          preserveAspectRatio="none"
        >
          <path class="rate" d="${ratePath(topic, axis)}" /></svg
        >${losses.map((gap) => lossRect(gap, topic, axis))}${eventMarks(data, axis)}
      </svg>
    </td>
    <td class="num" data-label="rate">${messages > 1 && !latched ? rateText(rateHz) : '–'}</td>
    <td class="num dim" data-label="expected">
      ${expected === undefined ? '–' : rateText(expected.hz)}${expected?.how === 'declared' && html`<abbr title="declared by a publisher as its deadline"> d</abbr>`}
    </td>
    <td class="num${tone}" data-label="share">${share === undefined ? '–' : percentText(share)}</td>
    <td class="num" data-label="messages">${humanCount(messages)}</td>
  </tr>`;
}

function concerns({ robot, topic, fromS }: GapFact, facts: TopicFacts): boolean {
  return fromS !== undefined && robot === facts.robot && (topic === undefined || topic === facts.topic);
}

function lossRect(gap: GapFact, topic: TopicFacts, axis: TimeAxis): SafeHtml {
  const { reason, count } = gap;
  const { fromS, toS } = extentOf(gap, topic);
  const what = count === undefined ? 'messages, how many is not known,' : counted(count, 'message');
  const when = `${timeOfDay(axis.startNs, fromS)} to ${timeOfDay(axis.startNs, toS)}`;
  return spanRect(fromS, toS, axis, 'loss', `${what} ${reasonText(reason)}, ${when}`);
}

/** A loss that is known only by the time of its discovery is as long as the silence that it explains. */
function extentOf(gap: GapFact, { silences }: TopicFacts): { readonly fromS: number; readonly toS: number } {
  const fromS = present(gap.fromS);
  const toS = gap.toS ?? fromS;
  const silence = silences.find((one) => one.fromS <= toS + NEAR_S && one.toS >= fromS - NEAR_S);
  if (silence === undefined || toS - fromS > NEAR_S) return { fromS, toS };
  return { fromS: Math.min(fromS, silence.fromS), toS: Math.max(toS, silence.toS) };
}

/** The rate as steps. A part is wide enough for a minimum number of expected messages. */
function ratePath(
  { counts, expected, messages, firstS, lastS, silences, latched }: TopicFacts,
  axis: TimeAxis,
): string {
  if (messages === 0 || firstS === undefined || lastS === undefined) return '';
  const perBucket = expected === undefined ? 0 : (expected.hz * axis.lengthS) / TIME_BUCKETS;
  const width = perBucket > 0 ? Math.ceil(PART_MESSAGES / perBucket) : Infinity;
  if (width > TIME_BUCKETS / 12) {
    const hasRhythm = expected !== undefined && !latched;
    return hasRhythm ? solidPath(firstS, lastS, silences, axis) : tickPath(counts);
  }
  let path = '';
  for (let from = 0; from < TIME_BUCKETS; from += width) {
    const to = Math.min(TIME_BUCKETS, from + width);
    let count = 0;
    for (let i = from; i < to; i++) count += counts[i]!;
    const share = Math.min(1, count / (perBucket * (to - from)));
    // Few messages stay visible, and a full rate is a straight line in spite of jitter.
    const height = count === 0 ? 0 : share > 0.85 ? FULL : Math.max(2, Math.round(share * FULL));
    path += height === 0 ? '' : `M${from} ${FULL}v-${height}h${to - from}v${height}z`;
  }
  return merged(path);
}

/** Neighbours of the same height become one box. */
function merged(path: string): string {
  const boxes: [from: number, width: number, height: number][] = [];
  for (const [, x, height, width] of path.matchAll(/M(\d+) \d+v-(\d+)h(\d+)/g)) {
    const last = boxes.at(-1);
    if (last !== undefined && last[0] + last[1] === Number(x) && last[2] === Number(height))
      last[1] += Number(width);
    else boxes.push([Number(x), Number(width), Number(height)]);
  }
  return boxes.map(([from, width, height]) => `M${from} ${FULL}v-${height}h${width}v${height}z`).join('');
}

/** Too few messages for a rate: the strip is filled except for the silences. */
function solidPath(firstS: number, lastS: number, silences: TopicFacts['silences'], axis: TimeAxis): string {
  const place = (s: number): number => Math.round((s / axis.lengthS) * TIME_BUCKETS * 10) / 10;
  const breaks = silences.filter(({ kind }) => kind === 'silence').sort((a, b) => a.fromS - b.fromS);
  let path = '';
  let from = firstS;
  for (const end of [...breaks.map((one) => one.fromS), lastS]) {
    const width = Math.max(1.5, place(end) - place(from));
    path += `M${place(from)} ${FULL}v-${FULL}h${Number(width.toFixed(1))}v${FULL}z`;
    from = breaks.find((one) => one.fromS === end)?.toS ?? end;
  }
  return path;
}

/** Single messages. */
function tickPath(counts: Uint32Array): string {
  let path = '';
  for (let i = 0; i < counts.length; i++) if (counts[i]! > 0) path += `M${i} ${FULL}v-${FULL}h1.5v${FULL}z`;
  return path;
}
