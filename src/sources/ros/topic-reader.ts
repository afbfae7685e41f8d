import type { Node, Subscription } from 'rclnodejs';
import type { Logger } from '../../core/logger.js';
import type { PacedLine } from './busy-topics.js';
import type { DrainShare } from './drain-share.js';
import { guard } from './guard.js';
import { HandOver } from './hand-over.js';
import type { ReaderQos } from './reader-qos.js';
import type { RosSession } from './ros-session.js';
import { handleOf, watchSubscription, type SubscriptionEvents } from './subscription-events.js';

/** How long two subscriptions run side by side when the quality of service changes. */
const HAND_OVER_NS = 1_000_000_000n;
/** Ends a hand-over early: what it remembers is bounded. */
const HAND_OVER_MESSAGES = 200_000;

export interface TopicReaderParts {
  readonly session: RosSession;
  readonly topic: string;
  /** `pkg/msg/Type`. */
  readonly type: string;
  readonly share: DrainShare;
  readonly logger: Logger;
  readonly onMessage: (data: Buffer) => void;
  /** Undefined: not listened to, as each costs the middleware as much as another subscription. */
  readonly events?: SubscriptionEvents;
  /** After each drain; the caller ends the wake-up when the event loop goes on. */
  readonly onDrained: () => void;
}

/**
 * The subscription of one topic and type: raw, drained on every wake-up, replaced side by side when it must
 * ask for another quality of service.
 */
export class TopicReader {
  private current: Line | undefined;
  private previous: Line | undefined;
  private handOver: HandOver | undefined;
  private handOverSince = 0n;
  qos: ReaderQos | undefined;

  constructor(private readonly parts: TopicReaderParts) {}

  /** Subscribes, inside `RosSession.create`. Throws where the type support is not installed. */
  open(node: Node, qos: ReaderQos): void {
    this.current = new Line(this.parts, node, qos, (data) => this.accept('new', data));
    this.qos = qos;
  }

  /** Asks for another quality of service, inside `RosSession.create`; nothing is lost or doubled. */
  change(node: Node, qos: ReaderQos, now: bigint): void {
    if (this.current === undefined) return this.open(node, qos);
    const old = this.current;
    const line = new Line(this.parts, node, qos, (data) => this.accept('new', data));
    old.onMessage = (data) => this.accept('old', data);
    this.previous = old;
    this.current = line;
    this.handOver = new HandOver();
    this.handOverSince = now;
    this.qos = qos;
  }

  get isHandingOver(): boolean {
    return this.handOver !== undefined;
  }

  /** Ends a hand-over when its time has come; outside `RosSession.create`. */
  tick(now: bigint): void {
    if (this.handOver === undefined) return;
    if (now - this.handOverSince < HAND_OVER_NS && this.handOver.messages < HAND_OVER_MESSAGES) return;
    // All in one turn: what came in until now is seen by both sides, what comes later by the new one alone.
    this.previous?.drain(Infinity, Infinity);
    this.current?.drain(Infinity, Infinity);
    this.previous?.destroy();
    this.previous = undefined;
    this.handOver = undefined;
  }

  /** Its subscriptions, for `BusyTopics`. */
  get lines(): readonly PacedLine[] {
    return [this.previous, this.current].filter((line) => line !== undefined);
  }

  /** Takes what waits, at most so many messages; returns how many there were. */
  drain(maxMessages: number): number {
    const old = this.previous?.drain(maxMessages, Infinity) ?? 0;
    return old + (this.current?.drain(maxMessages, Infinity) ?? 0);
  }

  /** Inside `RosSession.change`. Idempotent. */
  close(): void {
    this.previous?.destroy();
    this.current?.destroy();
    this.previous = this.current = this.handOver = undefined;
  }

  private accept(side: 'old' | 'new', data: Buffer): void {
    // What both have must come from the old one first: the new one lacks what was sent before it was there.
    if (side === 'new') this.previous?.drain(Infinity, Infinity);
    if (this.handOver !== undefined && !this.handOver.accept(side, data)) return;
    this.parts.onMessage(data);
  }
}

/** One subscription of the middleware. */
class Line implements PacedLine {
  subscription: Subscription | undefined;
  wakes = 0;
  taken = 0;
  isPolled = false;
  readonly poll: () => void;

  constructor(
    private readonly parts: TopicReaderParts,
    private readonly node: Node,
    qos: ReaderQos,
    public onMessage: (data: Buffer) => void,
  ) {
    const { session, topic, type, logger } = parts;
    const { rcl } = session;
    const request = new rcl.QoS(
      qos.history,
      qos.depth,
      qos.reliability,
      qos.durability,
      qos.liveliness,
      false,
    );
    const onReady = guard(`subscription of ${topic}`, (first: Buffer) => this.onReady(first), logger);
    this.poll = guard(`polling ${topic}`, () => this.takeShare(), logger);
    this.subscription = node.createSubscription(
      typeStub(type) as never,
      topic,
      { isRaw: true, qos: request },
      onReady as never,
    );
    if (parts.events !== undefined) {
      watchSubscription(session, node, this.subscription, parts.events, topic, logger);
    }
  }

  private onReady(first: Buffer): void {
    const { share, onDrained } = this.parts;
    share.begin();
    this.wakes++;
    this.taken++;
    this.onMessage(first);
    this.drain(share.messages - 1, share.bytes - first.byteLength);
    onDrained();
  }

  private takeShare(): void {
    const { share } = this.parts;
    share.begin();
    this.drain(share.messages, share.bytes);
  }

  drain(maxMessages: number, maxBytes: number): number {
    const { native } = this.parts.session.ros;
    let messages = 0;
    let bytes = 0;
    // A listener may end the recording from inside a message: the handle is gone then.
    while (messages < maxMessages && bytes < maxBytes && this.subscription !== undefined) {
      const data = native.rclTakeRaw(handleOf(this.subscription));
      if (data === undefined) break;
      messages++;
      bytes += data.byteLength;
      this.onMessage(data);
    }
    this.taken += messages;
    return messages;
  }

  destroy(): void {
    const { subscription } = this;
    this.subscription = undefined;
    if (subscription === undefined || this.parts.session.isClosed) return;
    this.node.destroySubscription(subscription);
  }
}

/** rclnodejs asks a message class for nothing but these names when messages stay raw. */
function typeStub(type: string): () => void {
  const [pkgName, subFolder, interfaceName] = type.split('/');
  return Object.assign(() => undefined, { type: () => ({ pkgName, subFolder, interfaceName }) });
}
