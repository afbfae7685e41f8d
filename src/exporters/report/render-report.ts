import { createHash } from 'node:crypto';
import { humanBytes, humanCount } from '../../core/human-numbers.js';
import { present } from '../../core/present.js';
import { fieldSection } from './field-section.js';
import { healthSection } from './health-section.js';
import { eventSection, identitySection } from './identity-section.js';
import { latencySection } from './latency-section.js';
import { lossSection } from './loss-section.js';
import { TIME_BUCKETS, type ReportData } from './report-data.js';
import { html, SafeHtml } from './safe-html.js';
import { storageSection } from './storage-section.js';
import { timeAxis } from './time-axis.js';
import { timelineSection } from './timeline-section.js';
import { trackSection } from './track-section.js';
import { transformSection } from './transform-section.js';
import type { Tone } from './remark.js';
import { answers, robotCount, type Answer } from './verdict.js';
import { clockTime, duration } from './words.js';

/** The built style sheet and script, which the page contains. */
export interface ReportAssets {
  readonly css: string;
  readonly script: string;
}

/** Maximum bytes of curves in a page. Beyond it buckets are merged, which keeps the extremes. */
const CURVE_BYTES = 1_400_000;
/** Approximate maximum bytes of one bucket of a curve. */
const BUCKET_BYTES = 9;
const FACTORS = [1, 2, 3, 4, 6, 8, 12] as const;

/**
 * The page as text. The same data gives the same page. The page loads nothing, and its policy forbids it to.
 */
export function renderReport(data: ReportData, { css, script }: ReportAssets): string {
  const axis = data.range === undefined ? undefined : timeAxis(data.range);
  const factor = curveFactor(data);
  const sections: readonly (readonly [id: string, label: string, section: SafeHtml | undefined])[] = [
    ['timeline', 'Topics', axis && data.topics.length > 0 ? timelineSection(data, axis) : undefined],
    ['losses', 'Losses', lossSection(data, axis)],
    ['events', 'Events', axis && eventSection(data, axis)],
    ['tracks', 'Tracks', trackSection(data)],
    ['health', 'Battery and diagnostics', axis && healthSection(data, axis, factor)],
    ['latency', 'Latency', axis && latencySection(data, axis, factor)],
    ['values', 'Values', axis && fieldSection(data, axis, factor)],
    ['storage', 'Storage and sync', storageSection(data, axis)],
    ['transform', 'Changes before sending', transformSection(data)],
    ['identity', 'Who recorded it', identitySection(data, axis)],
  ];
  const there = sections.filter(([, , section]) => section !== undefined);
  const known = new Set(there.map(([id]) => id));
  // Only a style or script with this hash may run, whatever a name contains.
  const policy = `default-src 'none'; style-src '${hash(css)}'; script-src '${hash(script)}'; font-src data:; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new SafeHtml(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="holdfast ${data.version}">
<title>${data.title}</title>
<style>${new SafeHtml(css)}</style>
</head>
<body${axis !== undefined && html` data-start="${axis.startMs}" data-length="${axis.lengthS}"`}>
<a class="skip" href="#main">To the report</a>
${patterns()}
<header class="top"><div class="brand">${mark()}<span class="brand-name">Holdfast report</span></div><p class="made">created <time datetime="${data.createdUtc}">${data.createdUtc.slice(0, 10)} ${data.createdUtc.slice(11, 19)} UTC</time> by holdfast ${data.version}</p></header>
<main id="main" tabindex="-1">
<h1><bdi>${data.title}</bdi></h1>
<p class="lede">${rangeWords(data)}</p>
<section class="answers" aria-label="At a glance">${answers(data).map((answer, i) => answerCard(answer, i, known))}</section>
${figures(data)}
<nav class="toc" aria-label="Sections"><ul>${there.map(([id, label]) => html`<li><a href="#${id}">${label}</a></li>`)}</ul></nav>
${tools(data)}
${there.map(([, , section]) => section)}
<footer class="foot"><p>Times are UTC, those of receipt by the recorder. Everything is in this file: it loads nothing and works without scripts, which add reading off values, zoom and a filter. Curves show the smallest and largest value of each ${axis === undefined ? 'moment' : duration((axis.lengthS * factor) / TIME_BUCKETS)}.</p></footer>
</main>
<script>${new SafeHtml(script)}</script>
</body>
</html>
`;
  return page.text;
}

/** How many buckets to merge so that all curves fit into the page. */
export function curveFactor(data: ReportData): number {
  const series =
    [...data.plots, ...data.battery].reduce((sum, plot) => sum + plot.series.length, 0) +
    data.topics.filter(({ latency }) => latency !== undefined).length;
  const most = CURVE_BYTES / BUCKET_BYTES / Math.max(1, series);
  return FACTORS.find((factor) => TIME_BUCKETS / factor <= most) ?? present(FACTORS.at(-1));
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;
}

function rangeWords({ range, source, chosen }: ReportData): SafeHtml {
  const when =
    range === undefined
      ? html`No messages`
      : html`<strong>${clockTime(range.startNs)}</strong> to <strong>${clockTime(range.endNs)}</strong>,
          ${duration(Number(range.endNs - range.startNs) / 1e9)}`;
  return html`${when}<span class="of"> of <bdi class="breakable">${source}</bdi></span
    >${chosen.length > 0 && html`<br />Chosen: <bdi class="breakable">${chosen.join('; ')}</bdi>`}`;
}

