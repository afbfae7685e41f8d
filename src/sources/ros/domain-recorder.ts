import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { Schema } from '../../core/message.js';
import type { SourceEvent } from '../../core/source.js';
import { BusyTopics } from './busy-topics.js';
import { DrainShare } from './drain-share.js';
import type { Publisher } from './endpoints.js';
import { Graph, type TopicChange } from './graph.js';
import type { MessageDefinitions } from './message-definitions.js';
import { Problems, type RosProblem } from './problems.js';
import { requestFor, sameReaderQos, type QosOverride } from './reader-qos.js';
import { TopicChannels } from './recorded-topic.js';
import { robotsOfTopic, type RobotRule } from './robots-of-topic.js';
import type { RosSession } from './ros-session.js';
import { readClock } from './sim-clock.js';
import { whyNotRecorded, type TopicRules } from './topic-choice.js';
import { TopicLosses } from './topic-losses.js';
import { TopicReader } from './topic-reader.js';

/** A type whose support is not installed is tried again this often. */
const RETRY_NS = 3_000_000_000n;
/** The subscription of a topic nobody publishes is kept so long, so that it is heard at once when it returns. */
const LINGER_NS = 60_000_000_000n;
/** Rules may change while recording: so often all topics are judged again. */
const REVIEW_NS = 2_000_000_000n;
/** At the end, what waits in the middleware is taken for at most this long: a flood would never end. */
const LAST_DRAIN_NS = 500_000_000n;

export interface DomainParts {
  readonly session: RosSession;
  readonly rules: TopicRules;
  readonly robots: RobotRule;
  /** Messages kept by the middleware per subscription; 0: all. */
  readonly depth: number;
  readonly overrides: ReadonlyMap<string, QosOverride>;
  readonly useSimTime: boolean;
  /** The middleware tells of messages lost on their way. */
  readonly tellsLoss: boolean;
  readonly definitions: MessageDefinitions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly emit: (event: SourceEvent) => void;
}

export interface DomainReport {
  readonly domainId: number;
  /** Full name of the node that listens. */
  readonly node: string;
  readonly waitsForClock: boolean;
  /** Topics in the graph, whether recorded or not. */
  readonly topics: number;
  /** Topics subscribed to that somebody publishes. */
  readonly recorded: number;
  readonly problems: readonly RosProblem[];
}

/** One topic and type that is, or shall be, recorded. */
interface Recorded {
  readonly topic: string;
  readonly type: string;
  publishers: readonly Publisher[];
  reader: TopicReader | undefined;
  channels: TopicChannels | undefined;
  /** Monotonic; when subscribing failed last. */
  failedAt: bigint | undefined;
  /** Wall clock; since when its messages cannot be recorded. */
  deafSince: bigint | undefined;
  /** Monotonic; since when nobody publishes it. */
  goneAt: bigint | undefined;
  /** Monotonic; when a message came although nobody was known to publish it any more. */
  revivedAt: bigint | undefined;
}

/** Records what is published in one domain, as its node sees it. */
export class DomainRecorder {
  private readonly graph: Graph;
  private readonly problems: Problems;
  private readonly losses: TopicLosses<Recorded>;
  private readonly share = new DrainShare();
  private readonly busy: BusyTopics;
  private readonly recorded = new Map<string, Recorded>();
  /** Every topic somebody publishes, recorded or not. */
  private readonly published = new Map<string, readonly Publisher[]>();
  private reviewedAt = 0n;
  private namespaces: readonly string[] = [];
  private simTime: bigint | undefined;
  private clockReader: TopicReader | undefined;
  private wakeIsEnding = false;
  private readonly onDrained: () => void;

  constructor(private readonly parts: DomainParts) {
    this.graph = new Graph(parts.session.node, (topic, error) => {
      parts.logger.warn('a ROS topic could not be looked at', { topic, error: describeError(error) });
    });
    this.problems = new Problems(parts.logger, () => parts.clock.now());
    this.losses = new TopicLosses({
      ...parts,
      problems: this.problems,
      robotsOf: (one) => this.robotsOf(one),
    });
    this.onDrained = () => this.endWakeSoon();
    this.busy = new BusyTopics(parts.session, this.onDrained);
  }

