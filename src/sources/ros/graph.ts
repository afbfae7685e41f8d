import type { Node } from 'rclnodejs';
import { toPublisher, type Publisher } from './endpoints.js';
import { IdentityWait } from './identity-wait.js';

/** All publishers are looked up again this often, even if their number is unchanged. */
const FULL_LOOK_NS = 2_000_000_000n;

/** This many of them per poll, or a graph of hundreds of topics would block everything at once. */
const FULL_LOOKS_PER_POLL = 16;

export interface TopicChange {
  readonly topic: string;
  /** Empty: it has no publishers any more. */
  readonly publishers: readonly Publisher[];
}

export interface GraphChange {
  readonly topics: readonly TopicChange[];
  /** Namespaces of all nodes, if they have changed. */
  readonly namespaces: readonly string[] | undefined;
}

interface Known {
  count: number;
  lookedAt: bigint;
  signature: string;
  /** Publishers whose names are not known yet. */
  readonly identity: IdentityWait;
}

/**
 * The ROS graph as one node sees it. It is polled, because rclnodejs has no graph-change events. Names and
 * the number of publishers are read each time. Who they are and what they offer is read when the number
 * changed, on request, and every two seconds or, with hundreds of topics, in turn.
 */
export class Graph {
  readonly #known = new Map<string, Known>();
  #namespaces = '';
  readonly #suspects = new Set<string>();
  readonly #faults = new Set<string>();
  #fullLooks = 0;

  readonly #node: Node;
  /** One topic that cannot be looked up does not stop the others; logged once per topic. */
  readonly #onFault: (topic: string, error: unknown) => void;

  constructor(node: Node, onFault: (topic: string, error: unknown) => void) {
    this.#node = node;
    this.#onFault = onFault;
  }

  get topicCount(): number {
    return this.#known.size;
  }

  /** Looks up this topic's publishers at the next poll in any case. */
  suspect(topic: string): void {
    this.#suspects.add(topic);
  }

  poll(now: bigint): GraphChange {
    this.#fullLooks = 0;
    const topics: TopicChange[] = [];
    const seen = new Set<string>();
    for (const { name } of this.#node.getTopicNamesAndTypes() as { name: string }[]) {
      seen.add(name);
      try {
        const change = this.#look(name, now);
        if (change !== undefined) topics.push(change);
        this.#faults.delete(name);
      } catch (error) {
        if (!this.#faults.has(name)) this.#onFault(name, error);
        this.#faults.add(name);
      }
    }
    for (const [topic, known] of this.#known) {
      if (seen.has(topic)) continue;
      this.#known.delete(topic);
      this.#faults.delete(topic);
      if (known.count > 0) topics.push({ topic, publishers: [] });
    }
    return { topics, namespaces: this.#lookAtNodes() };
  }

  #look(topic: string, now: bigint): TopicChange | undefined {
    const count = this.#node.countPublishers(topic);
    const known = this.#known.get(topic);
    const isDue = known === undefined || known.count !== count || this.#suspects.delete(topic);
    if (!isDue) {
      if (count === 0 || now - known.lookedAt < FULL_LOOK_NS) return undefined;
      if (++this.#fullLooks > FULL_LOOKS_PER_POLL) return undefined;
    }
    const publishers = this.#node.getPublishersInfoByTopic(topic, false).map(toPublisher);
    const signature = signatureOf(publishers);
    const identity = known?.identity ?? new IdentityWait();
    identity.update(publishers, now);
    this.#known.set(topic, { count, lookedAt: now, signature, identity });
    // The graph changed between the two calls.
    if (publishers.length !== count) this.#suspects.add(topic);
    if (identity.isWaiting(now)) this.#suspects.add(topic);
    if (signature === (known?.signature ?? '')) return undefined;
    return { topic, publishers };
  }

  #lookAtNodes(): readonly string[] | undefined {
    const nodes = this.#node.getNodeNamesAndNamespaces() as { namespace: string }[];
    const namespaces = [...new Set(nodes.map(({ namespace }) => namespace))].sort();
    const text = namespaces.join(' ');
    if (text === this.#namespaces) return undefined;
    this.#namespaces = text;
    return namespaces;
  }
}

/** Equal for the same publishers with the same offers, in any order. */
function signatureOf(publishers: readonly Publisher[]): string {
  return publishers
    .map(({ gid, node, namespace, type, qos }) =>
      [gid, namespace, node, type, qos.reliability, qos.durability, qos.depth, qos.history].join(' '),
    )
    .sort()
    .join('\n');
}
