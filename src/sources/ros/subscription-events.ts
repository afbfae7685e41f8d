import { describeError } from '../../core/errors.js';
import type { Node, Subscription } from 'rclnodejs';
import type { Logger } from '../../core/logger.js';
import { guard } from './guard.js';
import type { RosSession } from './ros-session.js';

/** What the middleware tells about a subscription, where distribution (Jazzy and later) and middleware can. */
export interface SubscriptionEvents {
  /** So many messages were lost on their way; none that the reader's own history overwrote. */
  readonly onLost: (count: number) => void;
}

/** Of rcl_subscription_event_type_t. */
const MESSAGE_LOST = 3;

interface EventNative {
  createSubscriptionEventHandle?(subscription: unknown, type: number): EventHandle;
  takeEvent?(handle: EventHandle, kind: { subscription_event_type: number }): Record<string, number>;
}

interface EventHandle {
  release(): void;
}

/** A handler in the form rclnodejs keeps its own in; its class for them is not exported. */
class SubscriptionEvent {
  private destroyed = false;

  constructor(
    readonly _handle: EventHandle,
    readonly takeData: () => void,
  ) {}

  get handle(): EventHandle {
    return this._handle;
  }

  isDestroyed(): boolean {
    return this.destroyed;
  }

  _destroy(): void {
    this.destroyed = true;
    this._handle.release();
    // A wait that has just ended may still name this handle; it must outlive that.
    const { _handle } = this;
    setTimeout(() => void _handle, 1_000).unref();
  }
}

/** Listens to the events of a subscription; where there are none, does nothing. */
export function watchSubscription(
  session: RosSession,
  node: Node,
  subscription: Subscription,
  events: SubscriptionEvents,
  topic: string,
  logger: Logger,
): void {
  const native = session.ros.native as unknown as EventNative;
  const { createSubscriptionEventHandle, takeEvent } = native;
  if (createSubscriptionEventHandle === undefined || takeEvent === undefined) return;
  let event: SubscriptionEvent;
  try {
    const handle = createSubscriptionEventHandle(handleOf(subscription), MESSAGE_LOST);
    const take = (): void => {
      const { total_count_change: count = 0 } = takeEvent(handle, { subscription_event_type: MESSAGE_LOST });
      if (count > 0) events.onLost(count);
    };
    event = new SubscriptionEvent(handle, guard(`event of ${topic}`, take, logger));
  } catch (error) {
    // This middleware does not know the event.
    logger.debug('losses on the way will not be told', { topic, error: describeError(error) });
    return;
  }
  // As rclnodejs does it itself: waited for with the node, destroyed with the subscription.
  (node as unknown as { _events: unknown[] })._events.push(event);
  (subscription as unknown as { events: unknown[] }).events = [event];
}

/** The native subscription, which the types of rclnodejs keep to themselves. */
export function handleOf(subscription: Subscription): unknown {
  return (subscription as unknown as { handle: unknown }).handle;
}