const icons: Readonly<Record<Tone, SafeHtml>> = {
  ok: html`<path
    d="M3 8.500 6.500 12 13 4.500"
    fill="none"
    stroke="currentColor"
    stroke-width="2.400"
    stroke-linecap="round"
    stroke-linejoin="round"
  />`,
  warn: html`<path
    d="M8 1.800 15 14H1zM7.200 6.200v4h1.600v-4zm0 5v1.500h1.600v-1.500z"
    fill="currentColor"
    fill-rule="evenodd"
  />`,
  bad: html`<path
    d="M3.500 3.500l9 9m0-9-9 9"
    stroke="currentColor"
    stroke-width="2.400"
    stroke-linecap="round"
  />`,
  quiet: html`<circle cx="8" cy="8" r="4.500" fill="none" stroke="currentColor" stroke-width="2" />`,
};
const toneWords: Readonly<Record<Tone, string>> = { ok: '', warn: 'look at: ', bad: 'serious: ', quiet: '' };

function icon(tone: Tone): SafeHtml {
  return html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
    ${icons[tone]}
  </svg>`;
}

function answerCard(
  { question, tone, headline, remarks }: Answer,
  index: number,
  known: ReadonlySet<string>,
): SafeHtml {
  const lines = remarks.map((remark) => {
    const text = html`<bdi>${remark.text}</bdi>`;
    return html`<li class="remark remark-${remark.tone}">
      ${remark.tone !== 'quiet' && icon(remark.tone)}<span class="unseen">${toneWords[remark.tone]}</span
      >${known.has(remark.section) && remark.tone !== 'quiet' ? html`<a href="#${remark.section}">${text}</a>` : html`<span>${text}</span>`}
    </li>`;
  });
  return html`<section class="answer answer-${tone}" aria-labelledby="answer-${index}" data-answer="${index}">
    <h2 id="answer-${index}">${question}</h2>
    <p class="answer-headline">${icon(tone)}<span>${headline}</span></p>
    <ul class="remarks">
      ${lines}
    </ul>
  </section>`;
}

function figures(data: ReportData): SafeHtml {
  const { messages, topics, payloadBytes, storage, range } = data;
  const lengthS = range === undefined ? 0 : Number(range.endNs - range.startNs) / 1e9;
  const facts: readonly (readonly [string, string])[] = [
    ['messages', humanCount(messages)],
    ['topics', humanCount(topics.length)],
    ['robots', humanCount(robotCount(data))],
    ['payload', humanBytes(payloadBytes)],
    ['payload per second', lengthS > 0 ? humanBytes(payloadBytes / lengthS) : '–'],
    [
      storage.totals.some(({ state }) => state === 'file') ? 'files' : 'segments',
      humanCount(storage.segments.length + storage.omitted),
    ],
  ];
  return html`<dl class="figures">
    ${facts.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd data-figure="${name}">${value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** Useful only with the script, which shows them. */
function tools({ robots, topics, range }: ReportData): SafeHtml | undefined {
  if (range === undefined || topics.length === 0) return undefined;
  const choice =
    robots.length > 1 &&
    html`<label
      >robot
      <select id="robot">
        <option value="">all</option>
        ${robots.map((robot) => html`<option value="${robot}">${robot || 'no robot'}</option>`)}
      </select></label
    >`;
  return html`<div class="tools" role="group" aria-label="Filter and zoom" hidden>
    <label
      >topic
      <input
        id="filter"
        type="search"
        placeholder="part of a name"
        autocomplete="off"
        spellcheck="false" /></label
    >${choice}
    <span class="zoom"
      ><button class="button quiet" type="button" data-zoom="left" aria-label="earlier">←</button
      ><button class="button quiet" type="button" data-zoom="in">Zoom in</button
      ><button class="button quiet" type="button" data-zoom="out">Zoom out</button
      ><button class="button quiet" type="button" data-zoom="right" aria-label="later">→</button
      ><button class="button quiet" type="button" data-zoom="all">All</button></span
    >
    <output id="shown" class="dim" aria-live="polite"></output>
  </div>`;
}

/** Hatching for losses and silences, so that they differ without colour. */
function patterns(): SafeHtml {
  return html`<svg class="unseen" width="0" height="0" aria-hidden="true">
    <defs>
      <pattern id="p-loss" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect class="p-loss-ground" width="5" height="5" />
        <line class="p-loss-line" x1="1" x2="1" y2="5" />
      </pattern>
      <pattern id="p-silence" width="5" height="22" patternUnits="userSpaceOnUse">
        <circle class="p-silence-dot" cx="2" cy="11" r="1.1" />
      </pattern>
      <pattern id="p-stale" width="4" height="4" patternUnits="userSpaceOnUse">
        <rect class="p-stale-ground" width="4" height="4" />
        <circle class="p-stale-dot" cx="2" cy="2" r="1" />
      </pattern>
    </defs>
  </svg>`;
}

function mark(): SafeHtml {
  return html`<svg class="mark" viewBox="0 0 28 28" width="28" height="28" aria-hidden="true">
    <g fill="none" stroke="currentColor" stroke-width="2.200" stroke-linecap="round">
      <path d="M14 2v10" />
      <path d="M14 11c-1 5-7 5-9 12" />
      <path d="M14 11c-.5 5-2.500 7-3.200 12" />
      <path d="M14 11c.5 5 2.500 7 3.200 12" />
      <path d="M14 11c1 5 7 5 9 12" />
      <path class="mark-rock" d="M2 26h24" />
    </g>
  </svg>`;
}
