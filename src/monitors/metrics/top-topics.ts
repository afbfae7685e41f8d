import type { TopicStats } from '../../core/status.js';

/** Label of the sum over all topics without metrics of their own. */
export const OTHERS = '(other)';

export interface TopicCounts {
  readonly robot: string;
  readonly topic: string;
  readonly received: number;
  readonly receivedBytes: number;
  readonly dropped: number;
}

/**
 * Topics with metrics of their own: those with the most bytes when a place is free. A place is kept, so that
 * no series, including the sum of the others, ever decreases.
 */
export class TopTopics {
  readonly #chosen = new Set<string>();

  readonly #places: number;

  constructor(places: number) {
    this.#places = places;
  }

  pick(topics: readonly TopicStats[]): TopicCounts[] {
    const sums = byTopic(topics);
    const free = this.#places - this.#chosen.size;
    if (free > 0) {
      [...sums]
        .filter(([key]) => !this.#chosen.has(key))
        .sort(([, a], [, b]) => b.receivedBytes - a.receivedBytes)
        .slice(0, free)
        .forEach(([key]) => this.#chosen.add(key));
    }
    const picked: TopicCounts[] = [];
    let others: TopicCounts | undefined;
    for (const [key, counts] of sums) {
      if (this.#chosen.has(key)) picked.push(counts);
      // Not per robot: there may be many robots, and they come and go.
      else others = added(others ?? nothing(OTHERS, OTHERS), counts);
    }
    return others === undefined ? picked : [...picked, others];
  }
}

/** A topic may have several channels (another type or definition); they count as one. */
function byTopic(topics: readonly TopicStats[]): Map<string, TopicCounts> {
  const sums = new Map<string, TopicCounts>();
  for (const stats of topics) {
    const key = JSON.stringify([stats.robot, stats.topic]);
    sums.set(key, added(sums.get(key) ?? nothing(stats.robot, stats.topic), stats));
  }
  return sums;
}

function nothing(robot: string, topic: string): TopicCounts {
  return { robot, topic, received: 0, receivedBytes: 0, dropped: 0 };
}

function added(sum: TopicCounts, more: Omit<TopicCounts, 'robot' | 'topic'>): TopicCounts {
  return {
    robot: sum.robot,
    topic: sum.topic,
    received: sum.received + more.received,
    receivedBytes: sum.receivedBytes + more.receivedBytes,
    dropped: sum.dropped + more.dropped,
  };
}
