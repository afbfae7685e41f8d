import type { TopicRow } from '../wire.js';
import type { SortKey, View } from './settings.js';

const text = new Intl.Collator('en', { numeric: true });

const compare: Readonly<Record<SortKey, (a: TopicRow, b: TopicRow) => number>> = {
  topic: (a, b) => text.compare(a.topic, b.topic),
  type: (a, b) => text.compare(a.type, b.type),
  hz: (a, b) => a.messagesPerS - b.messagesPerS,
  bytes: (a, b) => a.bytesPerS - b.bytesPerS,
  drops: (a, b) => a.dropped - b.dropped,
  seen: (a, b) => Number(a.lastReceivedAt ?? 0) - Number(b.lastReceivedAt ?? 0),
};

/** The selected topics in the selected order. */
export function wantedTopics(rows: readonly TopicRow[], view: View): TopicRow[] {
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = rows.filter((row) => {
    if (view.robot !== '' && row.robot !== view.robot) return false;
    const haystack = `${row.topic} ${row.type} ${row.robot}`.toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
  const by = compare[view.sort];
  const sign = view.descending ? -1 : 1;
  // Equal topics keep one order in both directions, or rows would jump.
  return wanted.sort((a, b) => sign * by(a, b) || text.compare(a.topic, b.topic) || a.id - b.id);
}

/** Whether the order depends on numbers that change continuously. */
export function isRunning(sort: SortKey): boolean {
  return sort === 'hz' || sort === 'bytes' || sort === 'seen';
}
