import type { Node } from 'rclnodejs';
import { defined } from '../../core/defined.js';
import { HandOver } from './hand-over.js';
import type { ReaderQos } from './reader-qos.js';
import type { MessageInfo, ReceiveRequest, Receiver, ReceiverSubscription } from './receiver.js';

/** How long two subscriptions run side by side when the quality of service changes. */
const HAND_OVER_NS = 1_000_000_000n;
/** How long a copy may be late at the new subscription after the old one ended. */
const LATE_NS = 1_000_000_000n;
/** Ends a hand-over early: what it remembers is bounded. */
const HAND_OVER_MESSAGES = 200_000;

/** The requested QoS changes while the topic is read, so it is not among the parts. */
export interface TopicReaderParts extends Omit<ReceiveRequest, 'qos'> {
  readonly receiver: Receiver;
}

/**
 * The subscription of one topic and type: raw, drained on every wake-up. Replaced side by side when it must request
 * another QoS.
 */
export class TopicReader {
  #current: ReceiverSubscription | undefined;
  #previous: ReceiverSubscription | undefined;
  #handOver: HandOver | undefined;
  #handOverSince = 0n;
  qos: ReaderQos | undefined;

  readonly #parts: TopicReaderParts;

  constructor(parts: TopicReaderParts) {
    this.#parts = parts;
  }

  /** Subscribes, inside `RosSession.create`. Throws if the type support is not installed. */
  open(node: Node, qos: ReaderQos): void {
    this.#current = this.#subscribe(node, qos, undefined);
    this.qos = qos;
  }

  /** Requests another QoS, inside `RosSession.create`; nothing is lost or doubled. */
  change(node: Node, qos: ReaderQos, now: bigint): void {
    if (this.#current === undefined) {
      this.open(node, qos);
      return;
    }
    const next = this.#subscribe(node, qos, this.#current);
    this.#previous = this.#current;
    this.#current = next;
    this.#handOver = new HandOver();
    this.#handOverSince = now;
    this.qos = qos;
  }

  get isHandingOver(): boolean {
    return this.#handOver !== undefined;
  }

  /** Ends a hand-over when its time has come; outside `RosSession.create`. */
  tick(now: bigint): void {
    const handOver = this.#handOver;
    if (handOver === undefined) return;
    const elapsed = now - this.#handOverSince;
    if (this.#previous === undefined) {
      if (handOver.isOver || elapsed >= LATE_NS) this.#handOver = undefined;
      return;
    }
    if (elapsed < HAND_OVER_NS && handOver.messages < HAND_OVER_MESSAGES) return;
    // All in one turn: later messages come only from the new side, but for copies that are late there.
    this.#previous.drain(Infinity);
    this.#current?.drain(Infinity);
    this.#previous.destroy();
    this.#previous = undefined;
    this.#handOverSince = now;
    handOver.endOld();
    if (handOver.isOver) this.#handOver = undefined;
  }

  /** Takes at most so many of the waiting messages; returns how many there were. */
  drain(maxMessages: number): number {
    const old = this.#previous?.drain(maxMessages) ?? 0;
    return old + (this.#current?.drain(maxMessages) ?? 0);
  }

  /** Inside `RosSession.change`. Idempotent. */
  close(): void {
    this.#previous?.destroy();
    this.#current?.destroy();
    this.#previous = this.#current = this.#handOver = undefined;
  }

  #subscribe(
    node: Node,
    qos: ReaderQos,
    predecessor: ReceiverSubscription | undefined,
  ): ReceiverSubscription {
    const { receiver, onDropped, events } = this.#parts;
    const { topic, type, limits } = this.#parts;
    const subscription: ReceiverSubscription = receiver.subscribe(
      node,
      {
        ...{ topic, type, limits, qos, onDropped },
        onMessage: (data, info) => this.#accept(subscription, data, info),
        ...defined({ events }),
      },
      predecessor,
    );
    return subscription;
  }

  #accept(from: ReceiverSubscription, data: Buffer, info: MessageInfo | undefined): void {
    const side = from === this.#previous ? 'old' : 'new';
    // Drain the old subscription first: it still holds messages sent before the new one matched.
    if (side === 'new' && !this.#parts.receiver.ordersPredecessor) this.#previous?.drain(Infinity);
    if (this.#handOver === undefined || this.#handOver.accept(side, data)) this.#parts.onMessage(data, info);
    else info?.lease?.release();
  }
}
