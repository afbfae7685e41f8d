import { defined } from '../../core/defined.js';
import { formatTime } from '../../core/clock.js';
import { present } from '../../core/present.js';
import type { SegmentFact, StorageFacts } from '../../exporters/report/report-data.js';
import type { InspectedSegment } from '../export/inspect.js';
import { matches, type MessageFilter } from '../../recordings/message-filter.js';
import type { RecordingFacts, SegmentRecord } from './recording-facts.js';
import { inRange, nameOf } from './session-facts.js';
import type { TimeSpan } from './time-span.js';

/** Maximum number of segments listed; all are counted. */
const LIST_MAX = 300;

/** The state of the segments in the range. */
export function storageFacts(
  facts: RecordingFacts,
  inspected: readonly InspectedSegment[],
  filter: MessageFilter,
  span: TimeSpan | undefined,
): StorageFacts {
  const records = inRange(facts.segments, filter, span).map((record) => describe(record, span));
  const known = new Set(records.map(({ name }) => name));
  for (const one of inspected) {
    if (known.has(nameOf(one.segment)) || !isWanted(one, filter, span)) continue;
    records.push(describeFile(one, facts.segments.length === 0 ? 'file' : 'uploaded', span));
  }
  const segments = records.sort(
    (a, b) => (a.fromS ?? Infinity) - (b.fromS ?? Infinity) || (a.name < b.name ? -1 : 1),
  );
  const totals = new Map<string, { state: string; segments: number; messages: number; bytes: number }>();
  for (const { state, messages, bytes } of segments) {
    let total = totals.get(state);
    if (total === undefined) totals.set(state, (total = { state, segments: 0, messages: 0, bytes: 0 }));
    total.segments++;
    total.messages += messages ?? 0;
    total.bytes += bytes;
  }
  const measured = segments.filter(({ payloadBytes, bytes }) => payloadBytes !== undefined && bytes > 0);
  return {
    segments: segments.slice(0, LIST_MAX),
    omitted: Math.max(0, segments.length - LIST_MAX),
    totals: [...totals.values()].sort((a, b) => b.segments - a.segments || (a.state < b.state ? -1 : 1)),
    payloadBytes: measured.reduce((sum, { payloadBytes }) => sum + present(payloadBytes), 0),
    fileBytes: measured.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function describe(record: SegmentRecord, span: TimeSpan | undefined): SegmentFact {
  const { name, robot, state, firstLogTime, lastLogTime, messages, bytes, manifest, receipts } = record;
  const { sealedAt, file, payloadBytes, uncleanEnd = false, evicted } = manifest ?? {};
  return {
    name,
    ...defined({ robot }),
    state,
    ...(span === undefined || firstLogTime === undefined ? {} : { fromS: span.seconds(firstLogTime) }),
    ...(span === undefined || lastLogTime === undefined ? {} : { toS: span.seconds(lastLogTime) }),
    ...defined({ messages }),
    bytes,
    ...defined({ payloadBytes }),
    ...(file === undefined ? {} : { compression: file.compression }),
    ...(sealedAt === undefined ? {} : { sealedUtc: timeText(sealedAt) }),
    uncleanEnd,
    ...(evicted === undefined ? {} : { evicted: evicted.reason }),
    stores: receipts.map(({ uri, verification, verifiedAt }) => ({
      uri,
      verification,
      verifiedUtc: timeText(verifiedAt),
      ...(sealedAt === undefined ? {} : { delayMs: Number(BigInt(verifiedAt) - BigInt(sealedAt)) / 1e6 }),
    })),
  };
}

function describeFile(one: InspectedSegment, state: string, span: TimeSpan | undefined): SegmentFact {
  const { segment, robot, firstLogTime, lastLogTime, messages } = one;
  return {
    name: nameOf(segment),
    ...defined({ robot }),
    state,
    ...(span === undefined || firstLogTime === undefined ? {} : { fromS: span.seconds(firstLogTime) }),
    ...(span === undefined || lastLogTime === undefined ? {} : { toS: span.seconds(lastLogTime) }),
    messages,
    bytes: segment.bytes,
    uncleanEnd: false,
    stores: [],
  };
}

function isWanted(
  { robot, firstLogTime, lastLogTime }: InspectedSegment,
  { robots }: MessageFilter,
  span: TimeSpan | undefined,
): boolean {
  if (robot !== undefined && !matches(robots, robot)) return false;
  if (span === undefined || firstLogTime === undefined || lastLogTime === undefined) return true;
  return span.overlaps(firstLogTime, lastLogTime);
}

/** Manifests have times as decimal nanoseconds. */
function timeText(time: string): string {
  return /^\d+$/.test(time) ? formatTime(BigInt(time)) : time;
}