  report(): DomainReport {
    const { session, useSimTime } = this.parts;
    return {
      domainId: session.domainId,
      node: session.node.getFullyQualifiedName(),
      waitsForClock: useSimTime && this.simTime === undefined,
      topics: this.graph.topicCount,
      recorded: [...this.recorded.values()].filter((one) => one.reader?.qos && one.goneAt === undefined)
        .length,
      problems: this.problems.all,
    };
  }

  /** Listens to /clock; nothing else is subscribed to before {@link hasTime}. */
  followClock(): void {
    const onMessage = (data: Buffer): void => {
      const time = readClock(data);
      if (time === undefined) return;
      if (this.simTime !== undefined && time < this.simTime) {
        this.parts.logger.warn('the simulated clock jumped back', { domain: this.parts.session.domainId });
      }
      this.simTime = time;
    };
    const reader = new TopicReader({
      ...this.parts,
      topic: '/clock',
      type: 'rosgraph_msgs/msg/Clock',
      share: this.share,
      onMessage,
      onDrained: this.onDrained,
    });
    // Best effort hears reliable publishers too; only the newest time matters.
    const qos = { history: 1, depth: 1, reliability: 2, durability: 2, liveliness: 0 };
    this.parts.session.create((node) => reader.open(node, qos));
    this.clockReader = reader;
  }

  get hasTime(): boolean {
    return !this.parts.useSimTime || this.simTime !== undefined;
  }

  /** Looks at the graph once and acts on what changed. */
  async poll(): Promise<void> {
    const now = this.parts.clock.monotonic();
    const change = this.graph.poll(now);
    if (change.namespaces !== undefined) {
      this.namespaces = change.namespaces;
      // Who the robots are may have changed with it.
      for (const one of this.recorded.values()) this.announce(one);
    }
    for (const { topic, publishers } of change.topics) {
      if (publishers.length > 0) this.published.set(topic, publishers);
      else this.published.delete(topic);
      this.apply({ topic, publishers }, now);
    }
    if (now - this.reviewedAt >= REVIEW_NS) {
      this.reviewedAt = now;
      for (const [topic, publishers] of this.published) this.apply({ topic, publishers }, now);
      await this.define([...this.recorded.values()].filter((one) => one.channels?.isUndefined));
    }
    const waiting = [...this.recorded.values()].filter(
      (one) => one.reader === undefined && one.goneAt === undefined && this.isDue(one, now),
    );
    if (waiting.length > 0) await this.subscribe(waiting);
    this.tidy(now);
    this.busy.review(
      [...this.recorded.values()].flatMap(({ reader }) => reader?.lines ?? []),
      now,
    );
  }

  /** Ends hand-overs and drops what has been gone for long. */
  private tidy(now: bigint): void {
    const all = [...this.recorded.values()];
    for (const one of all) {
      const isGhost = one.revivedAt !== undefined && now - one.revivedAt > REVIEW_NS;
      if (isGhost && !this.published.has(one.topic)) this.vanish(one, now);
    }
    const idle = all.filter((one) => this.isIdle(one, now));
    const handingOver = all.filter((one) => one.reader?.isHandingOver);
    if (idle.length + handingOver.length === 0 || this.parts.session.isClosed) return;
    this.parts.session.change(() => {
      for (const { reader } of handingOver) reader?.tick(now);
      for (const one of idle) this.drop(one);
    });
    for (const one of handingOver) {
      // Offers may have changed while it could not follow.
      if (one.goneAt === undefined && one.reader?.isHandingOver === false) this.adapt(one, now);
    }
  }

  private isDue(one: Recorded, now: bigint): boolean {
    return one.failedAt === undefined || now - one.failedAt >= RETRY_NS;
  }

  private isIdle(one: Recorded, now: bigint): boolean {
    return one.goneAt !== undefined && (one.reader === undefined || now - one.goneAt >= LINGER_NS);
  }

