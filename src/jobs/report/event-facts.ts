import type { MarkedEvent } from '../../core/marked-event.js';
import type { EventMark } from '../../exporters/report/report-data.js';
import type { TimeSpan } from './time-span.js';

const EVENTS_MAX = 200;

/** Marked events whose windows lie in the range, by time. */
export function eventMarks(events: readonly MarkedEvent[], span: TimeSpan | undefined): EventMark[] {
  if (span === undefined) return [];
  return events
    .filter(({ from, to }) => span.overlaps(BigInt(from), BigInt(to)))
    .sort((a, b) =>
      BigInt(a.at) < BigInt(b.at) ? -1 : BigInt(a.at) > BigInt(b.at) ? 1 : a.id < b.id ? -1 : 1,
    )
    .slice(0, EVENTS_MAX)
    .map(({ label, at, from, to }) => ({
      label,
      atS: span.seconds(BigInt(at)),
      fromS: span.seconds(BigInt(from)),
      toS: span.seconds(BigInt(to)),
    }));
}
