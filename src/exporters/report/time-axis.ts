import type { ReportData } from './report-data.js';
import { html, type SafeHtml } from './safe-html.js';
import { timeTicks } from './ticks.js';

/** The range of the page, and positions in it as SVG needs them. */
export interface TimeAxis {
  readonly startNs: bigint;
  readonly startMs: number;
  readonly lengthS: number;
}

export function timeAxis(range: NonNullable<ReportData['range']>): TimeAxis {
  const { startNs, endNs } = range;
  return {
    startNs,
    startMs: Number(startNs / 1_000n) / 1_000,
    lengthS: Math.max(1e-9, Number(endNs - startNs) / 1e9),
  };
}

/** `12.5%`. Percentages keep labels and hatching undistorted at every width. */
export function percent(atS: number, { lengthS }: TimeAxis): string {
  return `${short((100 * Math.min(lengthS, Math.max(0, atS))) / lengthS)}%`;
}

export function short(value: number): string {
  return String(Number(value.toFixed(3)));
}

/** Number of ticks of a wide strip, and of a chart beside others: as many as fit on a phone. */
export const STRIP_TICKS = 4;
export const CHART_TICKS = 3;
/** Minimum width of a period, percent, so that short ones stay visible. */
const LEAST_WIDTH = 0.4;

/** A period over the full height; the script moves it when the user zooms. */
export function spanRect(
  fromS: number,
  toS: number,
  axis: TimeAxis,
  className: string,
  title: string,
): SafeHtml {
  const [from, to] = [Math.max(0, fromS), Math.min(axis.lengthS, toS)];
  const width = Math.max(LEAST_WIDTH, (100 * Math.max(0, to - from)) / axis.lengthS);
  const x = Math.min(100 - LEAST_WIDTH, (100 * from) / axis.lengthS);
  return html`<rect
    class="${className}"
    x="${short(x)}%"
    width="${short(width)}%"
    height="100%"
    data-a="${short(from)}"
    data-b="${short(to)}"
    ><title>${title}</title></rect
  >`;
}

/** Vertical lines at round times. */
export function timeGrid(axis: TimeAxis, wanted: number): SafeHtml {
  const lines = timeTicks(axis.startMs, 0, axis.lengthS, wanted).map(({ atS }) => {
    const x = percent(atS, axis);
    return html`<line class="grid" x1="${x}" x2="${x}" y2="100%" />`;
  });
  return html`<g class="tgrid" data-ticks="${wanted}">${lines}</g>`;
}

/** The labels of the round times, in a separate SVG. */
export function timeLabels(axis: TimeAxis, wanted: number): SafeHtml {
  const labels = timeTicks(axis.startMs, 0, axis.lengthS, wanted).map(({ atS, label }) => {
    const share = atS / axis.lengthS;
    const anchor = share < 0.05 ? 'start' : share > 0.95 ? 'end' : 'middle';
    return html`<text x="${percent(atS, axis)}" y="12" text-anchor="${anchor}">${label}</text>`;
  });
  return html`<svg class="tlabels" height="16" data-ticks="${wanted}" aria-hidden="true">${labels}</svg>`;
}

/** Marked events, shown in every chart over time. */
export function eventMarks({ events }: ReportData, axis: TimeAxis): SafeHtml {
  const marks = events
    .filter(({ atS }) => atS >= 0 && atS <= axis.lengthS)
    .map(({ atS, label }) => {
      const x = percent(atS, axis);
      return html`<line class="event" x1="${x}" x2="${x}" y2="100%" data-a="${short(atS)}"
        ><title>marked: ${label}</title></line
      >`;
    });
  return html`${marks}`;
}
