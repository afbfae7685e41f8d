import type { Problems } from './problems.js';
import { newRecorded, type Recorded } from './recorded.js';
import type { StaticTopic } from './static-topics.js';
import type { SilenceRule } from './topic-liveness.js';

export interface StaticParts {
  readonly topics: readonly StaticTopic[];
  readonly problems: Problems;
  readonly silence: SilenceRule;
  /** The recorder's include and exclude rules. */
  readonly wanted: (topic: string, type: string) => boolean;
  /** The middleware refuses a second type on a topic while the first has a subscription. */
  readonly oneTypePerTopic: boolean;
}

/**
 * Keeps a subscription for every topic that is named beforehand, whether it has publishers or not. Without
 * publishers it is in the state of a topic whose publishers are gone, and never ends.
 */
export class StaticSubscriptions {
  readonly #parts: StaticParts;
  readonly #types: ReadonlyMap<string, string>;
  /** Why a topic is not recorded although it is named. */
  readonly #refused = new Map<string, string>();

  constructor(parts: StaticParts) {
    this.#parts = parts;
    this.#types = new Map(parts.topics.map(({ topic, type }) => [topic, type]));
  }

  has(topic: string, type: string): boolean {
    return this.#types.get(topic) === type;
  }

  /** What the rules say about the topic with its present publishers; undefined: it is recorded. */
  judged(topic: string, whyNot: string | undefined): void {
    if (whyNot === undefined) this.#refused.delete(topic);
    else if (this.#types.has(topic)) this.#refused.set(topic, whyNot);
  }

  /** Adds those that are missing, and takes away those that are not wanted any more. */
  keep(all: Map<string, Recorded>, now: bigint): void {
    const { problems, wanted, silence } = this.#parts;
    for (const { topic, type } of this.#parts.topics) {
      const one = all.get(`${topic} ${type}`);
      const others = [...all.values()].filter((other) => other.topic === topic && other.type !== type);
      const published = others.find(({ goneAt }) => goneAt === undefined);
      const whyNot = wanted(topic, type) ? this.#refused.get(topic) : 'not wanted';
      const isWanted = whyNot === undefined;
      if (one !== undefined) one.isStatic = isWanted;
      else if (isWanted && (published === undefined || !this.#parts.oneTypePerTopic)) {
        all.set(`${topic} ${type}`, { ...newRecorded(topic, type, silence), isStatic: true, goneAt: now });
      }
      if (!isWanted) problems.set('static-topic', topic, `named and not recorded: ${whyNot}`);
      else if (published !== undefined) {
        problems.set('static-topic', topic, `named with the type ${type}, published as ${published.type}`);
      } else if (one?.failedAt === undefined || one.goneAt === undefined)
        problems.clear('static-topic', topic);
    }
  }
}
