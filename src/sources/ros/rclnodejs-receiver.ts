import type { Node, Subscription } from 'rclnodejs';
import type { Logger } from '../../core/logger.js';
import type { Timers } from '../../core/clock.js';
import { BusyTopics, type PacedLine } from './busy-topics.js';
import { DrainShare } from './drain-share.js';
import { guard } from './guard.js';
import type { ReceiveRequest, Receiver, ReceiverSubscription } from './receiver.js';
import type { RosSession } from './ros-session.js';
import { handleOf, watchSubscription } from './subscription-events.js';
import { typeSupportClass } from './type-support-class.js';

/**
 * Receives by the executor of rclnodejs, in JavaScript: each wake-up drains a subscription, busy topics are polled.
 * Messages carry no info, and what JavaScript has not taken stays with the middleware.
 */
export class RclnodejsReceiver implements Receiver {
  readonly kind = 'rclnodejs';
  readonly ordersPredecessor = false;
  readonly #share = new DrainShare();
  readonly #busy: BusyTopics;
  readonly #lines = new Set<Line>();
  #wakeIsEnding = false;

  readonly #session: RosSession;
  readonly #timers: Timers;
  readonly #logger: Logger;

  constructor(session: RosSession, timers: Timers, logger: Logger) {
    this.#session = session;
    this.#timers = timers;
    this.#logger = logger;
    this.#busy = new BusyTopics(session, timers, () => this.#endWakeSoon());
  }

  subscribe(node: Node, request: ReceiveRequest): ReceiverSubscription {
    const line = new Line(node, request, {
      session: this.#session,
      share: this.#share,
      logger: this.#logger,
      onDrained: () => this.#endWakeSoon(),
      onDestroyed: (destroyed) => this.#lines.delete(destroyed),
    });
    this.#lines.add(line);
    return line;
  }

  review(now: bigint): void {
    this.#busy.review([...this.#lines], now);
  }

  close(): void {
    this.#busy.close();
    for (const line of [...this.#lines]) line.destroy();
  }

  /**
   * rclnodejs calls back outside of a Node.js turn, and promises resolve only when something else runs. This makes
   * something else run, and ends the wake-up for the shares.
   */
  #endWakeSoon(): void {
    if (this.#wakeIsEnding) return;
    this.#wakeIsEnding = true;
    this.#timers.soon(() => {
      this.#wakeIsEnding = false;
      this.#share.nextWake();
    });
  }
}

interface LineParts {
  readonly session: RosSession;
  readonly share: DrainShare;
  readonly logger: Logger;
  /** After each drain; the caller ends the wake-up when the event loop continues. */
  readonly onDrained: () => void;
  readonly onDestroyed: (line: Line) => void;
}

/** One subscription of the middleware. */
class Line implements PacedLine, ReceiverSubscription {
  subscription: Subscription | undefined;
  wakes = 0;
  taken = 0;
  isPolled = false;
  readonly poll: () => void;

  readonly #parts: LineParts;
  readonly #node: Node;
  readonly #onMessage: ReceiveRequest['onMessage'];

  constructor(node: Node, request: ReceiveRequest, parts: LineParts) {
    this.#parts = parts;
    this.#node = node;
    this.#onMessage = request.onMessage;
    const { topic, type, events } = request;
    const { session, logger } = parts;
    const { rcl } = session;
    const { history, depth, reliability, durability, liveliness } = request.qos;
    // rmw's numbers, which are also those of the enumerations.
    const policies = [history, depth, reliability, durability, liveliness, false] as unknown;
    const qos = new rcl.QoS(...(policies as ConstructorParameters<typeof rcl.QoS>));
    const onReady = guard(`subscription of ${topic}`, (first: Buffer) => this.#onReady(first), logger);
    this.poll = guard(`polling ${topic}`, () => this.#takeShare(), logger);
    this.subscription = node.createSubscription(
      typeSupportClass(type) as never,
      topic,
      { isRaw: true, qos },
      onReady as never,
    );
    if (events !== undefined) watchSubscription(session, node, this.subscription, events, topic, logger);
  }

  #onReady(first: Buffer): void {
    const { share, onDrained } = this.#parts;
    share.begin();
    this.wakes++;
    this.taken++;
    this.#onMessage(first, undefined);
    this.#take(share.messages - 1, share.bytes - first.byteLength);
    onDrained();
  }

  #takeShare(): void {
    const { share } = this.#parts;
    share.begin();
    this.#take(share.messages, share.bytes);
  }

  drain(maxMessages: number): number {
    return this.#take(maxMessages, Infinity);
  }

  #take(maxMessages: number, maxBytes: number): number {
    const { native } = this.#parts.session.ros;
    let messages = 0;
    let bytes = 0;
    // A listener may end the recording from inside a message: then the handle is gone.
    while (messages < maxMessages && bytes < maxBytes && this.subscription !== undefined) {
      const data = native.rclTakeRaw(handleOf(this.subscription));
      if (data === undefined) break;
      messages++;
      bytes += data.byteLength;
      this.#onMessage(data, undefined);
    }
    this.taken += messages;
    return messages;
  }

  destroy(): void {
    const { subscription } = this;
    this.subscription = undefined;
    this.#parts.onDestroyed(this);
    if (subscription === undefined || this.#parts.session.isClosed) return;
    this.#node.destroySubscription(subscription);
  }
}
