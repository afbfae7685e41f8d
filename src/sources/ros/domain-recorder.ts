import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { QueueRule } from '../../core/message.js';
import type { SourceEvent } from '../../core/source.js';
import { isUnidentified, publisherKey, type Publisher } from './endpoints.js';
import { Graph, type TopicChange } from './graph.js';
import type { MessageDefinitions } from './message-definitions.js';
import { Problems, type RosProblem } from './problems.js';
import { clockQos, type DepthOf, type QosOverride } from './reader-qos.js';
import { RclnodejsReceiver } from './rclnodejs-receiver.js';
import { NO_LIMITS, type MessageInfo, type Receiver } from './receiver.js';
import { newRecorded, type Recorded } from './recorded.js';
import type { RobotRule } from './robots-of-topic.js';
import type { RosSession } from './ros-session.js';
import { SilentTopics } from './silent-topics.js';
import { StaticSubscriptions } from './static-subscriptions.js';
import type { StaticTopic } from './static-topics.js';
import { readClock } from './sim-clock.js';
import { whyNotRecorded, type TopicRules } from './topic-choice.js';
import { TopicDelivery } from './topic-delivery.js';
import type { SilenceRule } from './topic-liveness.js';
import { TopicLosses } from './topic-losses.js';
import { TopicReader } from './topic-reader.js';
import { TopicSubscriptions } from './topic-subscriptions.js';

/**
 * How long to keep the subscription of a topic without publishers, so that it receives at once when one
 * returns.
 */
const LINGER_NS = 60_000_000_000n;
/** Rules may change while recording: all topics are judged again this often. */
const REVIEW_NS = 2_000_000_000n;
/** At the end, waiting messages are taken for at most this long: a flood would never end. */
const LAST_DRAIN_NS = 500_000_000n;

export interface DomainParts {
  readonly session: RosSession;
  /** How messages are received; default: by rclnodejs. It is closed with the recorder. */
  readonly receiver?: Receiver;
  /** How much of a topic may wait in the receiver; default: no limit of its own. */
  readonly limitsOf?: (topic: string) => QueueRule;
  readonly rules: TopicRules;
  readonly robots: RobotRule;
  readonly depthOf: DepthOf;
  readonly overrides: ReadonlyMap<string, QosOverride>;
  /** Topics to subscribe to before they have publishers. */
  readonly staticTopics: readonly StaticTopic[];
  readonly useSimTime: boolean;
  /** The middleware reports messages that were lost in transit. */
  readonly tellsLoss: boolean;
  /** The middleware refuses a second type on a topic while the first has a subscription. */
  readonly oneTypePerTopic: boolean;
  /** Interval of {@link DomainRecorder.poll}, milliseconds. */
  readonly pollMs: number;
  readonly silence: SilenceRule;
  readonly definitions: MessageDefinitions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly emit: (event: SourceEvent) => void;
}

export interface DomainReport {
  /** How its messages are received. */
  readonly receive: Receiver['kind'];
  readonly domainId: number;
  /** Full name of the recording node. */
  readonly node: string;
  readonly waitsForClock: boolean;
  /** Topics in the graph, recorded or not. */
  readonly topics: number;
  /** Topics with a subscription and a publisher. */
  readonly recorded: number;
  /** Topics with publishers that send nothing any more. */
  readonly silent: number;
  /** How often such topics were subscribed to again, since the start. */
  readonly resubscriptions: number;
  readonly problems: readonly RosProblem[];
}

/** Records the topics of one domain, as its node sees them. */
export class DomainRecorder {
  readonly #graph: Graph;
  readonly #problems: Problems;
  readonly #losses: TopicLosses<Recorded>;
  readonly #delivery: TopicDelivery;
  readonly #subscriptions: TopicSubscriptions;
  readonly #silent: SilentTopics;
  readonly #static: StaticSubscriptions;
  readonly #receiver: Receiver;
  /** Every topic with a publisher, recorded or not. */
  readonly #published = new Map<string, readonly Publisher[]>();
  #reviewedAt = 0n;
  #clockReader: TopicReader | undefined;

  readonly #parts: DomainParts;

