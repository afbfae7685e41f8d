import type { Channel } from '../../core/message.js';
import { IDENTITY_WAIT_NS, isUnidentified, publisherKey, type Publisher } from './endpoints.js';

/** Publishers told apart per topic, those that have left included. */
const MOST_PUBLISHERS = 1_024;

/** Whose the messages of one topic are, by the identifiers of their publishers. */
export class Attribution {
  /** Namespaces by publisher. A publisher that has left stays: its last messages may still come. */
  readonly #namespaces = new Map<string, string>();
  /** Monotonic; since when messages of publishers wait that the graph has not shown with a name yet. */
  readonly #strangers = new Map<string, bigint>();
  #all: readonly Channel[] = [];
  /** The channels of each publisher among `#all`. */
  readonly #chosen = new Map<string, readonly Channel[]>();

  /** The publishers that the graph has now. */
  update(publishers: readonly Publisher[]): void {
    for (const publisher of publishers) {
      if (isUnidentified(publisher)) continue;
      const key = publisherKey(publisher.gid);
      if (this.#namespaces.get(key) === publisher.namespace) continue;
      makeRoom(this.#namespaces);
      this.#namespaces.set(key, publisher.namespace);
      this.#strangers.delete(key);
      this.#chosen.clear();
    }
  }

  /** The robots may be other ones now. */
  forgetRobots(): void {
    this.#chosen.clear();
  }

  /** Whether to wait until the graph shows this publisher: for three seconds from its first message on. */
  isAwaited(publisher: string, now: bigint): boolean {
    if (this.#namespaces.has(publisher)) return false;
    const since = this.#strangers.get(publisher);
    if (since !== undefined) return now - since < IDENTITY_WAIT_NS;
    makeRoom(this.#strangers);
    this.#strangers.set(publisher, now);
    return true;
  }

  /** Waits for none of the present strangers any longer. */
  giveUp(): void {
    for (const publisher of this.#strangers.keys()) this.#strangers.set(publisher, -IDENTITY_WAIT_NS);
  }

  /**
   * The channels of the robots whose node the publisher is. All of them if that is not known, or if it belongs to no
   * robot, as a simulator does.
   */
  choose(
    publisher: string,
    all: readonly Channel[],
    robotsOf: (namespace: string) => readonly string[],
  ): readonly Channel[] {
    if (all !== this.#all) {
      this.#all = all;
      this.#chosen.clear();
    }
    const namespace = this.#namespaces.get(publisher);
    if (namespace === undefined) return all;
    let chosen = this.#chosen.get(publisher);
    if (chosen === undefined) {
      const robots = robotsOf(namespace);
      const its = all.filter(({ robot }) => robots.includes(robot));
      chosen = its.length > 0 ? its : all;
      this.#chosen.set(publisher, chosen);
    }
    return chosen;
  }
}

/** The oldest entry goes. */
function makeRoom(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (map.size >= MOST_PUBLISHERS && oldest !== undefined) map.delete(oldest);
}
