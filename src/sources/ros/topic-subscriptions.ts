import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { QueueRule, Schema } from '../../core/message.js';
import type { SourceEvent } from '../../core/source.js';
import { present } from '../../core/present.js';
import type { MessageDefinitions } from './message-definitions.js';
import type { Problems } from './problems.js';
import { type DepthOf, requestFor, sameReaderQos, type QosOverride } from './reader-qos.js';
import type { Receiver } from './receiver.js';
import type { Recorded } from './recorded.js';
import { TopicChannels } from './recorded-topic.js';
import type { RosSession } from './ros-session.js';
import type { TopicDelivery } from './topic-delivery.js';
import type { TopicLosses } from './topic-losses.js';
import { TopicReader } from './topic-reader.js';

/** Interval of trying again to subscribe to a type whose support is not installed. */
const RETRY_NS = 3_000_000_000n;

export interface SubscriptionParts {
  readonly session: RosSession;
  readonly depthOf: DepthOf;
  readonly overrides: ReadonlyMap<string, QosOverride>;
  /** The middleware reports messages that were lost in transit. */
  readonly tellsLoss: boolean;
  /** The middleware refuses a second type on a topic while the first has a subscription. */
  readonly oneTypePerTopic: boolean;
  readonly definitions: MessageDefinitions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly emit: (event: SourceEvent) => void;
  readonly problems: Problems;
  readonly losses: TopicLosses<Recorded>;
  readonly delivery: TopicDelivery;
  readonly receiver: Receiver;
  readonly limitsOf: (topic: string) => QueueRule;
}