  private apply({ topic, publishers }: TopicChange, now: bigint): void {
    const types = [...new Set(publishers.map(({ type }) => type))];
    if (types.length > 1) {
      this.problems.set(
        'two-types',
        topic,
        `published as ${types.join(' and ')}; each is recorded where it can be`,
      );
    } else this.problems.clear('two-types', topic);
    for (const one of this.recorded.values()) {
      if (one.topic === topic && !types.includes(one.type)) this.vanish(one, now);
    }
    for (const type of types) {
      const ofType = publishers.filter((publisher) => publisher.type === type);
      const key = `${topic} ${type}`;
      const known = this.recorded.get(key);
      if (whyNotRecorded(this.parts.rules, topic, type, ofType) !== undefined) {
        if (known !== undefined) {
          this.vanish(known, now);
          // Nothing to wait for: it may return, but is not wanted then either.
          known.goneAt = now - LINGER_NS;
        }
        continue;
      }
      if (known === undefined) {
        this.recorded.set(key, {
          topic,
          type,
          publishers: ofType,
          reader: undefined,
          channels: undefined,
          failedAt: undefined,
          deafSince: undefined,
          goneAt: undefined,
          revivedAt: undefined,
        });
      } else {
        known.publishers = ofType;
        known.goneAt = known.revivedAt = undefined;
        if (known.reader !== undefined) this.adapt(known, now);
      }
    }
  }

  /** The publishers of a subscribed topic changed. */
  private adapt(one: Recorded, now: bigint): void {
    this.announce(one);
    const qos = this.requestOf(one).qos;
    const { reader } = one;
    if (reader?.qos === undefined || sameReaderQos(reader.qos, qos) || reader.isHandingOver) return;
    this.parts.logger.info('ROS topic: asks for another quality of service', { topic: one.topic });
    try {
      this.parts.session.create((node) => reader.change(node, qos, now));
    } catch (error) {
      this.parts.logger.warn('ROS topic: the new subscription failed, the old one stays', {
        topic: one.topic,
        error: describeError(error),
      });
    }
  }

  private requestOf(one: Recorded) {
    const { depth, overrides } = this.parts;
    const offers = one.publishers.map(({ qos }) => qos);
    const request = requestFor(offers, depth, overrides.get(one.topic));
    if (request.mixed.length > 0) this.problems.set('mixed-offers', one.topic, request.mixed.join('; '));
    else this.problems.clear('mixed-offers', one.topic);
    if (request.incompatible.length > 0) {
      this.problems.set('incompatible-qos', one.topic, request.incompatible.join('; '));
    } else this.problems.clear('incompatible-qos', one.topic);
    return request;
  }

  private async subscribe(waiting: readonly Recorded[]): Promise<void> {
    const { session, definitions, clock } = this.parts;
    const schemas = await Promise.all(waiting.map(({ type }) => this.schemaOf(definitions, type)));
    if (session.isClosed) return;
    session.create((node) => {
      waiting.forEach((one, index) => {
        const reader = this.readerOf(one);
        const { qos } = this.requestOf(one);
        try {
          reader.open(node, qos);
        } catch (error) {
          one.failedAt = clock.monotonic();
          this.losses.deaf(one, describeError(error));
          return;
        }
        one.channels = new TopicChannels(one.topic, schemas[index]!, session.ros.distro);
        one.reader = reader;
        one.failedAt = undefined;
        this.losses.hearing(one);
        this.announce(one);
      });
    });
  }

  /** Definitions may be installed after the library that receives the messages. */
  private async define(undefinedOnes: readonly Recorded[]): Promise<void> {
    const { definitions, session, emit } = this.parts;
    for (const one of undefinedOnes) {
      const schema = await this.schemaOf(definitions, one.type);
      if (schema.encoding === '' || session.isClosed) continue;
      const gone = one.channels?.vanish() ?? [];
      one.channels = new TopicChannels(one.topic, schema, session.ros.distro);
      this.problems.clear('no-definition', one.topic);
      this.announce(one);
      for (const channel of gone) emit({ kind: 'channel-gone', channel });
    }
  }

