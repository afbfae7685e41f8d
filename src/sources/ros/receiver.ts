import type { Node } from 'rclnodejs';
import type { PayloadLease, QueueRule } from '../../core/message.js';
import type { ReaderQos } from './reader-qos.js';
import type { SubscriptionEvents } from './subscription-events.js';

/** What is known about a message beside its bytes. */
export interface MessageInfo {
  /** When the receiver took it, nanoseconds since the Unix epoch. */
  readonly receivedAt: bigint;
  /** When it was published, by the publisher's clock; undefined: the middleware does not say. */
  readonly publishedAt: bigint | undefined;
  /** The publisher's identifier as {@link publisherKey} has it; undefined: the middleware does not say. */
  readonly publisher: string | undefined;
  /** Set if the memory of the message is lent: the listener passes it on or releases it. */
  readonly lease?: PayloadLease | undefined;
}

/** Nothing gives way before the receiver itself is full. */
export const NO_LIMITS: QueueRule = Object.freeze({
  queueMaxBytes: Number.MAX_SAFE_INTEGER,
  policy: 'drop-oldest',
  priority: 'normal',
});

/** Messages that were not delivered. */
export interface ReceiverDrop {
  /** `source_lost`: the numbers of a publisher show that the middleware lost them. */
  readonly reason:
    | 'queue_full_drop_oldest'
    | 'queue_full_drop_newest'
    | 'memory_limit'
    | 'message_too_large'
    | 'source_lost';
  readonly count: number;
  /** 0 for `source_lost`: their size is not known. */
  readonly bytes: number;
  /** When the first and the last one were taken, nanoseconds since the Unix epoch. */
  readonly firstAt: bigint;
  readonly lastAt: bigint;
  /** Of `source_lost`: whose messages, as `MessageInfo` has it; undefined: not known, or of several publishers. */
  readonly publisher?: string;
  /** Its numbers of the first and the last message that is missing; others between them may have come. */
  readonly numbers?: readonly [first: number, last: number];
}

export interface ReceiveRequest {
  readonly topic: string;
  /** `pkg/msg/Type`. */
  readonly type: string;
  readonly qos: ReaderQos;
  readonly limits: QueueRule;
  /** Owns `data`, unless it is lent. Without `info` the receiver knows nothing about it; the message was taken now. */
  readonly onMessage: (data: Buffer, info: MessageInfo | undefined) => void;
  readonly onDropped: (drop: ReceiverDrop) => void;
  /** Undefined: no events, because each kind costs the middleware as much as another subscription. */
  readonly events?: SubscriptionEvents;
}

/** One subscription of a receiver. */
export interface ReceiverSubscription {
  /**
   * Takes what waits with the middleware, at most so many messages, and delivers them before it returns.
   *
   * @returns How many it took.
   */
  drain(maxMessages: number): number;
  /** Unsubscribes, inside `RosSession.change`; nothing is delivered any more. Idempotent. */
  destroy(): void;
}

/** Receives serialized messages for one node. */
export interface Receiver {
  readonly kind: 'native' | 'rclnodejs';
  /**
   * A subscription with a predecessor delivers nothing before what its predecessor has at that moment. Where this is
   * false, the caller drains the predecessor itself.
   */
  readonly ordersPredecessor: boolean;
  /** Subscribes, inside `RosSession.create`. Throws if the type support is not installed or the middleware refuses. */
  subscribe(node: Node, request: ReceiveRequest, predecessor?: ReceiverSubscription): ReceiverSubscription;
  /** Adapts to the rates of the topics; to be called every now and then, outside of callbacks. */
  review(now: bigint): void;
  /** Ends all subscriptions that are left. Idempotent. */
  close(): void;
}