  constructor(parts: DomainParts) {
    this.#parts = parts;
    const receiver = (this.#receiver =
      parts.receiver ?? new RclnodejsReceiver(parts.session, parts.clock, parts.logger));
    this.#graph = new Graph(parts.session.node, (topic, error) => {
      parts.logger.warn('reading the endpoints of a ROS topic failed', {
        topic,
        error: describeError(error),
      });
    });
    const problems = (this.#problems = new Problems(parts.logger, () => parts.clock.now()));
    const onStranger = ({ topic }: Recorded): void => this.#graph.suspect(topic);
    const delivery = (this.#delivery = new TopicDelivery({ ...parts, problems, onStranger }));
    const robotsOf = (one: Recorded, publisher?: string) => delivery.robotsOfMessages(one, publisher);
    const losses = (this.#losses = new TopicLosses({ ...parts, problems, robotsOf, nodeOf }));
    const { wanted } = parts.rules;
    this.#static = new StaticSubscriptions({ ...parts, topics: parts.staticTopics, problems, wanted });
    const limitsOf = parts.limitsOf ?? (() => NO_LIMITS);
    const own = { problems, losses, delivery, receiver, limitsOf };
    this.#subscriptions = new TopicSubscriptions({ ...parts, ...own });
    this.#silent = new SilentTopics({
      ...{ problems, losses, pollMs: parts.pollMs, useSimTime: parts.useSimTime },
      time: () => delivery.time,
      resubscribe: (one) => this.#subscriptions.again(one, parts.clock.monotonic()),
    });
  }

  report(): DomainReport {
    const { session } = this.#parts;
    return {
      receive: this.#receiver.kind,
      domainId: session.domainId,
      node: session.node.getFullyQualifiedName(),
      waitsForClock: !this.hasTime,
      topics: this.#graph.topicCount,
      recorded: this.#all.filter((one) => one.reader?.qos && one.goneAt === undefined).length,
      silent: this.#silent.count,
      resubscriptions: this.#silent.resubscriptions,
      problems: this.#problems.all,
    };
  }

  /** Subscribes to /clock; nothing else is subscribed to before {@link hasTime}. */
  followClock(): void {
    const onMessage = (data: Buffer, info?: MessageInfo): void => {
      const time = readClock(data);
      info?.lease?.release();
      if (time === undefined) return;
      const before = this.#delivery.simTime;
      if (before !== undefined && time < before) {
        this.#parts.logger.warn('the simulated clock jumped back', { domain: this.#parts.session.domainId });
      }
      this.#delivery.simTime = time;
    };
    const reader = new TopicReader({
      receiver: this.#receiver,
      topic: '/clock',
      type: 'rosgraph_msgs/msg/Clock',
      limits: NO_LIMITS,
      onMessage,
      onDropped: () => undefined,
    });
    this.#parts.session.create((node) => reader.open(node, clockQos));
    this.#clockReader = reader;
  }

  get hasTime(): boolean {
    return !this.#parts.useSimTime || this.#delivery.simTime !== undefined;
  }

  /** Looks at the graph once and handles the changes. */
  async poll(): Promise<void> {
    const now = this.#parts.clock.monotonic();
    const change = this.#graph.poll(now);
    if (change.namespaces !== undefined) {
      this.#delivery.namespaces = change.namespaces;
      // The set of robots may have changed with it.
      for (const one of this.#all) this.#delivery.announce(one);
    }
    for (const { topic, publishers } of change.topics) {
      if (publishers.length > 0) this.#published.set(topic, publishers);
      else this.#published.delete(topic);
      this.#apply({ topic, publishers }, now);
    }
    if (now - this.#reviewedAt >= REVIEW_NS) {
      this.#reviewedAt = now;
      for (const [topic, publishers] of this.#published) this.#apply({ topic, publishers }, now);
      await this.#subscriptions.define();
    }
    this.#static.keep(this.#subscriptions.all, now);
    await this.#subscriptions.subscribe(now);
    this.#silent.review(this.#all, now);
    this.#tidy(now);
    this.#receiver.review(now);
  }

  get #all(): readonly Recorded[] {
    return [...this.#subscriptions.all.values()];
  }

  /** Ends hand-overs and drops topics that have been gone for long. */
  #tidy(now: bigint): void {
    const all = this.#all;
    for (const one of all) {
      const { topic, held, joining, strange, identity } = one;
      if ((held ?? joining) !== undefined && !identity.isWaiting(now)) {
        this.#apply({ topic, publishers: this.#published.get(topic) ?? [] }, now);
      } else if (strange !== undefined) this.#delivery.arrange(one, now);
    }
    for (const one of all) {
      const isGhost = one.revivedAt !== undefined && now - one.revivedAt > REVIEW_NS;
      if (isGhost && !this.#published.has(one.topic)) this.#vanish(one, now);
    }
    const idle = all.filter((one) => isIdle(one, now));
    const handingOver = all.filter((one) => one.reader?.isHandingOver);
    if (idle.length + handingOver.length === 0 || this.#parts.session.isClosed) return;
    this.#parts.session.change(() => {
      for (const { reader } of handingOver) reader?.tick(now);
      for (const one of idle) this.#subscriptions.drop(one);
    });
    for (const one of handingOver) {
      // Offers may have changed while it could not follow.
      if (one.goneAt === undefined && one.reader?.isHandingOver === false)
        this.#subscriptions.adapt(one, now);
    }
  }

  /** The state of a topic and its publishers. */
  #apply({ topic, publishers }: TopicChange, now: bigint): void {
    const types = [...new Set(publishers.map(({ type }) => type))];
    if (types.length === 0) this.#static.judged(topic, undefined);
    if (types.length > 1) {
      const detail = `published as ${types.join(' and ')}; each is recorded where it can be`;
      this.#problems.set('two-types', topic, detail);
    } else this.#problems.clear('two-types', topic);
    for (const one of this.#all) {
      if (one.topic === topic && !types.includes(one.type)) this.#vanish(one, now);
    }
    for (const type of types) {
      const ofType = publishers.filter((publisher) => publisher.type === type);
      this.#applyType(topic, type, ofType, now);
    }
  }

  #applyType(topic: string, type: string, publishers: readonly Publisher[], now: bigint): void {
    const key = `${topic} ${type}`;
    const known = this.#subscriptions.all.get(key);
    const one = known ?? newRecorded(topic, type, this.#parts.silence);
    one.identity.update(publishers, now);
    one.isStatic = this.#static.has(topic, type);
    // A topic that is named with its full name is wanted although it is hidden.
    const rules = one.isStatic ? { ...this.#parts.rules, hidden: true } : this.#parts.rules;
    const whyNot = whyNotRecorded(rules, topic, type, publishers);
    const isRefused = whyNot !== undefined && !(one.identity.isWaiting(now) && whyNot.startsWith('node '));
    if (one.isStatic) this.#static.judged(topic, isRefused ? whyNot : undefined);
    if (isRefused) {
      if (known === undefined) return;
      this.#delivery.discard(known);
      this.#vanish(known, now);
      // No reason to keep it: it may return, but is not wanted then either.
      known.goneAt = now - LINGER_NS;
      return;
    }
    one.publishers = publishers;
    one.goneAt = one.revivedAt = undefined;
    this.#subscriptions.all.set(key, one);
    this.#delivery.arrange(one, now);
    if (one.reader !== undefined) this.#subscriptions.adapt(one, now);
  }

  #vanish(one: Recorded, now: bigint): void {
    if (one.goneAt !== undefined) return;
    // The last messages of its publishers may still wait.
    one.reader?.drain(Infinity);
    this.#silent.forget(one, 'its publisher was gone');
    this.#losses.hearing(one);
    this.#delivery.vanish(one);
    one.identity.update([], now);
    one.goneAt = now;
    one.revivedAt = undefined;
    this.#problems.forget(one.topic);
  }

  /** Takes the waiting messages, then destroys all subscriptions. */
  close(): void {
    const { session, clock } = this.#parts;
    if (session.isClosed) return;
    const until = clock.monotonic() + LAST_DRAIN_NS;
    for (let left = 1; left > 0 && clock.monotonic() < until;) {
      left = 0;
      for (const { reader } of this.#all) left += reader?.drain(1_024) ?? 0;
    }
    for (const one of this.#all) {
      this.#silent.end(one, 'the recording ended');
      this.#delivery.settle(one);
    }
    session.change(() => {
      for (const { reader } of this.#all) reader?.close();
      this.#clockReader?.close();
      this.#receiver.close();
    });
    this.#subscriptions.all.clear();
  }
}

/** The full name of the node that publishes it. */
function nodeOf({ publishers }: Recorded, publisher: string): string | undefined {
  const found = publishers.find(({ gid }) => publisherKey(gid) === publisher);
  if (found === undefined || isUnidentified(found)) return undefined;
  return `${found.namespace === '/' ? '' : found.namespace}/${found.node}`;
}

/** Gone for so long that nothing waits for it any more. */
function isIdle({ goneAt, reader, isStatic }: Recorded, now: bigint): boolean {
  return !isStatic && goneAt !== undefined && (reader === undefined || now - goneAt >= LINGER_NS);
}
