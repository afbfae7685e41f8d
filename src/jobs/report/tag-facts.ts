import { describeTags } from '../../core/tags.js';
import type { TagFacts } from '../../exporters/report/report-data.js';
import type { MessageFilter } from '../../recordings/message-filter.js';
import type { RecordingFacts } from './recording-facts.js';
import { inRange } from './session-facts.js';
import type { TimeSpan } from './time-span.js';

/** Sets of tags beyond this many are not shown. */
const SETS_MAX = 200;

interface TagSet {
  readonly robots: Set<string>;
  segments: number;
  first: bigint | undefined;
  last: bigint | undefined;
}

/** The tags of the segments, one row for each set of tags, by time. */
export function tagFacts(
  { segments }: RecordingFacts,
  filter: MessageFilter,
  span: TimeSpan | undefined,
): TagFacts[] {
  const sets = new Map<string, TagSet>();
  for (const { manifest, robot, firstLogTime, lastLogTime } of inRange(segments, filter, span)) {
    const text = describeTags(manifest?.tags ?? {});
    if (text === '') continue;
    let set = sets.get(text);
    if (set === undefined) {
      if (sets.size >= SETS_MAX) continue;
      sets.set(text, (set = { robots: new Set(), segments: 0, first: undefined, last: undefined }));
    }
    if (robot !== undefined) set.robots.add(robot);
    set.segments++;
    if (firstLogTime !== undefined && (set.first === undefined || firstLogTime < set.first)) {
      set.first = firstLogTime;
    }
    if (lastLogTime !== undefined && (set.last === undefined || lastLogTime > set.last))
      set.last = lastLogTime;
  }
  return [...sets]
    .sort(([, a], [, b]) => Number((a.first ?? 0n) - (b.first ?? 0n)))
    .map(([text, { robots, segments: count, first, last }]) => ({
      ...{ text, robots: [...robots].sort(), segments: count },
      ...(span === undefined || first === undefined ? {} : { fromS: span.seconds(first) }),
      ...(span === undefined || last === undefined ? {} : { toS: span.seconds(last) }),
    }));
}
