import type { Node } from 'rclnodejs';
import { toPublisher, type Publisher } from './endpoints.js';

/** All publishers are looked at again this often, also where their number has not changed. */
const FULL_LOOK_NS = 2_000_000_000n;

/** So many of them at a poll, or a graph of hundreds of topics would hold everything up at once. */
const FULL_LOOKS_PER_POLL = 16;

export interface TopicChange {
  readonly topic: string;
  /** Empty: nobody publishes it any more. */
  readonly publishers: readonly Publisher[];
}

export interface GraphChange {
  readonly topics: readonly TopicChange[];
  /** Namespaces of all nodes, when they are other than before. */
  readonly namespaces: readonly string[] | undefined;
}

interface Known {
  count: number;
  lookedAt: bigint;
  signature: string;
}

/**
 * The ROS graph as one node sees it, asked again and again since rclnodejs tells of no change: names and the
 * number of publishers each time, who they are and what they offer when the number changed, when asked to look
 * again, and every two seconds or, of hundreds of topics, in turn.
 */
export class Graph {
  private readonly known = new Map<string, Known>();
  private namespaces = '';
  private readonly suspects = new Set<string>();
  private readonly faults = new Set<string>();
  private fullLooks = 0;

  constructor(
    private readonly node: Node,
    /** One topic that cannot be looked at does not stop the others; told once per topic. */
    private readonly onFault: (topic: string, error: unknown) => void,
  ) {}

  get topicCount(): number {
    return this.known.size;
  }

  /** Look at this topic's publishers at the next poll in any case. */
  suspect(topic: string): void {
    this.suspects.add(topic);
  }

  poll(now: bigint): GraphChange {
    this.fullLooks = 0;
    const topics: TopicChange[] = [];
    const seen = new Set<string>();
    for (const { name } of this.node.getTopicNamesAndTypes() as { name: string }[]) {
      seen.add(name);
      try {
        const change = this.look(name, now);
        if (change !== undefined) topics.push(change);
        this.faults.delete(name);
      } catch (error) {
        if (!this.faults.has(name)) this.onFault(name, error);
        this.faults.add(name);
      }
    }
    for (const [topic, known] of this.known) {
      if (seen.has(topic)) continue;
      this.known.delete(topic);
      this.faults.delete(topic);
      if (known.count > 0) topics.push({ topic, publishers: [] });
    }
    return { topics, namespaces: this.lookAtNodes() };
  }

  private look(topic: string, now: bigint): TopicChange | undefined {
    const count = this.node.countPublishers(topic);
    const known = this.known.get(topic);
    const isDue = known === undefined || known.count !== count || this.suspects.delete(topic);
    if (!isDue) {
      if (count === 0 || now - known.lookedAt < FULL_LOOK_NS) return undefined;
      if (++this.fullLooks > FULL_LOOKS_PER_POLL) return undefined;
    }
    const publishers = this.node.getPublishersInfoByTopic(topic, false).map(toPublisher);
    const signature = signatureOf(publishers);
    this.known.set(topic, { count, lookedAt: now, signature });
    // The graph changed between the two questions.
    if (publishers.length !== count) this.suspects.add(topic);
    if (signature === (known?.signature ?? '')) return undefined;
    return { topic, publishers };
  }

  private lookAtNodes(): readonly string[] | undefined {
    const nodes = this.node.getNodeNamesAndNamespaces() as { namespace: string }[];
    const namespaces = [...new Set(nodes.map(({ namespace }) => namespace))].sort();
    const text = namespaces.join(' ');
    if (text === this.namespaces) return undefined;
    this.namespaces = text;
    return namespaces;
  }
}

/** Equal for the same publishers with the same offers, in whatever order. */
function signatureOf(publishers: readonly Publisher[]): string {
  return publishers
    .map(({ gid, node, namespace, type, qos }) =>
      [gid, namespace, node, type, qos.reliability, qos.durability, qos.depth, qos.history].join(' '),
    )
    .sort()
    .join('\n');
}
