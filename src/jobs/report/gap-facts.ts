import { defined } from '../../core/defined.js';
import type { GapJson } from '../../core/gap.js';
import type { GapFact, GapFacts } from '../../exporters/report/report-data.js';
import { matches, type MessageFilter } from '../../recordings/message-filter.js';
import type { TimeSpan } from './time-span.js';

/** Maximum number of gaps listed; all are counted. */
const LIST_MAX = 500;

/** Every gap in the range once, even if several segments report it. */
export function gapFacts(
  all: readonly GapJson[],
  { topics, robots }: MessageFilter,
  span: TimeSpan | undefined,
): GapFacts {
  const gaps = new Map<string, GapJson>();
  for (const gap of all) {
    // A gap of all robots has one id, and the segments of each robot report it.
    const key = JSON.stringify([gap.id, gap.robot, gap.topic ?? null]);
    const isWanted = matches(robots, gap.robot) && (gap.topic === undefined || matches(topics, gap.topic));
    if (isWanted && isInside(gap, span)) gaps.set(key, gap);
  }
  const totals = new Map<string, { reason: string; gaps: number; messages: number; unknown: number }>();
  const counted = new Set<string>();
  for (const { id, topic, reason, count } of gaps.values()) {
    const key = JSON.stringify([id, topic ?? null]);
    if (counted.has(key)) continue;
    counted.add(key);
    let total = totals.get(reason);
    if (total === undefined) totals.set(reason, (total = { reason, gaps: 0, messages: 0, unknown: 0 }));
    total.gaps++;
    total.messages += count ?? 0;
    if (count === undefined) total.unknown++;
  }
  const sorted = [...gaps.values()].sort(earlier);
  return {
    totals: [...totals.values()].sort((a, b) => b.messages - a.messages || (a.reason < b.reason ? -1 : 1)),
    list: sorted.slice(0, LIST_MAX).map((gap) => fact(gap, span)),
    omitted: Math.max(0, sorted.length - LIST_MAX),
  };
}

/** A gap without a time belongs to the recording as a whole. */
function isInside({ firstTime, lastTime }: GapJson, span: TimeSpan | undefined): boolean {
  const [first, last] = [firstTime ?? lastTime, lastTime ?? firstTime];
  if (span === undefined || first === undefined || last === undefined) return true;
  return span.overlaps(BigInt(first), BigInt(last));
}

function earlier(a: GapJson, b: GapJson): number {
  const [x, y] = [BigInt(a.firstTime ?? a.lastTime ?? 0), BigInt(b.firstTime ?? b.lastTime ?? 0)];
  if (x !== y) return x < y ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function fact(
  { reason, robot, topic, count, firstTime, lastTime, detail }: GapJson,
  span: TimeSpan | undefined,
): GapFact {
  const [first, last] = [firstTime ?? lastTime, lastTime ?? firstTime];
  return {
    reason,
    robot,
    ...defined({ topic, count }),
    ...(span === undefined || first === undefined ? {} : { fromS: span.seconds(BigInt(first)) }),
    ...(span === undefined || last === undefined ? {} : { toS: span.seconds(BigInt(last)) }),
    ...defined({ detail }),
  };
}
