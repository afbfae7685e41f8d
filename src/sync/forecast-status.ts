import {
  forecastByRobot,
  OBJECTS_PER_SEGMENT,
  requestsFor,
  type ForecastSegment,
} from '../core/send-policy/forecast.js';
import type { SyncStatus } from '../core/status.js';
import type { SegmentEntry, SegmentTable } from './segment-table.js';

/** Objects and requests that sending these segments costs. */
export interface SendCost {
  segments: number;
  bytes: number;
  objects: number;
  requests: number;
}

const partsOf = ({ bytes }: SegmentEntry, partBytes: number): number =>
  Math.max(1, Math.ceil(bytes / partBytes));

export function addCost(cost: SendCost, entry: SegmentEntry, partBytes: number): void {
  cost.segments++;
  cost.bytes += entry.bytes;
  cost.objects += OBJECTS_PER_SEGMENT;
  cost.requests += requestsFor(partsOf(entry, partBytes));
}

/** What each robot sends on a day, from the segments that are here; segments that are kept here do not count. */
export function forecastStatus(table: SegmentTable, partBytes: number): NonNullable<SyncStatus['forecast']> {
  const segments: ForecastSegment[] = [];
  for (const entry of table.values()) {
    const { state, robot, bytes, firstLogTime, lastLogTime } = entry;
    if (state === 'skipped' || state === 'held') continue;
    if (firstLogTime === undefined || lastLogTime === undefined) continue;
    const [firstNs, lastNs] = [BigInt(firstLogTime), BigInt(lastLogTime)];
    segments.push({ robot, bytes, parts: partsOf(entry, partBytes), firstNs, lastNs });
  }
  return forecastByRobot(segments);
}