/** Subscribes to topics, with a QoS that is compatible with all their publishers. */
export class TopicSubscriptions {
  /** By topic and type, as `/imu sensor_msgs/msg/Imu`. */
  readonly all = new Map<string, Recorded>();
  readonly #parts: SubscriptionParts;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
  }

  /** Subscribes to published topics without a subscription. */
  async subscribe(now: bigint): Promise<void> {
    const waiting = [...this.all.values()].filter(
      ({ reader, goneAt, failedAt, isStatic }) =>
        reader === undefined &&
        (goneAt === undefined || isStatic) &&
        (failedAt === undefined || now - failedAt >= RETRY_NS),
    );
    if (waiting.length === 0) return;
    const { session } = this.#parts;
    const schemas = await Promise.all(waiting.map(({ type }) => this.#schemaOf(type)));
    if (session.isClosed) return;
    this.#dropFormerTypes(waiting);
    session.create(() => waiting.forEach((one, index) => this.#open(one, schemas[index]!)));
  }

  /** The publishers of a subscribed topic changed. */
  adapt(one: Recorded, now: bigint): void {
    this.#parts.delivery.announce(one);
    const { reader } = one;
    if (reader === undefined) return;
    const { qos } = this.#requestOf(one);
    if (reader.qos === undefined || sameReaderQos(reader.qos, qos) || reader.isHandingOver) return;
    this.#parts.logger.info('ROS topic: subscribing again with another quality of service', {
      topic: one.topic,
    });
    this.#change(one, now);
  }

  /**
   * Subscribes a second time beside a silent subscription, which ends a second later.
   *
   * @returns False: not now, or never, because a new subscription of a latched topic delivers recorded
   * messages again.
   */
  again(one: Recorded, now: bigint): boolean {
    const { reader } = one;
    if (reader?.qos === undefined || reader.isHandingOver || this.#parts.session.isClosed) return false;
    if (one.channels?.all.some(({ latched }) => latched) === true) return false;
    this.#parts.logger.info('ROS topic: silent, subscribing again', { topic: one.topic });
    return this.#change(one, now);
  }

  /** Definitions may be installed after the type support library. */
  async define(): Promise<void> {
    const { session, emit, delivery, problems } = this.#parts;
    for (const one of [...this.all.values()].filter(({ channels }) => channels?.isUndefined)) {
      const schema = await this.#schemaOf(one.type);
      if (schema.encoding === '' || session.isClosed) continue;
      const gone = one.channels?.vanish() ?? [];
      one.channels = new TopicChannels(one.topic, schema, session.ros.distro);
      problems.clear('no-definition', one.topic);
      delivery.announce(one);
      for (const channel of gone) emit({ kind: 'channel-gone', channel });
    }
  }

  /** Inside `RosSession.change`. */
  drop(one: Recorded): void {
    one.reader?.close();
    this.all.delete(`${one.topic} ${one.type}`);
  }

  #change(one: Recorded, now: bigint): boolean {
    const { qos } = this.#requestOf(one);
    try {
      this.#parts.session.create((node) => one.reader?.change(node, qos, now));
      return true;
    } catch (error) {
      this.#parts.logger.warn('ROS topic: the new subscription failed, keeping the old one', {
        topic: one.topic,
        error: describeError(error),
      });
      return false;
    }
  }

  #open(one: Recorded, schema: Schema): void {
    const { session, clock, losses, delivery, problems, oneTypePerTopic } = this.#parts;
    const fail = (detail: string): void => {
      one.failedAt = clock.monotonic();
      // Without a publisher, nothing is lost.
      if (one.goneAt !== undefined) problems.set('static-topic', one.topic, `cannot be received: ${detail}`);
      else losses.deaf(one, detail);
    };
    const other = oneTypePerTopic ? this.#subscribedAs(one) : undefined;
    if (other !== undefined) {
      fail(`this middleware takes one type per topic, and ${other.type} is subscribed to`);
      return;
    }
    const reader = this.#readerOf(one);
    try {
      reader.open(session.node, this.#requestOf(one).qos);
    } catch (error) {
      fail(describeError(error));
      return;
    }
    one.channels = new TopicChannels(one.topic, schema, session.ros.distro);
    one.reader = reader;
    one.failedAt = undefined;
    losses.hearing(one);
    delivery.announce(one);
  }

  #requestOf(one: Recorded) {
    const { depthOf, overrides, problems, receiver } = this.#parts;
    const offers = one.publishers.map(({ qos }) => qos);
    const request = requestFor(offers, depthOf(one.type, receiver.kind), overrides.get(one.topic));
    if (request.mixed.length > 0) problems.set('mixed-offers', one.topic, request.mixed.join('; '));
    else problems.clear('mixed-offers', one.topic);
    if (request.incompatible.length > 0) {
      problems.set('incompatible-qos', one.topic, request.incompatible.join('; '));
    } else problems.clear('incompatible-qos', one.topic);
    return request;
  }

  #readerOf(one: Recorded): TopicReader {
    const { topic, type } = one;
    const { delivery, losses, tellsLoss, receiver, limitsOf } = this.#parts;
    return new TopicReader({
      receiver,
      topic,
      type,
      limits: limitsOf(topic),
      onMessage: (data, info) => delivery.message(one, data, info),
      onDropped: (drop) => losses.dropped(one, drop),
      ...(tellsLoss ? { events: { onLost: (count: number) => losses.lost(one, count) } } : {}),
    });
  }

  /** Another type of the same topic with a subscription. */
  #subscribedAs({ topic, type }: Recorded): Recorded | undefined {
    return [...this.all.values()].find(
      (one) => one.topic === topic && one.type !== type && one.reader !== undefined,
    );
  }

  /** A type without publishers makes room for the next one. */
  #dropFormerTypes(waiting: readonly Recorded[]): void {
    if (!this.#parts.oneTypePerTopic) return;
    const former = waiting
      .map((one) => this.#subscribedAs(one))
      .filter((one) => one !== undefined && one.goneAt !== undefined);
    if (former.length === 0) return;
    this.#parts.session.change(() => former.forEach((one) => this.drop(present(one))));
  }

  async #schemaOf(type: string): Promise<Schema> {
    try {
      const schema = await this.#parts.definitions.schemaOf(type);
      if (schema !== undefined) return schema;
    } catch (error) {
      this.#parts.logger.warn('ROS: cannot read a message definition', { type, error: describeError(error) });
    }
    return Object.freeze({ name: type, encoding: '', data: new Uint8Array(0) });
  }
}
