import { NS_PER_MS } from '../../core/clock.js';
import type { TopicStats } from '../../core/status.js';

/** A topic with its number in updates, and its recent past. */
export interface TopicRow extends TopicStats {
  /** Stable for the life of the process. */
  readonly id: number;
  /** Messages per second, oldest first, one point every {@link SPARK_STEP_S} seconds. */
  readonly spark: readonly number[];
}

/**
 * The changes of a topic: id, received, receivedBytes, dropped, messagesPerS, bytesPerS, queuedBytes,
 * lastReceivedAt in milliseconds since the Unix epoch (null: never), present (1 or 0).
 */
export type TopicDelta = readonly [
  id: number,
  received: number,
  receivedBytes: number,
  dropped: number,
  messagesPerS: number,
  bytesPerS: number,
  queuedBytes: number,
  lastReceivedAtMs: number | null,
  present: 0 | 1,
];

export const SPARK_POINTS = 40;
export const SPARK_STEP_S = 3;

interface Entry {
  readonly id: number;
  stats: TopicStats;
  /** When the recorder last reported it. */
  round: number;
  spark: number[];
  /** The last update, as text; undefined: none yet. */
  told: string | undefined;
}

export interface TopicUpdate {
  readonly added: readonly TopicRow[];
  readonly changed: readonly TopicDelta[];
}

/** The topics of a page: ids, sparklines, and the changes since the last update. Bounded in topics. */
export class TopicTable {
  /** Topics beyond the limit, which pages do not see. */
  omitted = 0;
  readonly #entries = new Map<string, Entry>();
  #nextId = 1;
  #round = 0;

  readonly #maxTopics: number;

  constructor(maxTopics: number) {
    this.#maxTopics = maxTopics;
  }

  /** Takes the recorder's present topics; returns the new and changed ones since the last update. */
  update(topics: readonly TopicStats[]): TopicUpdate {
    this.absorb(topics);
    const added: TopicRow[] = [];
    const changed: TopicDelta[] = [];
    for (const entry of this.#entries.values()) {
      const delta = deltaOf(entry.id, entry.stats);
      const text = JSON.stringify(delta);
      if (text === entry.told) continue;
      if (entry.told === undefined) added.push(rowOf(entry));
      else changed.push(delta);
      entry.told = text;
    }
    return { added, changed };
  }

  /** Adds one point to every sparkline; called every {@link SPARK_STEP_S} seconds. */
  sample(topics: readonly TopicStats[]): void {
    this.absorb(topics);
    for (const { spark, stats } of this.#entries.values()) {
      spark.push(Math.round(stats.messagesPerS * 10) / 10);
      if (spark.length > SPARK_POINTS) spark.shift();
    }
  }

  /** All topics of the recorder's last report. */
  rows(): TopicRow[] {
    return [...this.#entries.values()].map(rowOf);
  }

  /** Takes the recorder's present topics, without counting them as sent. */
  absorb(topics: readonly TopicStats[]): void {
    this.#round++;
    // The recorder lists them in the order they came: those beyond the bound are not even looked at.
    this.omitted = Math.max(0, topics.length - this.#maxTopics);
    for (const stats of topics.slice(0, this.#maxTopics)) {
      const key = JSON.stringify([stats.robot, stats.topic, stats.type, stats.encoding]);
      const entry = this.#entries.get(key);
      const round = this.#round;
      if (entry !== undefined) Object.assign(entry, { stats, round });
      else if (this.#entries.size >= this.#maxTopics) this.omitted++;
      else this.#entries.set(key, { id: this.#nextId++, stats, round, spark: [], told: undefined });
    }
    // A topic the recorder has given up stays, as gone: a page may be looking at it.
    for (const entry of this.#entries.values()) {
      if (entry.round === this.#round || !entry.stats.present) continue;
      entry.stats = { ...entry.stats, present: false, messagesPerS: 0, bytesPerS: 0 };
    }
  }
}

function rowOf({ id, stats, spark }: Entry): TopicRow {
  return { ...stats, id, spark: [...spark] };
}

function deltaOf(id: number, stats: TopicStats): TopicDelta {
  const last = stats.lastReceivedAt;
  return [
    id,
    stats.received,
    stats.receivedBytes,
    stats.dropped,
    Math.round(stats.messagesPerS * 10) / 10,
    Math.round(stats.bytesPerS),
    stats.queuedBytes,
    last === undefined ? null : Number(BigInt(last) / NS_PER_MS),
    stats.present ? 1 : 0,
  ];
}