  private async schemaOf(definitions: MessageDefinitions, type: string): Promise<Schema> {
    const undefinedSchema = { name: type, encoding: '', data: new Uint8Array(0) };
    try {
      const schema = await definitions.schemaOf(type);
      if (schema !== undefined) return schema;
    } catch (error) {
      this.parts.logger.warn('ROS: a definition could not be read', { type, error: describeError(error) });
    }
    return Object.freeze(undefinedSchema);
  }

  private readerOf(one: Recorded): TopicReader {
    const { topic, type } = one;
    return new TopicReader({
      ...this.parts,
      topic,
      type,
      share: this.share,
      onMessage: (data) => this.message(one, data),
      onDrained: this.onDrained,
      ...(this.parts.tellsLoss
        ? { events: { onLost: (count: number) => this.losses.lost(one, count) } }
        : {}),
    });
  }

  private message(one: Recorded, data: Buffer): void {
    const { clock, emit } = this.parts;
    if (one.goneAt !== undefined) {
      // Its publisher is back before the graph was looked at, or this was still on its way.
      one.goneAt = undefined;
      one.revivedAt = clock.monotonic();
      this.graph.suspect(one.topic);
      this.announce(one);
    }
    const at = this.simTime ?? clock.now();
    const channels = one.channels?.all ?? [];
    for (let index = 0; index < channels.length; index++) {
      // Each robot's recording owns its bytes.
      const own = index === 0 ? data : Buffer.from(data);
      emit({ kind: 'message', channel: channels[index]!, data: own, receivedAt: at, publishedAt: at });
    }
  }

  private announce(one: Recorded): void {
    if (one.channels === undefined || one.reader === undefined || one.goneAt !== undefined) return;
    const { appeared, gone } = one.channels.update(this.robotsOf(one), one.publishers);
    for (const channel of appeared) this.parts.emit({ kind: 'channel', channel });
    for (const channel of gone) this.parts.emit({ kind: 'channel-gone', channel });
    if (one.channels.isUndefined) {
      this.problems.set('no-definition', one.topic, `${one.type} is defined nowhere in AMENT_PREFIX_PATH`);
    }
  }

  private robotsOf(one: Recorded): readonly string[] {
    return robotsOfTopic(this.parts.robots, {
      topic: one.topic,
      publisherNamespaces: one.publishers.map(({ namespace }) => namespace),
      nodeNamespaces: this.namespaces,
    });
  }

  private vanish(one: Recorded, now: bigint): void {
    if (one.goneAt !== undefined) return;
    // What its publishers sent last may still wait.
    one.reader?.drain(Infinity);
    one.goneAt = now;
    one.revivedAt = undefined;
    this.losses.hearing(one);
    for (const channel of one.channels?.vanish() ?? []) this.parts.emit({ kind: 'channel-gone', channel });
    this.problems.forget(one.topic);
  }

  private drop(one: Recorded): void {
    one.reader?.close();
    this.recorded.delete(`${one.topic} ${one.type}`);
  }

  /**
   * rclnodejs calls back outside of what Node takes for a turn: promises wait until something else runs. This
   * makes something else run, and ends the wake-up for the shares.
   */
  private endWakeSoon(): void {
    if (this.wakeIsEnding) return;
    this.wakeIsEnding = true;
    setImmediate(() => {
      this.wakeIsEnding = false;
      this.share.nextWake();
    });
  }

  /** Takes what waits, then gives all subscriptions back. */
  close(): void {
    const { session, clock } = this.parts;
    this.busy.close();
    if (session.isClosed) return;
    const until = clock.monotonic() + LAST_DRAIN_NS;
    for (let left = 1; left > 0 && clock.monotonic() < until;) {
      left = 0;
      for (const { reader } of this.recorded.values()) left += reader?.drain(1_024) ?? 0;
    }
    session.change(() => {
      for (const { reader } of this.recorded.values()) reader?.close();
      this.clockReader?.close();
    });
    this.recorded.clear();
  }
}
